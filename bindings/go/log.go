package hmtl

// #include <stdint.h>
// #include <hmtl.h>
//
// extern void hmtl_go_log(int32_t level, char *message, uintptr_t log);
//
// static void hmtl_go_on_log(int32_t level, const char *message, void *user_data)
// {
//     hmtl_go_log(level, (char *)message, (uintptr_t)user_data);
// }
//
// static void hmtl_go_set_log(int32_t max_level, uintptr_t log)
// {
//     hmtl_set_log(max_level, log != 0 ? hmtl_go_on_log : NULL, (void *)log);
// }
import "C"

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/cgo"
	"sync"
	"time"
)

// LogLevel is how important a log line is, the lower the more.
type LogLevel int

const (
	LogError LogLevel = 1 + iota
	LogWarning
	LogInfo
	LogDebug
	LogTrace
)

// String returns the name of the level, such as "warning".
func (l LogLevel) String() string {
	switch l {
	case LogError:
		return "error"
	case LogWarning:
		return "warning"
	case LogInfo:
		return "info"
	case LogDebug:
		return "debug"
	case LogTrace:
		return "trace"
	}
	return fmt.Sprintf("level %d", int(l))
}

// Level is the level in log/slog; a trace is one step below a debug line.
func (l LogLevel) Level() slog.Level {
	switch l {
	case LogError:
		return slog.LevelError
	case LogWarning:
		return slog.LevelWarn
	case LogInfo:
		return slog.LevelInfo
	case LogDebug:
		return slog.LevelDebug
	}
	return slog.LevelDebug - 4
}

var logging struct {
	sync.Mutex
	handle cgo.Handle // 0 for none
}

// SetLog sends the log lines of the library up to a level to log, or nowhere if log is nil, as at
// first. It holds for the whole process; when it returns, the former function runs no more.
//
// log is called from any goroutine or thread, many at once. It must call nothing of this package,
// and a panic in it ends the program.
func SetLog(max LogLevel, log func(level LogLevel, message string)) {
	logging.Lock()
	defer logging.Unlock()
	former := logging.handle
	logging.handle = 0
	if log != nil {
		logging.handle = cgo.NewHandle(log)
	}
	C.hmtl_go_set_log(C.int32_t(max), C.uintptr_t(logging.handle))
	if former != 0 {
		former.Delete()
	}
}

// SetLogHandler sends the log lines of the library to handler, as [SetLog] does; those of levels
// that it handles now. nil turns them off.
func SetLogHandler(handler slog.Handler) {
	if handler == nil {
		SetLog(0, nil)
		return
	}
	ctx := context.Background()
	max := LogLevel(0)
	for level := LogError; level <= LogTrace; level++ {
		if handler.Enabled(ctx, level.Level()) {
			max = level
		}
	}
	SetLog(max, func(level LogLevel, message string) {
		if handler.Enabled(ctx, level.Level()) {
			_ = handler.Handle(ctx, slog.NewRecord(time.Now(), level.Level(), message, 0))
		}
	})
}

package hmtl

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

func TestLogLinesArrive(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	SetLog(LogInfo, func(level LogLevel, message string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, level.String()+" "+message)
	})
	defer SetLog(0, nil)
	loadNER(t).Close()
	SetLog(LogError, func(LogLevel, string) {})
	loadNER(t).Close()
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "info loaded ") {
		t.Fatalf("lines %q", lines)
	}
}

func TestLogHandlers(t *testing.T) {
	var text bytes.Buffer
	SetLogHandler(slog.NewTextHandler(&text, nil))
	defer SetLog(0, nil)
	loadNER(t).Close()
	SetLogHandler(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelWarn}))
	loadNER(t).Close()
	SetLogHandler(nil)
	loadNER(t).Close()
	if lines := text.String(); strings.Count(lines, "\n") != 1 || !strings.Contains(lines, "level=INFO") {
		t.Fatalf("lines %q", lines)
	}
}

func TestLogsMayBeSetWhileLinesArrive(t *testing.T) {
	defer SetLog(0, nil)
	var all sync.WaitGroup
	for range 4 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 2 {
				SetLog(LogTrace, func(LogLevel, string) {})
				loadNER(t).Close()
			}
		}()
	}
	all.Wait()
}

func TestLogLevels(t *testing.T) {
	for level, name := range map[LogLevel]string{
		LogError: "error", LogWarning: "warning", LogInfo: "info", LogDebug: "debug", LogTrace: "trace", 9: "level 9",
	} {
		if level.String() != name {
			t.Errorf("%d is %v", level, level)
		}
		if level < LogTrace && level.Level() <= (level+1).Level() {
			t.Errorf("%v is not above %v", level.Level(), (level + 1).Level())
		}
	}
}

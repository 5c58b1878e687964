package hmtl

// #cgo pkg-config: hmtl
// #include <hmtl.h>
import "C"

import (
	"context"
	"errors"
	"fmt"
)

// ErrClosed is the error of a call on a closed [Model], [Dataset] or [Trainer].
var ErrClosed = errors.New("hmtl: use of a closed object")

// ErrTraining is the error of a call, from a function that [Trainer.Train] calls, that would have
// to wait for Train to end.
var ErrTraining = errors.New("hmtl: not possible from an event function: the trainer is training")

// Code says what went wrong. It is an error to compare with:
//
//	if errors.Is(err, hmtl.CodeData) { ... }
type Code int

const (
	CodeInvalidArgument Code = C.HMTL_CODE_INVALID_ARGUMENT // an argument or option is malformed or out of range
	CodeIO              Code = C.HMTL_CODE_IO               // a file could not be read or written
	CodeFormat          Code = C.HMTL_CODE_FORMAT           // a model or checkpoint is damaged or of an unknown version
	CodeConfig          Code = C.HMTL_CODE_CONFIG           // a configuration names something unknown or contradicts itself
	CodeData            Code = C.HMTL_CODE_DATA             // a data set does not follow its format
	CodeDevice          Code = C.HMTL_CODE_DEVICE           // the device is missing or out of memory
	CodeCancelled       Code = C.HMTL_CODE_CANCELLED        // the context of the call was done
	CodeUnsupported     Code = C.HMTL_CODE_UNSUPPORTED      // this build or process cannot do it
	CodeInternal        Code = C.HMTL_CODE_INTERNAL         // a bug in the library
)

// String returns the name of the code, such as "invalid argument".
func (c Code) String() string {
	switch c {
	case CodeInvalidArgument:
		return "invalid argument"
	case CodeIO:
		return "io"
	case CodeFormat:
		return "format"
	case CodeConfig:
		return "config"
	case CodeData:
		return "data"
	case CodeDevice:
		return "device"
	case CodeCancelled:
		return "cancelled"
	case CodeUnsupported:
		return "unsupported"
	case CodeInternal:
		return "internal"
	}
	return fmt.Sprintf("code %d", int(c))
}

// Error returns the name of the code; a Code alone is only there to compare with.
func (c Code) Error() string { return "hmtl: " + c.String() }

// Error is the error of the library.
type Error struct {
	Code    Code
	Message string // one line of English
	cause   error  // of a cancelled call: why its context was done
}

// Error returns the message.
func (e *Error) Error() string {
	if e.cause != nil {
		return "hmtl: " + e.Message + ": " + e.cause.Error()
	}
	return "hmtl: " + e.Message
}

// Is reports whether target is the error's Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Unwrap returns [context.Canceled] or [context.DeadlineExceeded] for a call whose context was
// done, and nil for others.
func (e *Error) Unwrap() error { return e.cause }

// takeError copies and frees an error of the library; nil stays nil.
func takeError(cerr *C.hmtl_error) error {
	if cerr == nil {
		return nil
	}
	defer C.hmtl_error_free(cerr)
	code := Code(C.hmtl_error_code(cerr))
	if code <= 0 || code > CodeInternal {
		code = CodeInternal // of a newer library: the header says so
	}
	return &Error{Code: code, Message: C.GoString(C.hmtl_error_message(cerr))}
}

func invalid(format string, args ...any) error {
	return &Error{Code: CodeInvalidArgument, Message: fmt.Sprintf(format, args...)}
}

// cancelled is the error of a call whose context is done.
func cancelled(ctx context.Context) error {
	return &Error{Code: CodeCancelled, Message: "the call was cancelled", cause: ctx.Err()}
}

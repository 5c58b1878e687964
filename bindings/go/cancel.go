package hmtl

// #include <hmtl.h>
import "C"

import (
	"context"
	"errors"
)

// withCancel makes a call with a token that ctx triggers; without one if ctx is never done.
func withCancel(ctx context.Context, call func(*C.hmtl_cancel) error) error {
	if ctx.Done() == nil {
		return call(nil)
	}
	return withToken(ctx, call)
}

// withToken makes a call with a token that ctx triggers, and frees it when the call and the
// watcher are through with it.
func withToken(ctx context.Context, call func(*C.hmtl_cancel) error) error {
	token := C.hmtl_cancel_new()
	triggered := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		C.hmtl_cancel_trigger(token)
		close(triggered)
	})
	defer func() { // also when an event function panics
		if !stop() {
			<-triggered
		}
		C.hmtl_cancel_free(token)
	}()
	err := call(token)
	if errors.Is(err, CodeCancelled) && ctx.Err() != nil {
		return cancelled(ctx)
	}
	return err
}

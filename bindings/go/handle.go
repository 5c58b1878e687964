package hmtl

import (
	"context"
	"runtime"
	"sync"
	"unsafe"
)

// handle counts the calls that use an object of the library, to free it after the last. A read lock
// would not do: while a Close waits for it, an event function could not call the trainer any more.
type handle struct {
	ptr  unsafe.Pointer
	free func(unsafe.Pointer)

	mu     sync.Mutex // so that no call begins once Close waits
	closed bool
	calls  sync.WaitGroup
	once   sync.Once
}

// acquire begins a call, which ends with calls.Done.
func (h *handle) acquire() (unsafe.Pointer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || h.ptr == nil {
		return nil, ErrClosed
	}
	h.calls.Add(1)
	return h.ptr, nil
}

// use makes a call that may take its time.
func (h *handle) use(ctx context.Context, call func(unsafe.Pointer) error) error {
	ptr, err := h.acquire()
	if err != nil {
		return err
	}
	defer h.calls.Done()
	return inSlot(ctx, func() error { return call(ptr) })
}

func (h *handle) close() {
	h.once.Do(func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.calls.Wait()
		if h.ptr != nil {
			h.free(h.ptr)
		}
	})
}

// slots bounds the calls that are in the library at once, each on a thread of the system. The
// library computes with at most 8 threads by default: more calls would only wait in it.
var slots = make(chan struct{}, 4*runtime.GOMAXPROCS(0))

// inSlot makes a call when there is room for it, unless ctx is done before. No call in a slot may
// wait for another one: Train, whose event function may call anything, goes without.
func inSlot(ctx context.Context, call func() error) error {
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return cancelled(ctx)
	}
	defer func() { <-slots }()
	return call()
}

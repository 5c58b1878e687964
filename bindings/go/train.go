package hmtl

// #include <pthread.h>
// #include <stdint.h>
// #include <hmtl.h>
//
// extern void hmtl_go_event(char *event, uintptr_t training);
//
// static void hmtl_go_on_event(const char *event_json, void *user_data)
// {
//     hmtl_go_event((char *)event_json, (uintptr_t)user_data);
// }
//
// static hmtl_error *hmtl_go_train(hmtl_trainer *trainer, uintptr_t training,
//                                  const hmtl_cancel *cancel, char **out_json)
// {
//     return hmtl_trainer_train(trainer, hmtl_go_on_event, (void *)training, cancel, out_json);
// }
//
// static uintptr_t hmtl_go_thread(void)
// {
//     return (uintptr_t)pthread_self();
// }
import "C"

import (
	"context"
	"runtime"
	"runtime/cgo"
)

// Train trains until the last epoch, until the tasks are out of patience as configured, or until ctx
// is done; then it returns [Trainer.Info]. A trainer whose Train was cancelled stands between two
// steps: it can be saved, resumed and trained further.
//
// onEvent, which may be nil, is called on this goroutine while the training waits. It may call
// [Trainer.Info], [Trainer.Save], [Trainer.Snapshot] and [Trainer.SnapshotBest] of this trainer, and
// all methods of other objects; calls that would wait for Train return [ErrTraining]. A panic in it
// stops the training and goes on when the library has returned; so does [runtime.Goexit].
//
// Other goroutines may call the same four methods, which then wait for the next event.
func (t *Trainer) Train(ctx context.Context, onEvent func(Event)) (*TrainerInfo, error) {
	var each func([]byte)
	if onEvent != nil {
		each = func(data []byte) {
			event, err := ParseEvent(data)
			if err != nil {
				event = &UnknownEvent{JSON: data}
			}
			onEvent(event)
		}
	}
	return decode[*TrainerInfo](t.TrainJSON(ctx, each))
}

// TrainJSON is [Trainer.Train] with events and result as the library writes them.
func (t *Trainer) TrainJSON(ctx context.Context, onEvent func(event []byte)) (info []byte, err error) {
	trainer, err := t.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer t.end()
	err = withToken(ctx, func(cancel *C.hmtl_cancel) error {
		run := &training{trainer: t, cancel: cancel}
		if onEvent != nil {
			run.events, run.goOn = make(chan []byte), make(chan struct{})
		}
		info, err = run.train(ctx, trainer, onEvent)
		return err
	})
	return info, err
}

// training is a Train in progress. The library works on a goroutine of its own and hands each event
// over to that of the caller, so that no panic of the event function meets a C frame.
type training struct {
	trainer *Trainer
	cancel  *C.hmtl_cancel
	events  chan []byte   // nil if nobody wants them
	goOn    chan struct{} // an event was handled; closed when none is any more
	thread  C.uintptr_t   // the caller's, while it has it for itself
}

func (r *training) train(ctx context.Context, trainer *C.hmtl_trainer, onEvent func([]byte)) (info []byte, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.trainer.state.Lock()
		defer r.trainer.state.Unlock()
		self := cgo.NewHandle(r)
		defer self.Delete()
		info, err = takeJSON(func(out **C.char) *C.hmtl_error {
			return C.hmtl_go_train(trainer, C.uintptr_t(self), r.cancel, out)
		})
	}()
	if onEvent != nil {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		r.thread = C.hmtl_go_thread()
		r.handle(ctx, ended, onEvent)
	}
	<-ended
	return info, err
}

// handle calls onEvent until the training has ended; also when onEvent never returns.
func (r *training) handle(ctx context.Context, ended chan struct{}, onEvent func([]byte)) {
	returned := true
	defer func() {
		r.trainer.onEvent.Store(nil)
		if !returned {
			C.hmtl_cancel_trigger(r.cancel)
			close(r.goOn)
			<-ended
		}
	}()
	for {
		select {
		case <-ended:
			return
		case event := <-r.events:
			returned = false
			r.trainer.onEvent.Store(r)
			onEvent(event)
			r.trainer.onEvent.Store(nil)
			returned = true
			if ctx.Err() != nil { // the watcher of ctx may be a step late
				C.hmtl_cancel_trigger(r.cancel)
			}
			r.goOn <- struct{}{}
		}
	}
}

// inEvent reports whether the caller is an event function of the trainer: its goroutine has a thread
// for itself, and a training is never used twice.
func (t *Trainer) inEvent() bool {
	run := t.onEvent.Load()
	return run != nil && run.thread == C.hmtl_go_thread() && run == t.onEvent.Load()
}

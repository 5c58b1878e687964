package hmtl

// #include <hmtl.h>
import "C"

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Splits of the data of a task.
const (
	SplitTrain = "train"
	SplitDev   = "dev"
	SplitTest  = "test"
)

// Trainer trains a model: its data, weights, optimizers, schedules and random state.
type Trainer struct {
	handle handle
	// turn is held by the call that changes the trainer, the longest of which is Train.
	turn chan struct{}
	// state is locked while the library may change the trainer; Train unlocks it during events.
	state sync.RWMutex
	// onEvent is the training whose event function runs, if one does.
	onEvent atomic.Pointer[training]
}

// NewTrainer makes a trainer for the run that config describes: model, data, training. A string or a
// []byte is JSON text, other values are encoded as JSON. Paths in it are relative to where the
// process works. The data is read at the first step.
func NewTrainer(config any) (*Trainer, error) {
	var args arguments
	defer args.free()
	cconfig := args.json("config", config)
	if args.err != nil {
		return nil, args.err
	}
	var ptr *C.hmtl_trainer
	err := inSlot(context.Background(), func() error {
		return takeError(C.hmtl_trainer_new(cconfig, &ptr))
	})
	if err != nil {
		return nil, err
	}
	return newTrainer(ptr), nil
}

// ResumeTrainer goes on from the checkpoint in dir, which [Trainer.Save] wrote: what follows is what
// would have followed, bit for bit on the CPU. Data that was added must be added again.
func ResumeTrainer(dir string, opts *ResumeOptions) (*Trainer, error) {
	var args arguments
	defer args.free()
	cdir, copts := args.str("dir", dir), args.options(opts)
	if args.err != nil {
		return nil, args.err
	}
	var ptr *C.hmtl_trainer
	err := inSlot(context.Background(), func() error {
		return takeError(C.hmtl_trainer_resume(cdir, copts, &ptr))
	})
	if err != nil {
		return nil, err
	}
	return newTrainer(ptr), nil
}

func newTrainer(ptr *C.hmtl_trainer) *Trainer {
	t := &Trainer{
		handle: handle{ptr: unsafe.Pointer(ptr), free: func(ptr unsafe.Pointer) {
			C.hmtl_trainer_free((*C.hmtl_trainer)(ptr))
		}},
		turn: make(chan struct{}, 1),
	}
	runtime.SetFinalizer(t, (*Trainer).Close)
	return t
}

// Close waits for the calls that use the trainer, a Train until its end, and frees it. It may be
// called again. It returns nil, or [ErrTraining] from an event function.
func (t *Trainer) Close() error {
	if t.inEvent() {
		return ErrTraining
	}
	t.handle.close()
	runtime.SetFinalizer(t, nil)
	return nil
}

// change makes a call that changes the trainer, when it is its turn.
func (t *Trainer) change(ctx context.Context, call func(*C.hmtl_trainer) error) error {
	ptr, err := t.begin(ctx)
	if err != nil {
		return err
	}
	defer t.end()
	t.state.Lock()
	defer t.state.Unlock()
	return inSlot(ctx, func() error { return call(ptr) })
}

// begin takes the turn, and keeps the trainer from being freed, until end.
func (t *Trainer) begin(ctx context.Context) (*C.hmtl_trainer, error) {
	if t.inEvent() {
		return nil, ErrTraining
	}
	ptr, err := t.handle.acquire()
	if err != nil {
		return nil, err
	}
	if ctx.Err() == nil {
		select {
		case t.turn <- struct{}{}:
			return (*C.hmtl_trainer)(ptr), nil
		case <-ctx.Done():
		}
	}
	t.handle.calls.Done()
	return nil, cancelled(ctx)
}

func (t *Trainer) end() {
	<-t.turn
	t.handle.calls.Done()
}

// read makes a call that leaves the trainer as it is.
func (t *Trainer) read(call func(*C.hmtl_trainer) error) error {
	ptr, err := t.handle.acquire()
	if err != nil {
		return err
	}
	defer t.handle.calls.Done()
	t.state.RLock()
	defer t.state.RUnlock()
	return inSlot(context.Background(), func() error { return call((*C.hmtl_trainer)(ptr)) })
}

// AddDataset gives a task its data for a split. The data set may be closed afterwards. It is an
// error once the run has begun.
func (t *Trainer) AddDataset(task, split string, data *Dataset) error {
	var args arguments
	defer args.free()
	ctask, csplit := args.str("task", task), args.str("split", split)
	if args.err != nil {
		return args.err
	}
	dataset, err := data.handle.acquire()
	if err != nil {
		return err
	}
	defer data.handle.calls.Done()
	return t.change(context.Background(), func(trainer *C.hmtl_trainer) error {
		return takeError(C.hmtl_trainer_add_dataset(trainer, ctask, csplit, (*C.hmtl_dataset)(dataset)))
	})
}

// Step takes one optimization step on the next batch of the schedule. Nothing is scored at the end
// of an epoch.
func (t *Trainer) Step() (*Step, error) { return decode[*Step](t.StepJSON()) }

// StepJSON is [Trainer.Step] as the library writes it.
func (t *Trainer) StepJSON() (step []byte, err error) {
	err = t.change(context.Background(), func(trainer *C.hmtl_trainer) error {
		step, err = takeJSON(func(out **C.char) *C.hmtl_error {
			return C.hmtl_trainer_step(trainer, out)
		})
		return err
	})
	return step, err
}

// Evaluate scores the weights as they stand on the data of a split, by task; tasks that have none
// are not there.
func (t *Trainer) Evaluate(ctx context.Context, split string) (map[string]Score, error) {
	return decode[map[string]Score](t.EvaluateJSON(ctx, split))
}

// EvaluateJSON is [Trainer.Evaluate] as the library writes it.
func (t *Trainer) EvaluateJSON(ctx context.Context, split string) (scores []byte, err error) {
	var args arguments
	defer args.free()
	csplit := args.str("split", split)
	if args.err != nil {
		return nil, args.err
	}
	err = withCancel(ctx, func(cancel *C.hmtl_cancel) error {
		return t.change(ctx, func(trainer *C.hmtl_trainer) error {
			scores, err = takeJSON(func(out **C.char) *C.hmtl_error {
				return C.hmtl_trainer_evaluate(trainer, csplit, cancel, out)
			})
			return err
		})
	})
	return scores, err
}

// Info says where the run stands.
func (t *Trainer) Info() (*TrainerInfo, error) { return decode[*TrainerInfo](t.InfoJSON()) }

// InfoJSON is [Trainer.Info] as the library writes it.
func (t *Trainer) InfoJSON() (info []byte, err error) {
	err = t.read(func(trainer *C.hmtl_trainer) error {
		info, err = takeJSON(func(out **C.char) *C.hmtl_error {
			return C.hmtl_trainer_info(trainer, out)
		})
		return err
	})
	return info, err
}

// Save writes a checkpoint to dir, whole or not at all. It replaces an older checkpoint there, and
// nothing else. Its folder model is a model that [Load] takes, as of [Trainer.Snapshot].
func (t *Trainer) Save(dir string) error {
	var args arguments
	defer args.free()
	cdir := args.str("dir", dir)
	if args.err != nil {
		return args.err
	}
	return t.read(func(trainer *C.hmtl_trainer) error {
		return takeError(C.hmtl_trainer_save(trainer, cdir))
	})
}

// Snapshot copies the weights into a model on the CPU: averaged if the run averages them, and those
// of the best epoch once the run has ended.
func (t *Trainer) Snapshot() (*Model, error) {
	return t.snapshot(func(trainer *C.hmtl_trainer, out **C.hmtl_model) *C.hmtl_error {
		return C.hmtl_trainer_snapshot(trainer, out)
	})
}

// SnapshotBest copies the weights of the epoch with the best dev score of a task into a model; with
// the best mean if task is "". It is an error before the first epoch was scored.
func (t *Trainer) SnapshotBest(task string) (*Model, error) {
	var args arguments
	defer args.free()
	ctask := args.optional("task", task)
	if args.err != nil {
		return nil, args.err
	}
	return t.snapshot(func(trainer *C.hmtl_trainer, out **C.hmtl_model) *C.hmtl_error {
		return C.hmtl_trainer_snapshot_best(trainer, ctask, out)
	})
}

func (t *Trainer) snapshot(call func(*C.hmtl_trainer, **C.hmtl_model) *C.hmtl_error) (*Model, error) {
	var model *C.hmtl_model
	err := t.read(func(trainer *C.hmtl_trainer) error { return takeError(call(trainer, &model)) })
	if err != nil {
		return nil, err
	}
	return newModel(model), nil
}

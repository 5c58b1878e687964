package hmtl

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestCancelFromAnEvent(t *testing.T) {
	whole, part := newTinyTrainer(t, 3), newTinyTrainer(t, 3)
	ctx, cancel := context.WithCancel(background)
	steps := 0
	info, err := part.Train(ctx, func(event Event) {
		if _, ok := event.(*StepEvent); ok {
			if steps++; steps == 5 {
				cancel()
			}
		}
	})
	wasCancelled(t, err, context.Canceled)
	if info != nil || steps != 5 {
		t.Fatalf("%+v after %d steps", info, steps)
	}
	if info := must(part.Info())(t); info.Step != 5 || info.Finished != "" {
		t.Fatalf("info %+v", info)
	}
	got, want := must(part.TrainJSON(background, nil))(t), must(whole.TrainJSON(background, nil))(t)
	if !bytes.Equal(got, want) {
		t.Fatalf("%s\nis not\n%s", got, want)
	}
}

func TestEventFunctionsMayReadTheTrainer(t *testing.T) {
	trainer := newTinyTrainer(t, 1)
	dir := filepath.Join(t.TempDir(), "checkpoint")
	epochs := 0
	must(trainer.Train(background, func(event Event) {
		if info := must(trainer.Info())(t); info.Epochs != 1 {
			t.Errorf("info %+v", info)
		}
		epoch, ok := event.(*EpochEvent)
		if !ok {
			return
		}
		epochs = epoch.Epoch
		check(t, trainer.Save(dir))
		snapshot := must(trainer.Snapshot())(t)
		best := must(trainer.SnapshotBest("ner"))(t)
		for _, m := range []*Model{snapshot, best} {
			must(m.AnnotateBatch(background, []string{"Ada left Oslo", "Bo"}, nil))(t)
			check(t, m.Close())
		}
	}))(t)
	if epochs != 1 {
		t.Fatalf("%d epochs", epochs)
	}
	check(t, must(ResumeTrainer(dir, nil))(t).Close())
}

// Even when all trainings that there is room for have events at once.
func TestEventFunctionsDoNotWaitForEachOther(t *testing.T) {
	var all sync.WaitGroup
	for range cap(slots) + 2 {
		trainer := newTinyTrainer(t, 1)
		all.Add(1)
		go func() {
			defer all.Done()
			_, err := trainer.Train(background, func(Event) {
				time.Sleep(time.Millisecond)
				if _, err := trainer.Info(); err != nil {
					t.Error(err)
				}
			})
			if err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
}

func TestEventFunctionsCannotChangeTheTrainer(t *testing.T) {
	trainer, other := newTinyTrainer(t, 1), newTinyTrainer(t, 1)
	data := must(tinyData())(t)
	defer data.Close()
	must(trainer.Train(background, func(Event) {
		for at, call := range []func() error{
			func() error { _, err := trainer.Step(); return err },
			func() error { _, err := trainer.Train(background, nil); return err },
			func() error { _, err := trainer.Evaluate(background, SplitDev); return err },
			func() error { return trainer.AddDataset("ner", SplitTrain, data) },
			trainer.Close,
		} {
			if err := call(); !errors.Is(err, ErrTraining) {
				t.Errorf("call %d: %v", at, err)
			}
		}
		if _, err := other.Step(); err != nil {
			t.Error(err)
		}
	}))(t)
	must(trainer.Evaluate(background, SplitDev))(t)
}

func TestAPanicInAnEventFunctionComesBack(t *testing.T) {
	for _, at := range []int{1, 4, 100} { // the last is in the "finished" event
		trainer := newTinyTrainer(t, 2)
		func() {
			defer func() {
				if got := recover(); got != "boom" {
					t.Errorf("recovered %v", got)
				}
			}()
			events := 0
			_, err := trainer.Train(background, func(event Event) {
				_, finished := event.(*FinishedEvent)
				if events++; events == at || finished {
					panic("boom")
				}
			})
			t.Errorf("returned %v", err)
		}()
		must(trainer.Info())(t)
		if info := must(trainer.Train(background, nil))(t); info.Epoch != 2 {
			t.Errorf("info %+v", info)
		}
		check(t, trainer.Close())
	}
}

func TestAnEventFunctionMayEndItsGoroutine(t *testing.T) {
	trainer := newTinyTrainer(t, 2)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = trainer.Train(background, func(Event) { runtime.Goexit() }) // as t.FailNow does
		t.Error("returned")
	}()
	<-ended
	if info := must(trainer.Info())(t); info.Step != 1 {
		t.Fatalf("info %+v", info)
	}
}

// Another goroutine can look at a training that would never end.
func TestOthersMayReadTheTrainerMeanwhile(t *testing.T) {
	for name, onEvent := range map[string]func(Event){"no events": nil, "events": func(Event) {}} {
		t.Run(name, func(t *testing.T) {
			trainer := newTinyTrainer(t, 1_000_000)
			ctx, cancel := context.WithCancel(background)
			var all sync.WaitGroup
			for range 3 {
				all.Add(1)
				go func() {
					defer all.Done()
					for step := 0; step < 5; {
						info, err := trainer.Info()
						if err != nil {
							t.Error(err)
							return
						}
						step = info.Step
					}
					m, err := trainer.Snapshot()
					if err != nil {
						t.Error(err)
						return
					}
					m.Close()
				}()
			}
			go func() {
				all.Wait()
				cancel()
			}()
			_, err := trainer.Train(ctx, onEvent)
			wasCancelled(t, err, context.Canceled)
		})
	}
}

func TestChangesTakeTurns(t *testing.T) {
	trainer := newTinyTrainer(t, 100)
	var all sync.WaitGroup
	for range 20 {
		all.Add(1)
		go func() {
			defer all.Done()
			if _, err := trainer.Step(); err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
	if info := must(trainer.Info())(t); info.Step != 20 {
		t.Fatalf("info %+v", info)
	}
}

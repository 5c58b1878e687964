package hmtl

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

func loadNER(t testing.TB) *Model {
	t.Helper()
	return must(Load("", &LoadOptions{Tasks: []string{"ner"}}))(t)
}

func TestClosedObjectsRefuseEveryCall(t *testing.T) {
	m, data, trainer := loadNER(t), must(tinyData())(t), newTinyTrainer(t, 1)
	open := must(tinyData())(t)
	for range 2 {
		check(t, m.Close())
		check(t, data.Close())
		check(t, trainer.Close())
	}
	dir := t.TempDir()
	for at, call := range []func() error{
		func() error { _, err := m.Info(); return err },
		func() error { _, err := m.Annotate(background, "a", nil); return err },
		func() error { _, err := m.AnnotateBatch(background, []string{"a"}, nil); return err },
		func() error { _, err := m.AnnotateTokens(background, []string{"a"}, nil, nil); return err },
		func() error { _, err := m.Evaluate(background, open, nil); return err },
		func() error { _, err := model(t, tiny).Evaluate(background, data, nil); return err },
		func() error { return m.Save(dir, nil) },
		func() error { _, err := data.Info(); return err },
		func() error { _, err := data.Document(0); return err },
		func() error { return data.Write(FormatJSONL, dir) },
		func() error {
			for _, err := range data.All() {
				return err
			}
			return nil
		},
		func() error { return trainer.AddDataset("ner", "train", open) },
		func() error { return newTinyTrainer(t, 1).AddDataset("ner", "train", data) },
		func() error { _, err := trainer.Step(); return err },
		func() error { _, err := trainer.Train(background, nil); return err },
		func() error { _, err := trainer.Evaluate(background, "dev"); return err },
		func() error { _, err := trainer.Info(); return err },
		func() error { return trainer.Save(dir) },
		func() error { _, err := trainer.Snapshot(); return err },
		func() error { _, err := trainer.SnapshotBest(""); return err },
		func() error { _, err := new(Model).Info(); return err },
		func() error { _, err := new(Trainer).Step(); return err },
	} {
		if err := call(); !errors.Is(err, ErrClosed) {
			t.Fatalf("call %d: %v", at, err)
		}
	}
	check(t, new(Model).Close())
	check(t, new(Dataset).Close())
	check(t, new(Trainer).Close())
	if data.Len() != 8 {
		t.Fatalf("%d documents", data.Len())
	}
}

func TestCloseWaitsForCalls(t *testing.T) {
	m := loadNER(t)
	long := strings.Repeat(biography, 500)
	var calls, closes sync.WaitGroup
	begun := make(chan struct{}, 4)
	for range 4 {
		calls.Add(1)
		go func() {
			defer calls.Done()
			for i := 0; ; i++ {
				doc, err := m.Annotate(background, long, nil)
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil || doc.Text != long {
					t.Error(err)
					return
				}
				if i == 0 {
					begun <- struct{}{}
				}
			}
		}()
	}
	<-begun
	for range 3 {
		closes.Add(1)
		go func() {
			defer closes.Done()
			check(t, m.Close())
			if _, err := m.Info(); !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}()
	}
	closes.Wait()
	calls.Wait()
}

func TestCloseWaitsForTraining(t *testing.T) {
	trainer := newTinyTrainer(t, 1_000_000)
	ctx, cancel := context.WithCancel(background)
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var once sync.Once
		_, err := trainer.Train(ctx, func(Event) { once.Do(func() { close(begun) }) })
		wasCancelled(t, err, context.Canceled)
	}()
	<-begun
	time.AfterFunc(20*time.Millisecond, cancel)
	check(t, trainer.Close())
	if ctx.Err() == nil {
		t.Fatal("did not wait")
	}
	<-ended
}

func TestWhatIsUnreachableIsFreed(t *testing.T) {
	freed := make(chan struct{})
	func() {
		data := must(tinyData())(t)
		free := data.handle.free
		data.handle.free = func(ptr unsafe.Pointer) { free(ptr); close(freed) }
	}()
	for range 100 {
		runtime.GC()
		select {
		case <-freed:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("not freed")
}

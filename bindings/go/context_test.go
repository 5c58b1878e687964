package hmtl

import (
	"context"
	"strings"
	"testing"
	"time"
)

// calls that take a context, each long enough to be stopped.
func longCalls(t *testing.T) map[string]func(context.Context) error {
	m := model(t, shipped)
	long := strings.Repeat(biography+" ", 3000)
	data := must(NewDataset(must(model(t, tiny).Annotate(background, long, nil))(t)))(t)
	t.Cleanup(func() { data.Close() })
	trainer := newTinyTrainer(t, 1_000_000)
	return map[string]func(context.Context) error{
		"Annotate": func(ctx context.Context) error { _, err := m.Annotate(ctx, long, nil); return err },
		"AnnotateBatch": func(ctx context.Context) error {
			_, err := m.AnnotateBatch(ctx, []string{long, long}, nil)
			return err
		},
		"Evaluate": func(ctx context.Context) error { _, err := m.Evaluate(ctx, data, nil); return err },
		"Train":    func(ctx context.Context) error { _, err := trainer.Train(ctx, nil); return err },
		"Train with events": func(ctx context.Context) error {
			_, err := trainer.Train(ctx, func(Event) {})
			return err
		},
	}
}

func TestDeadlinesStopCalls(t *testing.T) {
	for name, call := range longCalls(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
			defer cancel()
			start := time.Now()
			wasCancelled(t, call(ctx), context.DeadlineExceeded)
			if took := time.Since(start); took > 20*time.Second {
				t.Fatalf("took %v", took)
			}
		})
	}
}

func TestCancelledContextsBeginNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	cancel()
	calls := longCalls(t)
	calls["AnnotateTokens"] = func(ctx context.Context) error {
		_, err := model(t, tiny).AnnotateTokens(ctx, []string{"Ada"}, nil, nil)
		return err
	}
	trainer := newTinyTrainer(t, 1)
	calls["Trainer.Evaluate"] = func(ctx context.Context) error {
		_, err := trainer.Evaluate(ctx, SplitDev)
		return err
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			wasCancelled(t, call(ctx), context.Canceled)
			if took := time.Since(start); took > time.Second {
				t.Fatalf("took %v", took)
			}
		})
	}
}

func TestContextsEndTheWaitForATurn(t *testing.T) {
	m := model(t, tiny)
	for range cap(slots) {
		slots <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	_, err := m.Annotate(ctx, "Ada", nil)
	for range cap(slots) {
		<-slots
	}
	wasCancelled(t, err, context.DeadlineExceeded)

	trainer := newTinyTrainer(t, 1_000_000)
	running, stop := context.WithCancel(background)
	begun, ended := make(chan struct{}), make(chan error)
	go func() {
		first := true
		_, err := trainer.Train(running, func(Event) {
			if first {
				close(begun)
				first = false
			}
		})
		ended <- err
	}()
	<-begun
	ctx, cancel = context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	_, err = trainer.Evaluate(ctx, SplitDev)
	wasCancelled(t, err, context.DeadlineExceeded)
	stop()
	wasCancelled(t, <-ended, context.Canceled)
}

// A context that is never cancelled, or only after the call, changes no result.
func TestContextsThatAreNotDone(t *testing.T) {
	m := model(t, shipped)
	want := must(m.AnnotateJSON(background, biography, nil))(t)
	for range 20 {
		ctx, cancel := context.WithCancel(background)
		got := must(m.AnnotateJSON(ctx, biography, nil))(t)
		cancel()
		sameButScores(t, got, want)
	}
}

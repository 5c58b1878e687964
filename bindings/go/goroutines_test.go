package hmtl

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
)

func TestGoroutinesShareAModel(t *testing.T) {
	m := model(t, shipped)
	var texts []string
	var want [][]byte
	for i := range 10 {
		texts = append(texts, fmt.Sprintf("Maria visited %d friends in Oslo. She met John Smith of Google.", i))
		want = append(want, must(m.AnnotateJSON(background, texts[i], nil))(t))
	}
	before := processStatus(t, "Threads")
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	most := 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 300 {
		all.Add(1)
		go func() {
			defer all.Done()
			ctx := ctx
			if i%2 == 0 {
				ctx = background // another function of the library
			}
			got, err := m.AnnotateJSON(ctx, texts[i%10], nil)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			sameButScores(t, got, want[i%10])
			most = max(most, processStatus(t, "Threads"))
		}()
	}
	all.Wait()
	if most > before+4*runtime.GOMAXPROCS(0)+8 {
		t.Errorf("%d threads became %d", before, most)
	}
}

func TestMemoryIsFlat(t *testing.T) {
	m := model(t, tiny)
	text := strings.Repeat("Ada left Oslo. ", 60) // 20 KB of JSON
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	resident := func(calls int) int {
		for i := range calls {
			ctx := ctx
			if i%2 == 0 {
				ctx = background
			}
			_ = must(m.AnnotateJSON(ctx, text, nil))(t)
			if i%100 == 0 {
				_, err := m.AnnotateJSON(ctx, "\xff", nil)
				refused(t, err, CodeInvalidArgument, "UTF-8")
			}
		}
		runtime.GC()
		debug.FreeOSMemory()
		return processStatus(t, "VmRSS")
	}
	before := resident(300)
	if after := resident(2500); after > before+20_000 { // what would leak is 50 MB
		t.Errorf("%d kB became %d kB", before, after)
	}
}

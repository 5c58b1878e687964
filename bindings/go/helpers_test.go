package hmtl

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
)

var background = context.Background()

const biography = "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009."

// shipped is the model that ships with the library, loaded once.
var shipped = sync.OnceValues(func() (*Model, error) { return Load("", nil) })

// tiny is a model that knows people and places in a second of training, and is fast.
var tiny = sync.OnceValues(func() (*Model, error) {
	trainer, err := tinyTrainer(12)
	if err != nil {
		return nil, err
	}
	defer trainer.Close()
	if _, err := trainer.Train(background, nil); err != nil {
		return nil, err
	}
	return trainer.Snapshot()
})

func model(t testing.TB, load func() (*Model, error)) *Model {
	t.Helper()
	return must(load())(t)
}

func tinyConfig(epochs int) string {
	return `{"format":1,
		"model":{"format":1,
			"embedding":{"words":{"type":"table","size":12}},
			"encoders":{"low":{"type":"lstm","inputs":["embedding"],"hidden":12,"layers":1}},
			"tasks":{"ner":{"type":"crf_tagger","on":"low"}}},
		"training":{"seed":3,"epochs":` + strconv.Itoa(epochs) + `,"optimizer":{"learning_rate":0.05},
			"tasks":{"ner":{"batch_size":2,"patience":1000}}}}`
}

// tinyTrainer has four steps an epoch.
func tinyTrainer(epochs int) (*Trainer, error) {
	trainer, err := NewTrainer(tinyConfig(epochs))
	if err != nil {
		return nil, err
	}
	data, err := tinyData()
	if err != nil {
		return nil, err
	}
	defer data.Close() // the trainer has its own
	for _, split := range []string{SplitTrain, SplitDev, SplitTest} {
		if err := trainer.AddDataset("ner", split, data); err != nil {
			return nil, err
		}
	}
	return trainer, nil
}

func newTinyTrainer(t testing.TB, epochs int) *Trainer {
	t.Helper()
	trainer := must(tinyTrainer(epochs))(t)
	t.Cleanup(func() { trainer.Close() })
	return trainer
}

func tinyData() (*Dataset, error) {
	var docs []*Document
	for i := range 8 {
		docs = append(docs, goldDocument([]string{"Ada", "Bo", "Cy", "Di"}[i%4], "PER", "left", "", "Oslo", "LOC"))
	}
	return NewDataset(docs...)
}

// goldDocument is one sentence; each word comes with its ner label.
func goldDocument(words ...string) *Document {
	doc := &Document{Tasks: []string{"ner"}}
	for i := 0; i < len(words); i += 2 {
		if i > 0 {
			doc.Text += " "
		}
		start := len(doc.Text)
		doc.Text += words[i]
		doc.Tokens = append(doc.Tokens, Token{start, len(doc.Text)})
		if label := words[i+1]; label != "" {
			doc.Mentions = append(doc.Mentions, Mention{
				Start: start, End: len(doc.Text), FirstToken: i / 2, LastToken: i/2 + 1, Text: words[i],
				Labels: map[string]Label{"ner": {Label: label}},
			})
		}
	}
	doc.Sentences = []Sentence{{0, len(doc.Text), 0, len(doc.Tokens)}}
	return doc
}

// must is for calls that do not fail: must(Load("", nil))(t).
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks the code of an error, and the words in it.
func refused(t testing.TB, err error, code Code, words string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || !errors.Is(err, code) || !strings.Contains(e.Message, words) {
		t.Fatalf("got %v, not %v with %q", err, code, words)
	}
}

// wasCancelled checks the error of a call whose context was done.
func wasCancelled(t testing.TB, err error, reason error) {
	t.Helper()
	if !errors.Is(err, reason) || !errors.Is(err, CodeCancelled) {
		t.Fatalf("got %v, not cancelled because of %v", err, reason)
	}
}

// sameButScores compares JSON whose scores may differ in their rounding.
func sameButScores(t testing.TB, got, want []byte) {
	t.Helper()
	var a, b any
	check(t, json.Unmarshal(got, &a))
	check(t, json.Unmarshal(want, &b))
	if !same(a, b) {
		t.Fatalf("%s\nis not\n%s", got, want)
	}
}

func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for key := range a {
			if !same(a[key], b[key]) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case float64:
		b, ok := b.(float64)
		return ok && a-b < 1e-4 && b-a < 1e-4
	}
	return a == b
}

// processStatus reads a number of /proc/self/status.
func processStatus(t testing.TB, key string) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("needs /proc")
	}
	found := regexp.MustCompile(key + `:\s*(\d+)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no %s in /proc/self/status", key)
	}
	return must(strconv.Atoi(string(found[1])))(t)
}

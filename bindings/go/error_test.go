package hmtl

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestErrorsAreFoundByTheirCode(t *testing.T) {
	_, err := OpenDataset("conll1999", "x", nil)
	refused(t, fmt.Errorf("wrapped: %w", err), CodeInvalidArgument, "conll1999")
	if errors.Is(err, CodeData) || errors.Is(err, ErrClosed) || errors.Unwrap(err) != nil {
		t.Fatalf("%v is more than it should be", err)
	}
	if !strings.HasPrefix(err.Error(), "hmtl: ") {
		t.Fatal(err)
	}
}

func TestCodesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for code := CodeInvalidArgument; code <= CodeInternal; code++ {
		if name := code.String(); seen[name] || strings.Contains(name, "code") || !strings.Contains(code.Error(), name) {
			t.Fatalf("code %d is %q", int(code), name)
		}
		seen[code.String()] = true
	}
	if Code(77).String() != "code 77" {
		t.Fatal(Code(77))
	}
}

func TestEachCallReportsItsMistakes(t *testing.T) {
	m := model(t, tiny)
	data := must(tinyData())(t)
	nowhere := filepath.Join(t.TempDir(), "none", "x")
	if _, err := Load(nowhere, nil); err == nil {
		t.Fatal("loaded nothing")
	}
	_, err := Load("", &LoadOptions{Device: "abacus"})
	refused(t, err, CodeInvalidArgument, "abacus")
	_, err = Load("", &LoadOptions{Tasks: []string{"weather"}})
	refused(t, err, CodeInvalidArgument, "weather")
	_, err = Load("", &LoadOptions{Tasks: []string{}})
	refused(t, err, CodeInvalidArgument, "empty")
	_, err = OpenDataset(FormatCoNLL2003, nowhere, nil)
	refused(t, err, CodeIO, "none")
	_, err = OpenDataset(FormatCoNLL2003, nowhere, &OpenOptions{Raw: json.RawMessage(`{"skip":1}`)})
	refused(t, err, CodeInvalidArgument, "skip")
	_, err = ReadDataset([]byte("{oops"))
	refused(t, err, CodeData, ":1:")
	_, err = NewDataset(nil)
	refused(t, err, CodeInvalidArgument, "document 0 is nil")
	_, err = NewDataset(&Document{Text: "x", Tokens: []Token{{5, 6}}})
	refused(t, err, CodeData, "position 5")
	_, err = data.Document(8)
	refused(t, err, CodeInvalidArgument, "8")
	_, err = data.Document(-1)
	refused(t, err, CodeInvalidArgument, "-1")
	_, err = m.Evaluate(background, data, &EvaluateOptions{Singletons: "some"})
	refused(t, err, CodeInvalidArgument, "some")
	_, err = m.Evaluate(background, data, &EvaluateOptions{Tasks: []string{"weather"}})
	refused(t, err, CodeInvalidArgument, "weather")
	refused(t, m.Save(t.TempDir(), &SaveOptions{Precision: "float8"}), CodeInvalidArgument, "float8")
	refused(t, m.Save("/proc/none/such", nil), CodeIO, "/proc")
	_, err = NewTrainer("{")
	refused(t, err, CodeConfig, "line 1")
	_, err = NewTrainer(map[string]any{"format": 1, "epoch": 2})
	refused(t, err, CodeConfig, "epoch")
	_, err = NewTrainer(func() {})
	refused(t, err, CodeInvalidArgument, "config")
	if _, err = ResumeTrainer(nowhere, nil); err == nil {
		t.Fatal("resumed nothing")
	}
	refused(t, SetNumThreads(0), CodeInvalidArgument, "threads")
	refused(t, SetNumThreads(-1), CodeInvalidArgument, "-1")
	check(t, SetNumThreads(1))
}

func TestStringsThatWouldBeCutAreRefused(t *testing.T) {
	m := model(t, tiny)
	data := must(tinyData())(t)
	trainer := newTinyTrainer(t, 1)
	raw := json.RawMessage("{\"a\":1}\x00")
	for at, call := range []func() error{
		func() error { _, err := Load("x\x00", nil); return err },
		func() error { _, err := Load("", &LoadOptions{Raw: raw}); return err },
		func() error { return m.Save("x\x00y", nil) },
		func() error { return m.Save("x", &SaveOptions{Raw: raw}) },
		func() error { _, err := m.Annotate(background, "", &AnnotateOptions{Raw: raw}); return err },
		func() error { _, err := m.Evaluate(background, data, &EvaluateOptions{Raw: raw}); return err },
		func() error { _, err := OpenDataset("\x00", "x", nil); return err },
		func() error { _, err := OpenDataset("jsonl", "\x00", nil); return err },
		func() error { _, err := OpenDataset("jsonl", "x", &OpenOptions{Raw: raw}); return err },
		func() error { return data.Write("jsonl\x00", "x") },
		func() error { return data.Write("jsonl", "x\x00") },
		func() error { _, err := NewTrainer([]byte("{}\x00")); return err },
		func() error { _, err := ResumeTrainer("x\x00", nil); return err },
		func() error { _, err := ResumeTrainer("x", &ResumeOptions{Raw: raw}); return err },
		func() error { return trainer.AddDataset("ner\x00", "train", data) },
		func() error { return trainer.AddDataset("ner", "train\x00", data) },
		func() error { _, err := trainer.Evaluate(background, "dev\x00"); return err },
		func() error { return trainer.Save("x\x00") },
		func() error { _, err := trainer.SnapshotBest("ner\x00"); return err },
	} {
		err := call()
		if !errors.Is(err, CodeInvalidArgument) || !strings.Contains(err.Error(), "NUL") {
			t.Fatalf("call %d: %v", at, err)
		}
	}
}

func TestTheLibraryIsTheHeaderS(t *testing.T) {
	build := must(BuildInfo())(t)
	if ABIVersion() != HeaderABI || build.ABI != HeaderABI || build.Version != Version() || Version() == "" {
		t.Fatalf("header %d, library %d, build %+v", HeaderABI, ABIVersion(), build)
	}
	if devices := must(Devices())(t); devices[0].Name != "cpu" {
		t.Fatalf("devices %+v", devices)
	}
}

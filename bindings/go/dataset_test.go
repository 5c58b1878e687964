package hmtl

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestDatasetsGiveTheirDocumentsBack(t *testing.T) {
	gold := goldDocument("Ada", "PER", "met", "", "Bo", "PER")
	gold.ID = "one"
	gold.Tasks = append(gold.Tasks, "coref", "knows")
	zero := 0
	for i := range gold.Mentions {
		gold.Mentions[i].Cluster = &zero
	}
	gold.Clusters = []Cluster{{Mentions: []int{0, 1}}}
	gold.Relations = []Relation{{Task: "knows", Label: "met", Head: 0, Tail: 1}}
	gold.Covered = map[string][]string{"ner": {"PER"}}
	data := must(NewDataset(gold, &Document{}))(t)
	defer data.Close()
	got := must(data.Document(0))(t)
	if got.Format != 1 || got.Offsets != OffsetsByte {
		t.Fatalf("got %+v", got)
	}
	got.Format, got.Offsets = 0, ""
	if !reflect.DeepEqual(got, gold) {
		t.Fatalf("got %+v, not %+v", got, gold)
	}
	info := must(data.Info())(t)
	if data.Len() != 2 || info.Documents != 2 || info.Labels["ner"]["PER"] != 2 || info.Relations["knows"]["met"] != 1 {
		t.Fatalf("info %+v", info)
	}
}

func TestAllGoesOverTheDocuments(t *testing.T) {
	data := must(tinyData())(t)
	count := 0
	for doc, err := range data.All() {
		check(t, err)
		if doc.Mentions[1].Text != "Oslo" {
			t.Fatalf("got %+v", doc)
		}
		count++
	}
	if count != 8 {
		t.Fatalf("%d documents", count)
	}
	for doc, err := range data.All() {
		if doc == nil {
			if !errors.Is(err, ErrClosed) {
				t.Fatal(err)
			}
			return
		}
		data.Close()
	}
	t.Fatal("no end")
}

func TestDatasetsAreReadAndWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.conll")
	check(t, os.WriteFile(path, []byte("Ada B-PER\nleft O\nOslo B-LOC\n\nBroken\n"), 0o600))
	_, err := OpenDataset(FormatCoNLL2003, path, nil)
	refused(t, err, CodeData, ":5")
	column := 1
	data := must(OpenDataset(FormatCoNLL2003, path, &OpenOptions{SkipInvalid: true, TagColumn: &column}))(t)
	defer data.Close()
	if info := must(data.Info())(t); info.Skipped != 1 || info.Labels["ner"]["LOC"] != 1 {
		t.Fatalf("info %+v", info)
	}
	path = filepath.Join(t.TempDir(), "data.jsonl")
	check(t, data.Write(FormatJSONL, path))
	again := must(OpenDataset(FormatJSONL, path, nil))(t)
	defer again.Close()
	if a, b := must(data.Document(0))(t), must(again.Document(0))(t); !reflect.DeepEqual(a, b) {
		t.Fatalf("%+v became %+v", a, b)
	}
	if err := data.Write("gum", path); err == nil {
		t.Fatal("wrote a format that is only read")
	}
}

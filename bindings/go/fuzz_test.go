package hmtl

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"format":1,"offsets":"byte","tasks":["ner"],"text":"Ada met Bo.","sentences":[{"start":0,"end":11,"first_token":0,"last_token":4}],
		"tokens":[{"start":0,"end":3}],"mentions":[{"start":0,"end":3,"first_token":0,"last_token":1,"text":"Ada","labels":{"ner":{"label":"PER","score":0.9}},"cluster":0}],
		"relations":[{"task":"relation","label":"knows","head":0,"tail":1,"score":0.8}],"clusters":[{"mentions":[0,2]}]}`))
	f.Add([]byte(`{"mentions":[{"cluster":-1,"labels":null}],"relations":[{"head":-1,"tail":9}],"clusters":[{"mentions":[-3]}]}`))
	f.Add([]byte(`{"mentions":null}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := decode[*Document](data, nil)
		if err != nil || doc == nil {
			return
		}
		for mention, label := range doc.Labelled("ner") {
			_, _ = mention.Text, label.Label
		}
		for _, relation := range doc.Relations {
			if head, tail := doc.Arguments(relation); head == nil || tail == nil {
				t.Fatal("nil")
			}
		}
		for i := range doc.Mentions {
			doc.Coreferent(&doc.Mentions[i])
		}
		for _, cluster := range doc.Clusters {
			doc.ClusterMentions(cluster)
		}
		written, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		again := must(decode[*Document](written, nil))(t)
		if rewritten := must(json.Marshal(again))(t); string(rewritten) != string(written) {
			t.Fatalf("%s became %s", written, rewritten)
		}
	})
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"event":"step","step":3,"steps":50,"epoch":1,"total":3,"task":"ner","loss":1.7,"learning_rate":0.001}`))
	f.Add([]byte(`{"event":"evaluated","task":"ner","split":"dev","score":0.81,"details":{"micro":{"f1":0.8},"labels":{"PER":{}}}}`))
	f.Add([]byte(`{"event":"epoch","epoch":1,"tasks":{"ner":{"steps":50,"loss":1.2,"details":{"muc":{"f1":1}}}}}`))
	f.Add([]byte(`{"event":"finished","reason":"epochs","test":{"ner":{"score":0.8,"details":{"strict":{}}}}}`))
	f.Add([]byte(`{"event":"evaluating"}`))
	f.Add([]byte(`{"event":7}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		event, err := ParseEvent(data)
		if (err == nil) != (event != nil) {
			t.Fatal(event, err)
		}
	})
}

func FuzzMetrics(f *testing.F) {
	f.Add([]byte(`{"ner":{"task":"ner","score":0.81,"documents":50,"layer":"ner","unknown_labels":{},"absent_labels":[],"details":{"micro":{"gold":3}}}}`))
	f.Add([]byte(`{"coref":{"details":{"muc":null}}}`))
	f.Add([]byte(`{"relation":{"details":{"strict":{"f1":1},"micro":{}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		metrics, err := decode[Metrics](data, nil)
		if err != nil {
			return
		}
		written := must(json.Marshal(metrics))(t)
		again := must(decode[Metrics](written, nil))(t)
		if rewritten := must(json.Marshal(again))(t); string(rewritten) != string(written) {
			t.Fatalf("%s became %s", written, rewritten)
		}
	})
}

// FuzzAnnotate: every text of valid UTF-8 is annotated, and comes back as it was.
func FuzzAnnotate(f *testing.F) {
	m := model(f, tiny)
	for _, text := range []string{"", "Ada left Oslo.", "a\x00b", "\xff", "Zoë 👩‍🚀\u2028\r\n\t\u202e東", "\ufeff", "e\u0301\u0301"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := m.Annotate(background, text, nil)
		if !utf8.ValidString(text) {
			refused(t, err, CodeInvalidArgument, "UTF-8")
			return
		}
		if err != nil || doc.Text != text {
			t.Fatalf("%q: %v, %v", text, doc, err)
		}
		for _, mention := range doc.Mentions {
			if text[mention.Start:mention.End] != mention.Text {
				t.Fatalf("%q: %+v", text, mention)
			}
		}
	})
}

// FuzzReadDataset: what is read is JSON Lines that the structs can write again.
func FuzzReadDataset(f *testing.F) {
	f.Add([]byte(`{"text":"Ada","sentences":[{"start":0,"end":3,"first_token":0,"last_token":1}],"tokens":[{"start":0,"end":3}]}`))
	f.Add([]byte("\n{}\n"))
	f.Add([]byte("\xff"))
	f.Fuzz(func(t *testing.T, jsonl []byte) {
		data, err := ReadDataset(jsonl)
		if err != nil {
			if !errors.Is(err, CodeData) && !errors.Is(err, CodeInvalidArgument) {
				t.Fatal(err)
			}
			return
		}
		defer data.Close()
		var docs []*Document
		for doc, err := range data.All() {
			check(t, err)
			docs = append(docs, doc)
		}
		again := must(NewDataset(docs...))(t)
		defer again.Close()
		if again.Len() != data.Len() {
			t.Fatalf("%d documents became %d", data.Len(), again.Len())
		}
	})
}

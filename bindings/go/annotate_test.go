package hmtl

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestAnnotateFindsAllKinds(t *testing.T) {
	doc := must(model(t, shipped).Annotate(background, biography, nil))(t)
	if doc.Format != 1 || doc.Offsets != OffsetsByte || doc.Text != biography || len(doc.Sentences) != 2 {
		t.Fatalf("got %+v", doc)
	}
	if !slices.Equal(doc.Tasks, []string{"ner", "emd", "relation", "coref"}) {
		t.Fatalf("tasks %v", doc.Tasks)
	}
	names := map[string]string{}
	for mention, label := range doc.Labelled("ner") {
		if doc.Text[mention.Start:mention.End] != mention.Text || label.Score <= 0 || label.Score > 1 {
			t.Fatalf("%+v is %+v", mention, label)
		}
		names[mention.Text] = label.Label
	}
	if names["Ingrid Solberg"] != "PER" || names["Norway"] != "LOC" {
		t.Fatalf("names %v", names)
	}
	if len(doc.Relations) == 0 || len(doc.Clusters) == 0 {
		t.Fatalf("%d relations, %d clusters", len(doc.Relations), len(doc.Clusters))
	}
	head, tail := doc.Arguments(doc.Relations[0])
	if head.Text == "" || tail.Text == "" {
		t.Fatalf("%+v between %+v and %+v", doc.Relations[0], head, tail)
	}
	cluster := doc.ClusterMentions(doc.Clusters[0])
	if !slices.Equal(doc.Coreferent(cluster[0]), cluster) || cluster[0] != &doc.Mentions[doc.Clusters[0].Mentions[0]] {
		t.Fatalf("cluster %+v", cluster)
	}
}

func TestLabelledMayBreak(t *testing.T) {
	doc := goldDocument("Ada", "PER", "Bo", "PER")
	for mention := range doc.Labelled("ner") {
		if mention.Text != "Ada" {
			t.Fatal(mention)
		}
		break
	}
	if doc.Coreferent(&doc.Mentions[0]) != nil {
		t.Fatal("a cluster")
	}
}

func TestAnnotateTakesAnyText(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	m := model(t, tiny)
	long := strings.Repeat("Ada left Oslo. ", 2000)
	for _, text := range []string{"", " \t\r\n", "\x00", "Ada\x00Bo left\x00.", "Zoë 👩‍🚀 — 東京", "\ufeff", long} {
		doc := must(m.Annotate(background, text, nil))(t)
		if doc.Text != text {
			t.Fatalf("%q became %q", text, doc.Text)
		}
		batched := must(m.AnnotateJSON(ctx, text, nil))(t)
		sameButScores(t, batched, must(m.AnnotateJSON(background, text, nil))(t))
	}
	if doc := must(m.Annotate(background, "", nil))(t); len(doc.Tokens)+len(doc.Sentences) != 0 {
		t.Fatalf("got %+v", doc)
	}
	for _, ctx := range []context.Context{background, ctx} {
		_, err := m.Annotate(ctx, "Ada\xff", nil)
		refused(t, err, CodeInvalidArgument, "UTF-8 at byte 3")
	}
}

func TestAnnotateOptions(t *testing.T) {
	m := model(t, shipped)
	doc := must(m.Annotate(background, "Zoë met José in Oslo.", &AnnotateOptions{
		Tasks: []string{"ner"}, Offsets: OffsetsChar, MinScore: 0.5,
	}))(t)
	last := doc.Mentions[len(doc.Mentions)-1]
	if !slices.Equal(doc.Tasks, []string{"ner"}) || string([]rune(doc.Text)[last.Start:last.End]) != "Oslo" {
		t.Fatalf("got %+v", doc)
	}
	none := must(m.Annotate(background, biography, &AnnotateOptions{Tasks: []string{}}))(t)
	if len(none.Tasks) != 0 || len(none.Mentions) != 0 || len(none.Tokens) == 0 {
		t.Fatalf("got %+v", none)
	}
	all := must(m.AnnotateJSON(background, biography, &AnnotateOptions{}))(t)
	sameButScores(t, all, must(m.AnnotateJSON(background, biography, nil))(t))
	single := must(m.Annotate(background, biography, &AnnotateOptions{Singletons: true}))(t)
	if len(single.Clusters) <= 1 {
		t.Fatalf("%d clusters", len(single.Clusters))
	}
	demo := string(must(os.ReadFile("../../examples/demo.txt"))(t))
	labels := func(independent bool) (found []string) {
		options := &AnnotateOptions{Tasks: []string{"emd"}, Independent: independent}
		for _, mention := range must(m.Annotate(background, demo, options))(t).Mentions {
			found = append(found, mention.Labels["emd"].Label)
		}
		return found
	}
	if agreed, independent := labels(false), labels(true); len(agreed) == 0 || slices.Equal(agreed, independent) {
		t.Fatalf("got %v and %v", agreed, independent)
	}
	for options, words := range map[*AnnotateOptions]string{
		{Tasks: []string{"weather"}}:                     "weather",
		{MinScore: 2}:                                    "min_score",
		{Offsets: "line"}:                                "line",
		{Raw: json.RawMessage(`{"task":["ner"]}`)}:       "task",
		{Raw: json.RawMessage(`[]`)}:                     "object",
		{Raw: json.RawMessage("{}\x00")}:                 "NUL",
		{MinScore: 0.5, Raw: json.RawMessage(`{"a":1}`)}: "`a`",
	} {
		_, err := m.Annotate(background, biography, options)
		refused(t, err, CodeInvalidArgument, words)
	}
}

func TestAnnotateBatchKeepsTheOrder(t *testing.T) {
	m := model(t, shipped)
	texts := []string{biography, "", "Ada left Oslo.", "\x00"}
	docs := must(m.AnnotateBatch(background, texts, nil))(t)
	for i, doc := range docs {
		if doc.Text != texts[i] {
			t.Fatalf("document %d is %q", i, doc.Text)
		}
	}
	if docs := must(m.AnnotateBatch(background, nil, nil))(t); len(docs) != 0 {
		t.Fatalf("%d documents", len(docs))
	}
	_, err := m.AnnotateBatch(background, []string{"Ada", "\xc3"}, nil)
	refused(t, err, CodeInvalidArgument, "texts[1]")
}

func TestAnnotateTokens(t *testing.T) {
	m := model(t, tiny)
	tokens := []string{"Ada", "left", "Oslo", "Bo", "left"}
	doc := must(m.AnnotateTokens(background, tokens, []int{3, 5}, nil))(t)
	if doc.Text != "Ada left Oslo\nBo left" || len(doc.Sentences) != 2 || len(doc.Tokens) != 5 {
		t.Fatalf("got %+v", doc)
	}
	if doc := must(m.AnnotateTokens(background, tokens, nil, nil))(t); len(doc.Sentences) != 1 {
		t.Fatalf("%d sentences", len(doc.Sentences))
	}
	if doc := must(m.AnnotateTokens(background, nil, []int{}, nil))(t); len(doc.Sentences) != 0 {
		t.Fatalf("%d sentences", len(doc.Sentences))
	}
	for words, ends := range map[string][]int{
		"sentence_ends stop at 0 of 5": {},
		"sentence_ends stop at 3 of 5": {3},
		"sentence_ends[1] is 2":        {3, 2},
		"sentenceEnds[0] is -1":        {-1, 5},
	} {
		_, err := m.AnnotateTokens(background, tokens, ends, nil)
		refused(t, err, CodeInvalidArgument, words)
	}
	_, err := m.AnnotateTokens(background, []string{"Ada", ""}, nil, nil)
	refused(t, err, CodeInvalidArgument, "tokens[1] is empty")
}

func TestDocumentsYieldsOneForEachText(t *testing.T) {
	m := model(t, tiny)
	var texts []string
	for i := range 2*batchTexts + 10 {
		texts = append(texts, strings.Repeat("Ada left Oslo. ", i%5))
	}
	texts[70] = "\xff" // an error of its own
	at := 0
	for doc, err := range m.Documents(background, slices.Values(texts), nil) {
		if at == 70 {
			refused(t, err, CodeInvalidArgument, "UTF-8")
		} else if err != nil || doc.Text != texts[at] {
			t.Fatalf("%d: %v, %v", at, doc, err)
		}
		at++
	}
	if at != len(texts) {
		t.Fatalf("%d documents of %d texts", at, len(texts))
	}
}

func TestDocumentsReadsNoFurtherThanItsBatch(t *testing.T) {
	read, ended := 0, false
	endless := iter.Seq[string](func(yield func(string) bool) {
		defer func() { ended = true }()
		for yield("Ada left Oslo.") {
			read++
		}
	})
	for doc, err := range model(t, tiny).Documents(background, endless, nil) {
		if err != nil || len(doc.Tokens) != 4 {
			t.Fatal(doc, err)
		}
		break
	}
	if read >= batchTexts || !ended {
		t.Fatalf("read %d texts; ended: %v", read, ended)
	}
	long, read := strings.Repeat("Ada left Oslo. ", batchBytes/15+1), 0
	for range model(t, tiny).Documents(background, func(yield func(string) bool) {
		for yield(long) {
			read++
		}
	}, &AnnotateOptions{Tasks: []string{}}) {
		break
	}
	if read != 0 {
		t.Fatalf("read %d long texts too many", read)
	}
}

func TestDocumentsEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	endless := iter.Seq[string](func(yield func(string) bool) {
		for yield("Ada left Oslo.") {
		}
	})
	documents := 0
	var last error
	for doc, err := range model(t, tiny).Documents(ctx, endless, nil) {
		last = err
		if doc != nil {
			if documents++; documents == 100 {
				cancel()
			}
		}
	}
	wasCancelled(t, last, context.Canceled)
	if documents != 2*batchTexts {
		t.Fatalf("%d documents", documents)
	}
	closed := must(Load("", &LoadOptions{Tasks: []string{"ner"}}))(t)
	closed.Close()
	count := 0
	for _, err := range closed.Documents(background, endless, nil) {
		if !errors.Is(err, ErrClosed) {
			t.Fatal(err)
		}
		count++
	}
	if count != 1 {
		t.Fatalf("%d errors", count)
	}
}

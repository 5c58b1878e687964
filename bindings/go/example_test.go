package hmtl_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hmtl/hmtl/bindings/go"
)

func Example() {
	model, err := hmtl.Load("", nil) // the model that ships with the library
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	text := "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009."
	doc, err := model.Annotate(context.Background(), text, nil)
	if err != nil {
		log.Fatal(err)
	}
	for mention, label := range doc.Labelled("ner") {
		fmt.Println(label.Label, mention.Text)
	}
	for _, cluster := range doc.Clusters {
		for _, mention := range doc.ClusterMentions(cluster) {
			fmt.Printf("<%s>", mention.Text)
		}
		fmt.Println()
	}
	// Output:
	// PER Ingrid Solberg
	// LOC Bergen
	// LOC Norway
	// ORG University of Oslo
	// TIME 2009
	// <Ingrid Solberg><She>
}

func ExampleModel_Annotate_relations() {
	model, err := hmtl.Load("", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	doc, err := model.Annotate(context.Background(), "Ingrid Solberg was born in Bergen, Norway.",
		&hmtl.AnnotateOptions{Tasks: []string{"ner", "relation"}, MinScore: 0.5})
	if err != nil {
		log.Fatal(err)
	}
	for _, relation := range doc.Relations {
		head, tail := doc.Arguments(relation)
		if head.Text == "Ingrid Solberg" {
			fmt.Println(relation.Label, tail.Text)
		}
	}
	// Output:
	// place_of_birth Bergen
	// place_of_birth Norway
}

func ExampleModel_AnnotateBatch() {
	model, err := hmtl.Load("", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	texts := []string{"Maria lives in Lisbon.", "John Smith works for Google."}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	docs, err := model.AnnotateBatch(ctx, texts, &hmtl.AnnotateOptions{Tasks: []string{"ner"}})
	if err != nil {
		log.Fatal(err)
	}
	for i, doc := range docs {
		fmt.Println(i, len(doc.Mentions), "names")
	}

	ctx, cancel = context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err = model.AnnotateBatch(ctx, slices.Repeat(texts, 10_000), nil)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// 0 2 names
	// 1 2 names
	// true
}

func ExampleModel_Documents() {
	model, err := hmtl.Load("", &hmtl.LoadOptions{Tasks: []string{"ner"}})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	texts := slices.Values([]string{"Maria lives in Lisbon.", "John Smith works for Google."})
	for doc, err := range model.Documents(context.Background(), texts, nil) {
		if err != nil {
			log.Fatal(err)
		}
		for _, label := range doc.Labelled("ner") {
			fmt.Print(label.Label, " ")
		}
	}
	// Output: PER LOC PER ORG
}

func ExampleModel_AnnotateTokens() {
	model, err := hmtl.Load("", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	tokens := []string{"Maria", "lives", "in", "Lisbon", ".", "She", "is", "a", "nurse", "."}
	doc, err := model.AnnotateTokens(context.Background(), tokens, []int{5, 10}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for mention, label := range doc.Labelled("ner") {
		fmt.Println(label.Label, tokens[mention.FirstToken:mention.LastToken])
	}
	// Output:
	// PER [Maria]
	// LOC [Lisbon]
}

func ExampleTrainer_Train() {
	trainer, err := hmtl.NewTrainer(`{
		"format": 1,
		"model": {
			"format": 1,
			"embedding": {"words": {"type": "table", "size": 12}},
			"encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 12, "layers": 1}},
			"tasks": {"ner": {"type": "crf_tagger", "on": "low"}}
		},
		"training": {
			"seed": 3, "epochs": 12, "optimizer": {"learning_rate": 0.05},
			"tasks": {"ner": {"batch_size": 2}}
		}
	}`)
	if err != nil {
		log.Fatal(err)
	}
	defer trainer.Close()
	gold, err := hmtl.NewDataset(
		labelled("ner", "Ada/PER left Oslo/LOC"), labelled("ner", "Bo/PER saw Rome/LOC"),
		labelled("ner", "Cy/PER left Rome/LOC"), labelled("ner", "Di/PER saw Oslo/LOC"),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer gold.Close()
	for _, split := range []string{hmtl.SplitTrain, hmtl.SplitDev} { // a real run has other data for dev
		if err := trainer.AddDataset("ner", split, gold); err != nil {
			log.Fatal(err)
		}
	}
	_, err = trainer.Train(context.Background(), func(event hmtl.Event) {
		switch event := event.(type) {
		case *hmtl.FinishedEvent:
			fmt.Println("finished after", event.Steps, "steps")
		}
	})
	if err != nil {
		log.Fatal(err)
	}

	model, err := trainer.Snapshot()
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	dir, err := os.MkdirTemp("", "hmtl")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := model.Save(filepath.Join(dir, "names"), nil); err != nil {
		log.Fatal(err)
	}
	doc, err := model.Annotate(context.Background(), "Ada saw Rome", nil)
	if err != nil {
		log.Fatal(err)
	}
	for mention, label := range doc.Labelled("ner") {
		fmt.Println(label.Label, mention.Text)
	}
	// Output:
	// finished after 24 steps
	// PER Ada
	// LOC Rome
}

// A model that is there learns a new task, and keeps what it knows.
func ExampleNewTrainer_fineTune() {
	dir, err := os.MkdirTemp("", "hmtl")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	shipped, err := hmtl.Load("", &hmtl.LoadOptions{Tasks: []string{"ner"}})
	if err != nil {
		log.Fatal(err)
	}
	defer shipped.Close()
	if err := shipped.Save(dir, nil); err != nil {
		log.Fatal(err)
	}
	type object = map[string]any
	trainer, err := hmtl.NewTrainer(object{
		"format": 1,
		"start":  dir,
		"model":  object{"tasks": object{"kitchen": object{"type": "crf_tagger", "on": "low"}}},
		"training": object{
			"seed": 1, "epochs": 15, "optimizer": object{"learning_rate": 0.01},
			"freeze": []string{"embedding", "encoders.low"},
			"tasks":  object{"kitchen": object{"batch_size": 2}},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer trainer.Close()
	gold, err := hmtl.NewDataset(
		labelled("kitchen", "Melt the butter/FOOD in a pan/TOOL ."),
		labelled("kitchen", "Cut the onion/FOOD with a knife/TOOL ."),
		labelled("kitchen", "Pour the milk/FOOD into a bowl/TOOL ."),
		labelled("kitchen", "Anna put the bread/FOOD on the table ."),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer gold.Close()
	if err := trainer.AddDataset("kitchen", hmtl.SplitTrain, gold); err != nil {
		log.Fatal(err)
	}
	if _, err := trainer.Train(context.Background(), nil); err != nil {
		log.Fatal(err)
	}
	model, err := trainer.Snapshot()
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	doc, err := model.Annotate(context.Background(), "Maria put the butter in a bowl.", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, task := range doc.Tasks {
		for mention, label := range doc.Labelled(task) {
			fmt.Println(task, label.Label, mention.Text)
		}
	}
	// Output:
	// ner PER Maria
	// kitchen FOOD butter
	// kitchen TOOL bowl
}

// labelled makes a gold document of one sentence, such as "Ada/PER left Oslo/LOC".
func labelled(task, sentence string) *hmtl.Document {
	doc := &hmtl.Document{Tasks: []string{task}}
	for i, word := range strings.Fields(sentence) {
		if i > 0 {
			doc.Text += " "
		}
		word, label, found := strings.Cut(word, "/")
		start := len(doc.Text)
		doc.Text += word
		doc.Tokens = append(doc.Tokens, hmtl.Token{Start: start, End: len(doc.Text)})
		if found {
			doc.Mentions = append(doc.Mentions, hmtl.Mention{
				Start: start, End: len(doc.Text), FirstToken: i, LastToken: i + 1, Text: word,
				Labels: map[string]hmtl.Label{task: {Label: label}},
			})
		}
	}
	doc.Sentences = []hmtl.Sentence{{End: len(doc.Text), LastToken: len(doc.Tokens)}}
	return doc
}

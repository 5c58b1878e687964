// Train trains a model on data that it makes in memory, and saves it.
//
//	train MODEL_DIRECTORY
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"

	"github.com/hmtl/hmtl/bindings/go"
)

const config = `{
	"format": 1,
	"model": {
		"format": 1,
		"embedding": {
			"words": {"type": "table", "size": 16},
			"chars": {"type": "cnn", "size": 8, "filters": 16, "widths": [3]}
		},
		"encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 24, "layers": 1}},
		"tasks": {"ner": {"type": "crf_tagger", "on": "low"}}
	},
	"vocabulary": {"min_count": 1},
	"training": {
		"seed": 1, "epochs": 8, "optimizer": {"learning_rate": 0.01},
		"tasks": {"ner": {"batch_size": 4}}
	},
	"card": {"name": "travels", "language": "en"}
}`

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: train MODEL_DIRECTORY")
	}
	if err := train(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func train(dir string) error {
	trainer, err := hmtl.NewTrainer(config)
	if err != nil {
		return err
	}
	defer trainer.Close()
	people := []string{"Ada", "Bo", "Cy", "Dina", "Eve", "Finn"}
	places := []string{"Oslo", "Rome", "Lima", "Paris", "Cairo"}
	if err := add(trainer, hmtl.SplitTrain, people[:5], places[:4]); err != nil {
		return err
	}
	if err := add(trainer, hmtl.SplitDev, people[4:], places[3:]); err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	_, err = trainer.Train(ctx, func(event hmtl.Event) {
		if epoch, ok := event.(*hmtl.EpochEvent); ok {
			fmt.Printf("epoch %d: loss %.3f, dev F1 %.3f\n", epoch.Epoch, *epoch.Tasks["ner"].Loss, epoch.Mean)
		}
	})
	if err != nil {
		return err
	}

	model, err := trainer.Snapshot() // of the best epoch
	if err != nil {
		return err
	}
	defer model.Close()
	if err := model.Save(dir, nil); err != nil {
		return err
	}
	doc, err := model.Annotate(ctx, "Finn flew from Lima to Cairo.", nil)
	if err != nil {
		return err
	}
	for mention, label := range doc.Labelled("ner") {
		fmt.Println(label.Label, mention.Text)
	}
	return nil
}

// add gives the trainer a journey of each person to each place.
func add(trainer *hmtl.Trainer, split string, people, places []string) error {
	var gold []*hmtl.Document
	for _, person := range people {
		for i, place := range places {
			from := places[(i+1)%len(places)]
			gold = append(gold,
				labelled(person+"/PER flew from "+from+"/LOC to "+place+"/LOC ."),
				labelled("In "+place+"/LOC , "+person+"/PER bought a hat ."))
		}
	}
	data, err := hmtl.NewDataset(gold...)
	if err != nil {
		return err
	}
	defer data.Close() // the trainer keeps what it needs
	return trainer.AddDataset("ner", split, data)
}

// labelled makes a document of one sentence, such as "Ada/PER left Oslo/LOC".
func labelled(sentence string) *hmtl.Document {
	doc := &hmtl.Document{Tasks: []string{"ner"}}
	for i, word := range strings.Fields(sentence) {
		if i > 0 {
			doc.Text += " "
		}
		word, label, found := strings.Cut(word, "/")
		token := hmtl.Token{Start: len(doc.Text), End: len(doc.Text) + len(word)}
		doc.Text += word
		doc.Tokens = append(doc.Tokens, token)
		if found {
			doc.Mentions = append(doc.Mentions, hmtl.Mention{
				Start: token.Start, End: token.End, FirstToken: i, LastToken: i + 1, Text: word,
				Labels: map[string]hmtl.Label{"ner": {Label: label}},
			})
		}
	}
	doc.Sentences = []hmtl.Sentence{{End: len(doc.Text), LastToken: len(doc.Tokens)}}
	return doc
}

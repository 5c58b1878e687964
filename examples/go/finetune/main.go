// Finetune teaches a model the labels FOOD and TOOL from a handful of sentences. The model keeps
// what it knows: its parameters are frozen, and the new task has an encoder of its own above them.
//
//	finetune [MODEL_DIRECTORY [NEW_MODEL_DIRECTORY]]
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/hmtl/hmtl/bindings/go"
)

const task = "kitchen"

var sentences = []string{
	"Melt the [butter/FOOD] in a [heavy saucepan/TOOL] over low heat.",
	"Slice the [onions/FOOD] thinly with a [sharp knife/TOOL].",
	"Stir in the [flour/FOOD] with a [wooden spoon/TOOL].",
	"Pour the [beef stock/FOOD] over the [onions/FOOD] and wait.",
	"Season with [salt/FOOD] and a little [black pepper/FOOD].",
	"My grandmother in Palermo never used [cream/FOOD].",
	"Whisk the [eggs/FOOD] and the [milk/FOOD] in a [bowl/TOOL].",
	"Drain the [rice/FOOD] in a [sieve/TOOL], says Anna Berg.",
	"Cut the [bacon/FOOD] into small cubes with [scissors/TOOL].",
	"She learned it in Lyon, from Paul, in the summer of 2009.",
	"Beat the [cream/FOOD] with a [whisk/TOOL] until it is stiff.",
	"Fry the [garlic/FOOD] in [olive oil/FOOD] in a [large pan/TOOL].",
}

func main() {
	log.SetFlags(0)
	args := append(os.Args[1:], "", "")
	if err := finetune(args[0], args[1]); err != nil {
		log.Fatal(err)
	}
}

func finetune(dir, newDir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	scratch, err := os.MkdirTemp("", "finetune")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	old, err := hmtl.Load(dir, nil)
	if err != nil {
		return err
	}
	defer old.Close()
	if dir == "" { // a run starts from a directory: give the model that ships one
		dir = filepath.Join(scratch, "shipped")
		if err := old.Save(dir, nil); err != nil {
			return err
		}
	}

	trainer, err := hmtl.NewTrainer(config(dir))
	if err != nil {
		return err
	}
	defer trainer.Close()
	var gold []*hmtl.Document
	for _, sentence := range sentences {
		doc, err := labelled(ctx, old, sentence)
		if err != nil {
			return err
		}
		gold = append(gold, doc)
	}
	data, err := hmtl.NewDataset(gold...)
	if err != nil {
		return err
	}
	defer data.Close()
	if err := trainer.AddDataset(task, hmtl.SplitTrain, data); err != nil {
		return err
	}
	_, err = trainer.Train(ctx, func(event hmtl.Event) {
		if epoch, ok := event.(*hmtl.EpochEvent); ok && epoch.Epoch%5 == 0 {
			fmt.Printf("epoch %d: loss %.3f\n", epoch.Epoch, *epoch.Tasks[task].Loss)
		}
	})
	if err != nil {
		return err
	}

	model, err := trainer.Snapshot()
	if err != nil {
		return err
	}
	defer model.Close()
	doc, err := model.Annotate(ctx, "Maria Silva fried the onions and the bacon in a large saucepan in Lisbon.",
		&hmtl.AnnotateOptions{Tasks: []string{"ner", task}})
	if err != nil {
		return err
	}
	for _, name := range doc.Tasks {
		for mention, label := range doc.Labelled(name) {
			fmt.Printf("%s\t%s\t%s\n", name, label.Label, mention.Text)
		}
	}
	if newDir == "" {
		return nil
	}
	return model.Save(newDir, nil)
}

// config describes the run: what the model at start is not told to change, it keeps.
func config(start string) any {
	type object = map[string]any
	return object{
		"format": 1,
		"start":  start,
		"model": object{
			"encoders": object{"own": object{
				"type": "lstm", "inputs": []string{"embedding", "low", "mid"}, "hidden": 50, "layers": 1,
			}},
			"tasks": object{task: object{
				"type": "crf_tagger", "on": "own", "input_dropout": 0.3, "dropout": 0.3,
			}},
		},
		"training": object{
			"seed": 1, "epochs": 20, "optimizer": object{"learning_rate": 0.005},
			"freeze": []string{"embedding", "encoders.low", "encoders.mid"},
			"tasks":  object{task: object{"batch_size": 3}},
		},
		"card": object{"name": task, "language": "en", "license": "CC-BY-SA-4.0"},
	}
}

// labelled makes a gold document of a text with [labelled/LABEL] spans; model splits it into tokens.
func labelled(ctx context.Context, model *hmtl.Model, marked string) (*hmtl.Document, error) {
	var text strings.Builder
	var mentions []hmtl.Mention
	for marked != "" {
		plain, rest, _ := strings.Cut(marked, "[")
		text.WriteString(plain)
		span, rest, found := strings.Cut(rest, "]")
		if found {
			span, label, _ := strings.Cut(span, "/")
			mentions = append(mentions, hmtl.Mention{
				Start: text.Len(), End: text.Len() + len(span), Text: span,
				Labels: map[string]hmtl.Label{task: {Label: label}},
			})
			text.WriteString(span)
		}
		marked = rest
	}
	doc, err := model.Annotate(ctx, text.String(), &hmtl.AnnotateOptions{Tasks: []string{}})
	if err != nil {
		return nil, err
	}
	for _, mention := range mentions {
		for i, token := range doc.Tokens {
			if token.Start == mention.Start {
				mention.FirstToken = i
			}
			if token.End == mention.End {
				mention.LastToken = i + 1
			}
		}
		doc.Mentions = append(doc.Mentions, mention)
	}
	doc.Tasks = []string{task}
	return doc, nil
}

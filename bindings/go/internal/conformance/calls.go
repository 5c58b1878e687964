package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/hmtl/hmtl/bindings/go"
)

// calling is a call in progress. What is wrong with its arguments panics with a misuse.
type calling struct {
	*driver
	args []argument // that were not taken yet
}

func (c *calling) make(call string) (result []byte, err error) {
	defer func() {
		if wrong := recover(); wrong != nil {
			var ok bool
			if err, ok = wrong.(misuse); !ok {
				panic(wrong)
			}
		}
	}()
	switch call {
	case "version":
		return []byte(hmtl.Version()), nil
	case "abi_version":
		return []byte(strconv.Itoa(int(hmtl.ABIVersion()))), nil
	case "build_info":
		return hmtl.BuildInfoJSON()
	case "devices":
		return hmtl.DevicesJSON()
	case "set_num_threads":
		return nil, hmtl.SetNumThreads(c.number())
	}
	object, call, _ := strings.Cut(call, "_")
	switch object {
	case "cancel":
		return nil, c.cancel(call)
	case "model":
		return c.model(call)
	case "dataset":
		return c.dataset(call)
	case "trainer":
		return c.trainer(call)
	}
	return nil, misuse("unknown call")
}

func (c *calling) cancel(call string) error {
	name := c.text()
	switch call {
	case "new":
		ctx, cancel := context.WithCancel(context.Background())
		c.cancels[name] = token{ctx, cancel}
	case "new_child":
		ctx, cancel := context.WithCancel(object(c.cancels, c.text()).ctx)
		c.cancels[name] = token{ctx, cancel}
	case "trigger":
		object(c.cancels, name).cancel()
	case "free":
		object(c.cancels, name).cancel()
		delete(c.cancels, name)
	default:
		return misuse("unknown call")
	}
	return nil
}

func (c *calling) model(call string) ([]byte, error) {
	name := c.text()
	if call == "load" {
		dir, opts := c.textOrNull(), hmtl.LoadOptions{Raw: c.json()}
		model, err := hmtl.Load(dir, &opts)
		return nil, keep(c.models, name, model, err)
	}
	model := object(c.models, name)
	switch call {
	case "info":
		return model.InfoJSON()
	case "annotate":
		text, opts := c.text(), hmtl.AnnotateOptions{Raw: c.json()}
		return model.AnnotateJSON(context.Background(), text, &opts)
	case "annotate_batch":
		ctx, opts := c.context(), hmtl.AnnotateOptions{Raw: c.json()}
		return model.AnnotateBatchJSON(ctx, c.texts(), &opts)
	case "annotate_tokens":
		opts, ends := hmtl.AnnotateOptions{Raw: c.json()}, c.numbers()
		return model.AnnotateTokensJSON(context.Background(), c.texts(), ends, &opts)
	case "evaluate":
		data, opts := object(c.datasets, c.text()), hmtl.EvaluateOptions{Raw: c.json()}
		return model.EvaluateJSON(c.context(), data, &opts)
	case "save":
		dir, opts := c.text(), hmtl.SaveOptions{Raw: c.json()}
		return nil, model.Save(dir, &opts)
	case "free":
		delete(c.models, name)
		return nil, model.Close()
	}
	return nil, misuse("unknown call")
}

func (c *calling) dataset(call string) ([]byte, error) {
	name := c.text()
	switch call {
	case "open":
		format, path, opts := c.text(), c.text(), hmtl.OpenOptions{Raw: c.json()}
		data, err := hmtl.OpenDataset(hmtl.Format(format), path, &opts)
		return nil, keep(c.datasets, name, data, err)
	case "from_jsonl":
		data, err := hmtl.ReadDataset([]byte(c.text()))
		return nil, keep(c.datasets, name, data, err)
	}
	data := object(c.datasets, name)
	switch call {
	case "info":
		return data.InfoJSON()
	case "len":
		return []byte(strconv.Itoa(data.Len())), nil
	case "get":
		return data.DocumentJSON(c.number())
	case "write":
		format, path := c.text(), c.text()
		return nil, data.Write(hmtl.Format(format), path)
	case "free":
		delete(c.datasets, name)
		return nil, data.Close()
	}
	return nil, misuse("unknown call")
}

func (c *calling) trainer(call string) ([]byte, error) {
	name := c.text()
	switch call {
	case "new":
		trainer, err := hmtl.NewTrainer(c.text())
		return nil, keep(c.trainers, name, trainer, err)
	case "resume":
		dir, opts := c.text(), hmtl.ResumeOptions{Raw: c.json()}
		trainer, err := hmtl.ResumeTrainer(dir, &opts)
		return nil, keep(c.trainers, name, trainer, err)
	}
	trainer := object(c.trainers, name)
	switch call {
	case "add_dataset":
		task, split := c.text(), c.text()
		return nil, trainer.AddDataset(task, split, object(c.datasets, c.text()))
	case "step":
		return trainer.StepJSON()
	case "train":
		return c.train(trainer)
	case "evaluate":
		split := c.text()
		return trainer.EvaluateJSON(c.context(), split)
	case "info":
		return trainer.InfoJSON()
	case "save":
		return nil, trainer.Save(c.text())
	case "snapshot":
		model, err := trainer.Snapshot()
		return nil, keep(c.models, c.text(), model, err)
	case "snapshot_best":
		model, err := trainer.SnapshotBest(c.textOrNull())
		return nil, keep(c.models, c.text(), model, err)
	case "free":
		delete(c.trainers, name)
		return nil, trainer.Close()
	}
	return nil, misuse("unknown call")
}

// train cancels at a step event, if the request says at which.
func (c *calling) train(trainer *hmtl.Trainer) ([]byte, error) {
	token := c.token()
	last := -1
	if count := c.numbers(); count != nil {
		last = count[0]
	}
	steps := 0
	return trainer.TrainJSON(token.ctx, func(event []byte) {
		c.event(event)
		var head struct{ Event string }
		if json.Unmarshal(event, &head) == nil && head.Event == "step" {
			if steps++; steps == last {
				token.cancel()
			}
		}
	})
}

// object is one that was made under a name.
func object[T any](objects map[string]T, name string) T {
	made, ok := objects[name]
	if !ok {
		panic(misuse("unknown object " + name))
	}
	return made
}

// keep keeps what a call made.
func keep[T interface{ Close() error }](objects map[string]T, name string, made T, err error) error {
	if err != nil {
		return err
	}
	if former, ok := objects[name]; ok {
		err = former.Close()
	}
	objects[name] = made
	return err
}

func (c *calling) next() argument {
	if len(c.args) == 0 {
		panic(misuse("too few arguments"))
	}
	next := c.args[0]
	c.args = c.args[1:]
	return next
}

func (c *calling) text() string {
	next := c.next()
	if next == nil {
		panic(misuse("NULL"))
	}
	return string(next)
}

// textOrNull is "" for NULL, as it is in Go.
func (c *calling) textOrNull() string { return string(c.next()) }

// texts takes all arguments that are left.
func (c *calling) texts() []string {
	texts := make([]string, 0, len(c.args))
	for len(c.args) > 0 {
		texts = append(texts, c.text())
	}
	return texts
}

func (c *calling) json() json.RawMessage { return json.RawMessage(c.next()) }

func (c *calling) number() int { return number(c.text()) }

// numbers is nil for NULL.
func (c *calling) numbers() []int {
	next := c.next()
	if next == nil {
		return nil
	}
	numbers := []int{}
	for _, field := range strings.Fields(string(next)) {
		numbers = append(numbers, number(field))
	}
	return numbers
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(misuse(err.Error()))
	}
	return n
}

func (c *calling) token() token {
	name := c.next()
	if name == nil {
		return token{context.Background(), func() {}}
	}
	return object(c.cancels, string(name))
}

func (c *calling) context() context.Context { return c.token().ctx }

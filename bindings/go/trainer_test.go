package hmtl

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"
)

func TestTrainingEndsWithAModel(t *testing.T) {
	trainer := newTinyTrainer(t, 12)
	_, err := trainer.SnapshotBest("ner")
	refused(t, err, CodeInvalidArgument, "no epoch was scored")
	kinds := map[string]int{}
	info := must(trainer.Train(background, func(event Event) {
		switch e := event.(type) {
		case *StepEvent:
			kinds["step"]++
			if e.Total != kinds["step"] || e.Steps != 4 || e.Task != "ner" || e.Loss <= 0 {
				t.Errorf("step %+v", e)
			}
		case *EvaluatingEvent:
			kinds["evaluating"]++
		case *EvaluatedEvent:
			kinds["evaluated"]++
			if e.Details.Spans == nil || e.Score != e.Details.Spans.Micro.F1 {
				t.Errorf("evaluated %+v", e)
			}
		case *EpochEvent:
			kinds["epoch"]++
			if e.Epoch != kinds["epoch"] || *e.Tasks["ner"].Score != e.Mean {
				t.Errorf("epoch %+v", e)
			}
		case *FinishedEvent:
			kinds["finished"]++
			if e.Reason != FinishedEpochs || e.Test["ner"].Score != 1 {
				t.Errorf("finished %+v", e)
			}
		default:
			t.Errorf("event %+v", e)
		}
	}))(t)
	// Twelve times dev, and once test.
	for kind, count := range map[string]int{"step": 48, "evaluating": 13, "evaluated": 13, "epoch": 12, "finished": 1} {
		if kinds[kind] != count {
			t.Errorf("%d %s events", kinds[kind], kind)
		}
	}
	if info.Finished != FinishedEpochs || info.Epoch != 12 || *info.BestMean != 1 || *info.Tasks["ner"].BestScore != 1 {
		t.Fatalf("info %+v", info)
	}
	again := must(trainer.Train(background, func(Event) { t.Error("it has ended") }))(t)
	if again.Step != info.Step {
		t.Fatalf("went on to %+v", again)
	}
	if scores := must(trainer.Evaluate(background, SplitDev))(t); scores["ner"].Score != 1 {
		t.Fatalf("scores %+v", scores)
	}
	dir := filepath.Join(t.TempDir(), "model")
	for _, task := range []string{"", "ner"} {
		best := must(trainer.SnapshotBest(task))(t)
		check(t, best.Save(dir, &SaveOptions{Precision: PrecisionFloat16}))
		check(t, best.Close())
	}
	saved := must(Load(dir, nil))(t)
	defer saved.Close()
	data := must(tinyData())(t)
	defer data.Close()
	metrics := must(saved.Evaluate(background, data, nil))(t)
	if ner := metrics["ner"]; ner.Score != 1 || ner.Documents != 8 || ner.Details.Spans.Labels["PER"].Correct != 8 {
		t.Fatalf("metrics %+v", metrics)
	}
}

func TestResumedTrainersGoOnAlike(t *testing.T) {
	whole, part := newTinyTrainer(t, 3), newTinyTrainer(t, 3)
	dir := filepath.Join(t.TempDir(), "checkpoint")
	for range 5 {
		must(whole.Step())(t)
		must(part.Step())(t)
	}
	check(t, part.Save(dir))
	check(t, part.Close())
	_, err := ResumeTrainer(dir, &ResumeOptions{Config: tinyConfig(4)})
	refused(t, err, CodeConfig, "epochs")
	var config any
	check(t, json.Unmarshal([]byte(tinyConfig(3)), &config))
	for _, opts := range []*ResumeOptions{nil, {Device: "cpu", Config: config}, {Config: []byte(tinyConfig(3))}} {
		resumed := must(ResumeTrainer(dir, opts))(t)
		data := must(tinyData())(t)
		for _, split := range []string{SplitTrain, SplitDev, SplitTest} {
			check(t, resumed.AddDataset("ner", split, data))
		}
		check(t, data.Close())
		info := must(resumed.TrainJSON(background, nil))(t)
		if want := must(whole.TrainJSON(background, nil))(t); !bytes.Equal(info, want) {
			t.Fatalf("%s\nis not\n%s", info, want)
		}
		check(t, resumed.Close())
	}
}

func TestTrainersTakeConfigsOfAnyType(t *testing.T) {
	var config map[string]any
	check(t, json.Unmarshal([]byte(tinyConfig(1)), &config))
	for _, config := range []any{tinyConfig(1), []byte(tinyConfig(1)), json.RawMessage(tinyConfig(1)), config} {
		trainer := must(NewTrainer(config))(t)
		_, err := trainer.Step()
		refused(t, err, CodeConfig, "ner")
		check(t, trainer.Close())
	}
}

func TestDataComesBeforeTheFirstStep(t *testing.T) {
	trainer := newTinyTrainer(t, 1)
	data := must(tinyData())(t)
	defer data.Close()
	refused(t, trainer.AddDataset("pos", SplitTrain, data), CodeInvalidArgument, "pos")
	refused(t, trainer.AddDataset("ner", "valid", data), CodeInvalidArgument, "valid")
	if step := must(trainer.Step())(t); step.Task != "ner" || step.Loss <= 0 || step.LearningRate != 0.05 {
		t.Fatalf("step %+v", step)
	}
	refused(t, trainer.AddDataset("ner", SplitTrain, data), CodeInvalidArgument, "begun")
}

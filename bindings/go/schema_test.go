package hmtl

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// strict reads JSON of this version of the library, of which no field may be unknown.
func strict(t *testing.T, data []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	var value any
	check(t, json.Unmarshal(data, &value))
	strictDetails(t, value)
}

// strictDetails reads what stands under "details", which has an UnmarshalJSON of its own.
func strictDetails(t *testing.T, value any) {
	t.Helper()
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			strictDetails(t, element)
		}
	case map[string]any:
		for key, element := range value {
			if key != "details" {
				strictDetails(t, element)
				continue
			}
			data := must(json.Marshal(element))(t)
			var details Details
			check(t, json.Unmarshal(data, &details))
			kinds := reflect.ValueOf(details)
			known := false
			for i := range kinds.NumField() {
				if field := kinds.Field(i); !field.IsNil() {
					decoder := json.NewDecoder(bytes.NewReader(data))
					decoder.DisallowUnknownFields()
					check(t, decoder.Decode(field.Interface()))
					known = true
				}
			}
			if !known {
				t.Fatalf("details of no kind: %s", data)
			}
			sameButScores(t, must(json.Marshal(details))(t), data)
		}
	}
}

func TestTheStructsKnowAllFields(t *testing.T) {
	m := model(t, shipped)
	annotation := must(m.AnnotateJSON(background, biography, nil))(t)
	var doc Document
	strict(t, annotation, &doc)
	sameButScores(t, must(json.Marshal(doc))(t), annotation)

	// A model agrees with itself: all tasks have gold.
	data := must(NewDataset(&doc))(t)
	defer data.Close()
	strict(t, must(data.DocumentJSON(0))(t), new(Document))
	strict(t, must(data.InfoJSON())(t), new(DatasetInfo))
	var metrics Metrics
	strict(t, must(m.EvaluateJSON(background, data, nil))(t), &metrics)
	for _, task := range doc.Tasks {
		if metrics[task].Score != 1 {
			t.Errorf("%s: %+v", task, metrics[task])
		}
	}
	if len(metrics) != 4 || metrics["relation"].Details.Relations == nil || metrics["coref"].Details.Coreference == nil {
		t.Fatalf("metrics %+v", metrics)
	}

	strict(t, must(m.InfoJSON())(t), new(ModelInfo))
	strict(t, must(BuildInfoJSON())(t), new(Build))
	strict(t, must(DevicesJSON())(t), new([]Device))
}

func TestTheStructsOfTrainingKnowAllFields(t *testing.T) {
	trainer := newTinyTrainer(t, 1)
	strict(t, must(trainer.InfoJSON())(t), new(TrainerInfo))
	strict(t, must(trainer.StepJSON())(t), new(Step))
	kinds := map[string]bool{}
	info := must(trainer.TrainJSON(background, func(data []byte) {
		kinds[strictEvent(t, data)] = true
	}))(t)
	if len(kinds) != 5 {
		t.Errorf("events %v", kinds)
	}
	strict(t, info, new(TrainerInfo))
	strict(t, must(trainer.EvaluateJSON(background, SplitDev))(t), new(map[string]Score))
}

func strictEvent(t *testing.T, data []byte) string {
	t.Helper()
	var fields map[string]json.RawMessage
	check(t, json.Unmarshal(data, &fields))
	kind := string(fields["event"])
	delete(fields, "event")
	event := must(ParseEvent(data))(t)
	if _, ok := event.(*UnknownEvent); ok {
		t.Fatalf("unknown: %s", data)
	}
	strict(t, must(json.Marshal(fields))(t), event)
	sameButScores(t, must(json.Marshal(event))(t), must(json.Marshal(fields))(t))
	return kind
}

// The suite for every language, where the whole project is there.
func TestTheStructsKnowAllFieldsOfTheGoldenFiles(t *testing.T) {
	files, err := filepath.Glob("../../tests/conformance/golden/*/*.json")
	check(t, err)
	if len(files) == 0 {
		t.Skip("not in the project's tree")
	}
	for _, file := range files {
		data := must(os.ReadFile(file))(t)
		switch filepath.Base(filepath.Dir(file)) {
		case "annotation":
			strict(t, data, new(Document))
		case "annotations":
			strict(t, data, new([]Document))
		case "dataset_info":
			strict(t, data, new(DatasetInfo))
		case "metrics":
			strict(t, data, new(Metrics))
		case "model_info":
			strict(t, data, new(ModelInfo))
		case "step":
			strict(t, data, new(Step))
		case "trainer_info":
			strict(t, data, new(TrainerInfo))
		default:
			t.Errorf("no type for %s", file)
		}
	}
}

func TestNewFieldsAreLeftOut(t *testing.T) {
	doc := must(decode[*Document]([]byte(`{"text":"a","colour":"blue","mentions":[{"text":"a","shape":{}}]}`), nil))(t)
	if doc.Text != "a" || doc.Mentions[0].Text != "a" {
		t.Fatalf("got %+v", doc)
	}
	event := must(ParseEvent([]byte(`{"event":"lunch","menu":[]}`)))(t)
	if e, ok := event.(*UnknownEvent); !ok || e.Kind != "lunch" || !strings.Contains(string(e.JSON), "menu") {
		t.Fatalf("got %+v", event)
	}
	step := must(ParseEvent([]byte(`{"event":"step","total":7,"mood":"good"}`)))(t).(*StepEvent)
	if step.Total != 7 {
		t.Fatalf("got %+v", step)
	}
	var score Score
	check(t, json.Unmarshal([]byte(`{"score":0.5,"details":{"quality":1}}`), &score))
	if score.Score != 0.5 || score.Details != (Details{}) {
		t.Fatalf("got %+v", score)
	}
}

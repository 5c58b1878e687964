package hmtl

import "encoding/json"

// Kind is what a task finds.
type Kind string

const (
	KindSpans       Kind = "spans"
	KindRelations   Kind = "relations"
	KindCoreference Kind = "coreference"
)

// ModelInfo describes a model.
type ModelInfo struct {
	Device     string                     `json:"device"`
	Tasks      map[string]TaskInfo        `json:"tasks"`
	Encoders   map[string]json.RawMessage `json:"encoders"` // as in a configuration
	Vocabulary Vocabulary                 `json:"vocabulary"`
	Parameters int                        `json:"parameters"`
	Card       Card                       `json:"card"`
}

// TaskInfo describes a task of a model.
type TaskInfo struct {
	Kind      Kind     `json:"kind"`
	Head      string   `json:"head"`
	Encoder   string   `json:"encoder"`
	Arguments string   `json:"arguments"` // the task whose spans a relation holds between, or ""
	Labels    []string `json:"labels"`
}

// Vocabulary is what a model has embeddings of, in numbers.
type Vocabulary struct {
	Words int `json:"words"`
	Chars int `json:"chars"`
}

// Card says where a model comes from.
type Card struct {
	Name        string                     `json:"name"`
	Version     string                     `json:"version"`
	Description string                     `json:"description"`
	Language    string                     `json:"language"`
	License     string                     `json:"license"`
	Data        []CardData                 `json:"data"`
	Scores      map[string]json.RawMessage `json:"scores"` // dev scores by task
	Recipe      json.RawMessage            `json:"recipe"` // how it was made
	Limits      []string                   `json:"limits"` // where it fails
}

// CardData is a corpus that a model was trained on.
type CardData struct {
	Name    string `json:"name"`
	License string `json:"license"`
	Used    string `json:"used"`
}

// DatasetInfo describes a data set in numbers.
type DatasetInfo struct {
	Documents int                       `json:"documents"`
	Sentences int                       `json:"sentences"`
	Tokens    int                       `json:"tokens"`
	Mentions  int                       `json:"mentions"`
	Clusters  int                       `json:"clusters"`
	Tasks     map[string]int            `json:"tasks"`     // documents that have the task
	Labels    map[string]map[string]int `json:"labels"`    // mentions by task and label
	Relations map[string]map[string]int `json:"relations"` // relations by task and label
	Skipped   int                       `json:"skipped"`   // left out because of SkipInvalid
}

// TrainerInfo says where a run stands.
type TrainerInfo struct {
	Step                int                     `json:"step"`  // steps taken
	Epoch               int                     `json:"epoch"` // epochs ended
	Epochs              int                     `json:"epochs"`
	StepInEpoch         int                     `json:"step_in_epoch"`
	StepsPerEpoch       int                     `json:"steps_per_epoch"`
	LearningRate        float64                 `json:"learning_rate"`
	Finished            Finished                `json:"finished"` // "" before the end
	BestEpoch           *int                    `json:"best_epoch"`
	BestMean            *float64                `json:"best_mean"`
	Tasks               map[string]TaskProgress `json:"tasks"`
	Parameters          int                     `json:"parameters"`
	TrainableParameters int                     `json:"trainable_parameters"`
}

// TaskProgress says where a task of a run stands.
type TaskProgress struct {
	Steps         int      `json:"steps"`
	Examples      int      `json:"examples"`
	Batches       int      `json:"batches"` // of an epoch
	BestEpoch     *int     `json:"best_epoch"`
	BestScore     *float64 `json:"best_score"`
	OutOfPatience bool     `json:"out_of_patience"`
}

// Finished is why a run has ended.
type Finished string

const (
	FinishedEpochs   Finished = "epochs"   // all were trained
	FinishedPatience Finished = "patience" // the tasks were out of it
)

// Step is an optimization step.
type Step struct {
	Task         string             `json:"task"`
	Loss         float64            `json:"loss"`
	Along        map[string]float64 `json:"along,omitempty"` // losses of the tasks that learned along
	LearningRate float64            `json:"learning_rate"`
}

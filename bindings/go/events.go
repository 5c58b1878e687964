package hmtl

import (
	"encoding/json"
	"fmt"
)

// Event is what [Trainer.Train] tells: a [*StepEvent], [*EvaluatingEvent], [*EvaluatedEvent],
// [*EpochEvent], [*FinishedEvent], or an [*UnknownEvent] of a newer library.
type Event interface{ event() }

// StepEvent tells of an optimization step.
type StepEvent struct {
	Step         int                `json:"step"`  // of the epoch, from 1
	Steps        int                `json:"steps"` // an epoch
	Epoch        int                `json:"epoch"` // from 1
	Total        int                `json:"total"` // steps of the run so far
	Task         string             `json:"task"`
	Loss         float64            `json:"loss"`
	Along        map[string]float64 `json:"along,omitempty"` // losses of the tasks that learned along
	LearningRate float64            `json:"learning_rate"`
}

// EvaluatingEvent tells that a data set is scored next.
type EvaluatingEvent struct {
	Task  string `json:"task"`
	Split string `json:"split"`
}

// EvaluatedEvent tells how a data set was scored.
type EvaluatedEvent struct {
	Task    string  `json:"task"`
	Split   string  `json:"split"`
	Score   float64 `json:"score"`
	Details Details `json:"details"`
}

// EpochEvent tells of the end of an epoch.
type EpochEvent struct {
	Epoch        int                  `json:"epoch"` // from 1
	Step         int                  `json:"step"`  // of the run
	Seconds      float64              `json:"seconds"`
	LearningRate float64              `json:"learning_rate"`
	Tasks        map[string]TaskEpoch `json:"tasks"`
	Mean         float64              `json:"mean"` // of the dev scores, by their weights
	Best         bool                 `json:"best"` // whether Mean is the highest so far
}

// TaskEpoch is a task in an epoch. It has no loss without steps, and no scores without dev data.
type TaskEpoch struct {
	Steps         int      `json:"steps"`
	Loss          *float64 `json:"loss,omitempty"`
	Score         *float64 `json:"score,omitempty"`
	BestScore     *float64 `json:"best_score,omitempty"`
	Best          bool     `json:"best"` // whether Score is the highest so far
	Details       *Details `json:"details,omitempty"`
	OutOfPatience bool     `json:"out_of_patience"`
}

// FinishedEvent tells of the end of a run.
type FinishedEvent struct {
	Reason    Finished         `json:"reason"`
	Epochs    int              `json:"epochs"`
	Steps     int              `json:"steps"`
	BestEpoch *int             `json:"best_epoch,omitempty"` // whose weights were kept; nil without dev data
	Test      map[string]Score `json:"test,omitempty"`       // by task, of those weights
}

// UnknownEvent is an event of a newer library.
type UnknownEvent struct {
	Kind string
	JSON []byte
}

func (*StepEvent) event()       {}
func (*EvaluatingEvent) event() {}
func (*EvaluatedEvent) event()  {}
func (*EpochEvent) event()      {}
func (*FinishedEvent) event()   {}
func (*UnknownEvent) event()    {}

// ParseEvent reads an event that [Trainer.TrainJSON] passed on.
func ParseEvent(data []byte) (Event, error) {
	var head struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("hmtl: an event: %w", err)
	}
	var event Event
	switch head.Event {
	case "step":
		event = new(StepEvent)
	case "evaluating":
		event = new(EvaluatingEvent)
	case "evaluated":
		event = new(EvaluatedEvent)
	case "epoch":
		event = new(EpochEvent)
	case "finished":
		event = new(FinishedEvent)
	default:
		return &UnknownEvent{Kind: head.Event, JSON: data}, nil
	}
	if err := json.Unmarshal(data, event); err != nil {
		return nil, fmt.Errorf("hmtl: an event %s: %w", head.Event, err)
	}
	return event, nil
}

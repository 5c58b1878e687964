package hmtl

import "encoding/json"

// Metrics are the scores of a model on a data set, by task.
type Metrics map[string]Evaluation

// Evaluation is how a model did in a task.
type Evaluation struct {
	Task  string `json:"task"`
	Layer string `json:"layer"` // the task of the data that it was compared with
	// Score is the main figure, 0 to 1: the strict micro F1, or for coreference the average of MUC,
	// B³ and CEAFe.
	Score         float64        `json:"score"`
	Documents     int            `json:"documents"`
	UnknownLabels map[string]int `json:"unknown_labels"` // gold items of labels that the model does not know
	AbsentLabels  []string       `json:"absent_labels"`  // the model's labels that the data lacks
	Details       Details        `json:"details"`
}

// Score is how the weights of a trainer do in a task.
type Score struct {
	Score   float64 `json:"score"`
	Details Details `json:"details"`
}

// Details have one field set, that of the task's kind; none in a kind of a newer library.
type Details struct {
	Spans       *SpanDetails
	Relations   *RelationDetails
	Coreference *CoreferenceDetails
}

// SpanDetails are the details of a task that labels spans.
type SpanDetails struct {
	Micro              Counts            `json:"micro"`
	MacroF1            float64           `json:"macro_f1"`
	Untyped            Counts            `json:"untyped"` // whatever their labels
	Labels             map[string]Counts `json:"labels"`
	IgnoredGold        int               `json:"ignored_gold"` // of labels that the model does not know
	IgnoredLabels      map[string]int    `json:"ignored_labels"`
	IgnoredPredictions map[string]int    `json:"ignored_predictions"`   // of labels that the data does not cover
	Calibration        *Calibration      `json:"calibration,omitempty"` // nil where nothing with a score was found
}

// RelationDetails are the details of a task that finds relations.
type RelationDetails struct {
	Arguments          string            `json:"arguments"` // "entities" or "mentions": what facts hold between
	Strict             Counts            `json:"strict"`
	Typed              *Counts           `json:"typed,omitempty"` // strict, with the right types of both arguments; nil where the data gives none
	MacroF1            float64           `json:"macro_f1"`
	Boundaries         Counts            `json:"boundaries"`
	Mentions           Counts            `json:"mentions"`
	LastToken          Counts            `json:"last_token"`
	Labels             map[string]Counts `json:"labels"`
	IgnoredGold        int               `json:"ignored_gold"` // of labels that the model does not know
	IgnoredLabels      map[string]int    `json:"ignored_labels"`
	IgnoredPredictions map[string]int    `json:"ignored_predictions"`   // of labels that the data does not cover
	Calibration        *Calibration      `json:"calibration,omitempty"` // nil where nothing with a score was found
}

// Calibration is how far scores are from how often predictions are right.
type Calibration struct {
	Error float64 `json:"error"` // the expected calibration error
	Scale float64 `json:"scale"` // of the logits, with Shift: what would calibrate the scores
	Shift float64 `json:"shift"`
}

// CoreferenceDetails are the details of a coreference task.
type CoreferenceDetails struct {
	AverageF1  float64 `json:"average_f1"` // of MUC, BCubed and CEAFe
	MUC        PRF     `json:"muc"`
	BCubed     PRF     `json:"b_cubed"`
	CEAFe      PRF     `json:"ceaf_e"`
	CEAFm      PRF     `json:"ceaf_m"`
	LEA        PRF     `json:"lea"`
	BLANC      PRF     `json:"blanc"`
	Mentions   Counts  `json:"mentions"`
	Singletons bool    `json:"singletons"` // whether clusters of one mention counted
}

// PRF is precision, recall and F1, each 0 to 1.
type PRF struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// Counts is precision, recall and F1, and what they come from.
type Counts struct {
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	Gold      int     `json:"gold"`
	Predicted int     `json:"predicted"`
	Correct   int     `json:"correct"`
}

// UnmarshalJSON tells the kinds apart by a key that only one of them has.
func (d *Details) UnmarshalJSON(data []byte) error {
	*d = Details{}
	var has struct {
		Micro, Strict, MUC json.RawMessage
	}
	if err := json.Unmarshal(data, &has); err != nil {
		return err
	}
	switch {
	case has.Micro != nil:
		return json.Unmarshal(data, &d.Spans)
	case has.Strict != nil:
		return json.Unmarshal(data, &d.Relations)
	case has.MUC != nil:
		return json.Unmarshal(data, &d.Coreference)
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (d Details) MarshalJSON() ([]byte, error) {
	switch {
	case d.Spans != nil:
		return json.Marshal(d.Spans)
	case d.Relations != nil:
		return json.Marshal(d.Relations)
	case d.Coreference != nil:
		return json.Marshal(d.Coreference)
	}
	return []byte("{}"), nil
}

package hmtl

import "encoding/json"

// Offsets is the unit of every Start and End of a [Document].
type Offsets string

const (
	OffsetsByte  Offsets = "byte"  // UTF-8 bytes: what Go slices strings by, and the default
	OffsetsChar  Offsets = "char"  // code points: indices of a []rune
	OffsetsUTF16 Offsets = "utf16" // UTF-16 code units: indices in Java and JavaScript
)

// Precision says how numbers of a saved model are stored.
type Precision string

const (
	PrecisionFloat32 Precision = "float32" // as they are, and the default
	PrecisionFloat16 Precision = "float16"
	PrecisionCompact Precision = "compact" // words in one byte a number
)

// Singletons says whether coreference clusters of one mention count in an evaluation.
type Singletons string

const (
	SingletonsAuto Singletons = "auto" // if the data has some, and the default
	SingletonsKeep Singletons = "keep"
	SingletonsDrop Singletons = "drop"
)

// LoadOptions say how to load a model.
type LoadOptions struct {
	Device  string   `json:"device,omitempty"`  // "cpu", "cuda", "cuda:1"; "" is the CPU
	Tasks   []string `json:"tasks,omitempty"`   // only these; nil means all
	Plain   bool     `json:"plain,omitempty"`   // work through LibTorch alone: slower, the same but for rounding
	Compute string   `json:"compute,omitempty"` // what embedders and encoders compute in: "float32", or "bf16", in half the memory
	// Raw, unless nil, is passed in place of the other fields.
	Raw json.RawMessage `json:"-"`
}

// AnnotateOptions say what to look for.
type AnnotateOptions struct {
	Tasks      []string `json:"tasks,omitempty"`      // nil means all, and empty none
	MinScore   float64  `json:"min_score,omitempty"`  // leaves out less probable labels and relations
	Offsets    Offsets  `json:"offsets,omitempty"`    // "" is OffsetsByte
	Singletons bool     `json:"singletons,omitempty"` // also clusters of one mention
	// Independent tasks have no say in what another finds, unless that reads their mentions or clusters: what is one
	// thing need not agree, and fewer tasks are run.
	Independent bool `json:"independent,omitempty"`
	// Raw, unless nil, is passed in place of the other fields.
	Raw json.RawMessage `json:"-"`
}

// EvaluateOptions say how to score a model.
type EvaluateOptions struct {
	Tasks      []string   `json:"tasks,omitempty"`      // nil means all that the data has gold for
	AllLabels  bool       `json:"all_labels,omitempty"` // labels that only data or model know count as wrong
	Singletons Singletons `json:"singletons,omitempty"`
	// Independent is as of [AnnotateOptions].
	Independent bool `json:"independent,omitempty"`
	// Raw, unless nil, is passed in place of the other fields.
	Raw json.RawMessage `json:"-"`
}

// SaveOptions say how to write a model.
type SaveOptions struct {
	Precision Precision `json:"precision,omitempty"`
	// Raw, unless nil, is passed in place of the other fields.
	Raw json.RawMessage `json:"-"`
}

// OpenOptions say how to read a data set.
type OpenOptions struct {
	SkipInvalid bool `json:"skip_invalid,omitempty"` // leaves out what does not follow the format, and counts it
	TagColumn   *int `json:"tag_column,omitempty"`   // FormatCoNLL2003: the column of the tag, from 0
	Names       bool `json:"names,omitempty"`        // FormatGUM: derives names from proper nouns
	Speakers    bool `json:"speakers,omitempty"`     // FormatGUM: writes speakers before their turns
	// Raw, unless nil, is passed in place of the other fields.
	Raw json.RawMessage `json:"-"`
}

// ResumeOptions say how to go on from a checkpoint.
type ResumeOptions struct {
	Device string `json:"device,omitempty"` // "" is that of the checkpoint
	// Config, unless nil, is what the checkpoint's configuration must be: JSON text or a value that
	// encodes as JSON, as of [NewTrainer].
	Config any `json:"config,omitempty"`
	// Raw, unless nil, is passed in place of the other fields.
	Raw json.RawMessage `json:"-"`
}

// options encode as a JSON object, or as nil if they are nil.
type options interface{ encode() ([]byte, error) }

func (o *LoadOptions) encode() ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	type fields LoadOptions
	return encode(o.Raw, struct {
		fields
		Tasks *[]string `json:"tasks,omitempty"`
	}{fields(*o), listed(o.Tasks)})
}

func (o *AnnotateOptions) encode() ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	type fields AnnotateOptions
	return encode(o.Raw, struct {
		fields
		Tasks *[]string `json:"tasks,omitempty"`
	}{fields(*o), listed(o.Tasks)})
}

func (o *EvaluateOptions) encode() ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	type fields EvaluateOptions
	return encode(o.Raw, struct {
		fields
		Tasks *[]string `json:"tasks,omitempty"`
	}{fields(*o), listed(o.Tasks)})
}

func (o *SaveOptions) encode() ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	return encode(o.Raw, o)
}

func (o *OpenOptions) encode() ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	return encode(o.Raw, o)
}

func (o *ResumeOptions) encode() ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	fields := *o
	switch config := o.Config.(type) {
	case string:
		fields.Config = json.RawMessage(config)
	case []byte:
		fields.Config = json.RawMessage(config)
	}
	return encode(o.Raw, fields)
}

func encode(raw json.RawMessage, fields any) ([]byte, error) {
	if raw != nil {
		return raw, nil
	}
	return json.Marshal(fields)
}

// listed tells an empty list from none, as omitempty does not.
func listed(tasks []string) *[]string {
	if tasks == nil {
		return nil
	}
	return &tasks
}

package hmtl

import (
	"encoding/json"
	"iter"
)

// Document is an annotated text: a result of a [Model] and a row of a [Dataset]. All positions are
// half-open. Every span stands once in Mentions, whatever tasks found it; relations and clusters
// name mentions by their index.
type Document struct {
	Format  int     `json:"format"` // of the JSON; 0 means the current one
	ID      string  `json:"id,omitempty"`
	Offsets Offsets `json:"offsets"`
	// Tasks are those that were looked for, found or not; a data set's document says nothing about
	// the others.
	Tasks []string `json:"tasks"`
	// Covered has, by task, the labels that were looked for, where those were not all.
	Covered   map[string][]string `json:"covered,omitempty"`
	Text      string              `json:"text"`
	Sentences []Sentence          `json:"sentences"`
	Tokens    []Token             `json:"tokens"`
	Mentions  []Mention           `json:"mentions"` // in text order, the longer first
	Relations []Relation          `json:"relations"`
	Clusters  []Cluster           `json:"clusters"`
}

// Sentence is a span of tokens.
type Sentence struct {
	Start      int `json:"start"`
	End        int `json:"end"`
	FirstToken int `json:"first_token"`
	LastToken  int `json:"last_token"` // the index after the last
}

// Token is a word or a sign.
type Token struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

// Mention is a span of tokens inside a sentence that some task found.
type Mention struct {
	Start      int              `json:"start"`
	End        int              `json:"end"`
	FirstToken int              `json:"first_token"`
	LastToken  int              `json:"last_token"` // the index after the last
	Text       string           `json:"text"`
	Labels     map[string]Label `json:"labels"`            // by task
	Cluster    *int             `json:"cluster,omitempty"` // an index into Clusters, if it is in one
}

// Label is what a task calls a mention.
type Label struct {
	Label string  `json:"label"`
	Score float64 `json:"score,omitempty"` // the model's probability; 0 in gold data
}

// Relation is a fact about two mentions.
type Relation struct {
	Task  string  `json:"task"`
	Label string  `json:"label"`
	Head  int     `json:"head"` // an index into Mentions
	Tail  int     `json:"tail"`
	Score float64 `json:"score,omitempty"` // the model's probability; 0 in gold data
}

// Cluster is the mentions of one entity.
type Cluster struct {
	Mentions []int `json:"mentions"` // indices into Mentions, in text order
}

// Labelled goes over the mentions that task labelled.
func (d *Document) Labelled(task string) iter.Seq2[*Mention, Label] {
	return func(yield func(*Mention, Label) bool) {
		for i := range d.Mentions {
			m := &d.Mentions[i]
			if label, ok := m.Labels[task]; ok && !yield(m, label) {
				return
			}
		}
	}
}

// Arguments returns the head and the tail of a relation.
func (d *Document) Arguments(r Relation) (head, tail *Mention) {
	return d.mention(r.Head), d.mention(r.Tail)
}

// Coreferent returns the mentions of the entity of m, m among them; none if it is in no cluster.
func (d *Document) Coreferent(m *Mention) []*Mention {
	if m.Cluster == nil || *m.Cluster < 0 || *m.Cluster >= len(d.Clusters) {
		return nil
	}
	return d.ClusterMentions(d.Clusters[*m.Cluster])
}

// ClusterMentions returns the mentions of a cluster.
func (d *Document) ClusterMentions(c Cluster) []*Mention {
	mentions := make([]*Mention, len(c.Mentions))
	for i, m := range c.Mentions {
		mentions[i] = d.mention(m)
	}
	return mentions
}

// mention is an empty one for an index that a document of the library does not have.
func (d *Document) mention(i int) *Mention {
	if i < 0 || i >= len(d.Mentions) {
		return new(Mention)
	}
	return &d.Mentions[i]
}

// MarshalJSON writes the document as a line of a data set, which takes no null for an empty list.
func (d Document) MarshalJSON() ([]byte, error) {
	type document Document
	if d.Format == 0 {
		d.Format = 1
	}
	if d.Offsets == "" {
		d.Offsets = OffsetsByte
	}
	d.Tasks, d.Sentences, d.Tokens = present(d.Tasks), present(d.Sentences), present(d.Tokens)
	d.Relations, d.Clusters = present(d.Relations), present(d.Clusters)
	d.Mentions = append([]Mention{}, d.Mentions...)
	for i := range d.Mentions {
		if d.Mentions[i].Labels == nil {
			d.Mentions[i].Labels = map[string]Label{}
		}
	}
	return json.Marshal(document(d))
}

func present[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

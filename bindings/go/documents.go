package hmtl

import (
	"context"
	"errors"
	"iter"
)

// Documents takes batches of at most this many texts, or fewer that are longer together: enough to
// keep all threads of the library busy, and not too many to hold or to throw away.
const (
	batchTexts = 64
	batchBytes = 256 << 10
)

// Documents annotates a sequence of texts, of which it holds few at a time, and yields for each, in
// their order, its document or its error. It ends after an error of the context or [ErrClosed].
//
//	for doc, err := range model.Documents(ctx, slices.Values(texts), nil) {
//
// A batch is read from texts before its first document is there: where texts come slowly, call
// [Model.Annotate] for each.
func (m *Model) Documents(ctx context.Context, texts iter.Seq[string], opts *AnnotateOptions) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		var batch []string
		size := 0
		for text := range texts {
			batch = append(batch, text)
			size += len(text)
			if len(batch) == batchTexts || size >= batchBytes {
				if !m.yieldBatch(ctx, batch, opts, yield) {
					return
				}
				batch, size = batch[:0], 0
			}
		}
		if len(batch) > 0 {
			m.yieldBatch(ctx, batch, opts, yield)
		}
	}
}

// yieldBatch reports whether to go on.
func (m *Model) yieldBatch(ctx context.Context, texts []string, opts *AnnotateOptions, yield func(*Document, error) bool) bool {
	docs, err := m.AnnotateBatch(ctx, texts, opts)
	if err == nil {
		for _, doc := range docs {
			if !yield(doc, nil) {
				return false
			}
		}
		return true
	}
	if ends(err) {
		yield(nil, err)
		return false
	}
	for _, text := range texts { // to find out whose error it was
		doc, err := m.Annotate(ctx, text, opts)
		if !yield(doc, err) || ends(err) {
			return false
		}
	}
	return true
}

// ends reports whether after err no text can be annotated.
func ends(err error) bool {
	return errors.Is(err, ErrClosed) || errors.Is(err, CodeCancelled)
}

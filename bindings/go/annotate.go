package hmtl

// #include <hmtl.h>
import "C"

import (
	"bytes"
	"context"
	"fmt"
	"unsafe"
)

// Annotate annotates a text of any length.
func (m *Model) Annotate(ctx context.Context, text string, opts *AnnotateOptions) (*Document, error) {
	return decode[*Document](m.AnnotateJSON(ctx, text, opts))
}

// AnnotateJSON is [Model.Annotate] as the library writes it.
func (m *Model) AnnotateJSON(ctx context.Context, text string, opts *AnnotateOptions) ([]byte, error) {
	if ctx.Done() != nil { // only a batch can be cancelled
		array, err := m.AnnotateBatchJSON(ctx, []string{text}, opts)
		if err != nil {
			return nil, err
		}
		return onlyElement(array)
	}
	var args arguments
	defer args.free()
	copts := args.options(opts)
	if args.err != nil {
		return nil, args.err
	}
	return m.json(ctx, func(model *C.hmtl_model, out **C.char) *C.hmtl_error {
		data := (*C.char)(unsafe.Pointer(unsafe.StringData(text)))
		return C.hmtl_model_annotate(model, data, C.size_t(len(text)), copts, out)
	})
}

// onlyElement is what stands in the brackets of an array of one element.
func onlyElement(array []byte) ([]byte, error) {
	array = bytes.TrimSpace(array)
	if len(array) < 2 || array[0] != '[' || array[len(array)-1] != ']' {
		return nil, &Error{Code: CodeInternal, Message: "the library's JSON is no array"}
	}
	return bytes.TrimSpace(array[1 : len(array)-1]), nil
}

// AnnotateBatch annotates texts, on all threads of the library at once; the documents are in the
// order of the texts. An error in one text is an error of the call.
func (m *Model) AnnotateBatch(ctx context.Context, texts []string, opts *AnnotateOptions) ([]*Document, error) {
	docs, err := decode[[]*Document](m.AnnotateBatchJSON(ctx, texts, opts))
	if err == nil && len(docs) != len(texts) {
		message := fmt.Sprintf("the library wrote %d documents for %d texts", len(docs), len(texts))
		return nil, &Error{Code: CodeInternal, Message: message}
	}
	return docs, err
}

// AnnotateBatchJSON is [Model.AnnotateBatch] as the library writes it: an array.
func (m *Model) AnnotateBatchJSON(ctx context.Context, texts []string, opts *AnnotateOptions) (array []byte, err error) {
	var args arguments
	defer args.free()
	views, copts := args.views(texts), args.options(opts)
	if args.err != nil {
		return nil, args.err
	}
	err = withCancel(ctx, func(cancel *C.hmtl_cancel) error {
		array, err = m.json(ctx, func(model *C.hmtl_model, out **C.char) *C.hmtl_error {
			return C.hmtl_model_annotate_batch(model, views, C.size_t(len(texts)), copts, cancel, out)
		})
		return err
	})
	return array, err
}

// AnnotateTokens annotates a text that is split into tokens already. sentenceEnds has, for each
// sentence, the index after its last token; nil means one sentence. The text of the document has a
// space between tokens and a line for each sentence. A call that has begun is not cancelled.
func (m *Model) AnnotateTokens(ctx context.Context, tokens []string, sentenceEnds []int, opts *AnnotateOptions) (*Document, error) {
	return decode[*Document](m.AnnotateTokensJSON(ctx, tokens, sentenceEnds, opts))
}

// AnnotateTokensJSON is [Model.AnnotateTokens] as the library writes it.
func (m *Model) AnnotateTokensJSON(ctx context.Context, tokens []string, sentenceEnds []int, opts *AnnotateOptions) ([]byte, error) {
	var args arguments
	defer args.free()
	views, copts := args.views(tokens), args.options(opts)
	ends := args.sizes("sentenceEnds", sentenceEnds)
	if args.err != nil {
		return nil, args.err
	}
	return m.json(ctx, func(model *C.hmtl_model, out **C.char) *C.hmtl_error {
		return C.hmtl_model_annotate_tokens(model, views, C.size_t(len(tokens)),
			unsafe.SliceData(ends), C.size_t(len(ends)), copts, out)
	})
}

package hmtl

// #include <hmtl.h>
import "C"

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"runtime"
	"unsafe"
)

// Format is one of data sets.
type Format string

const (
	FormatCoNLL2003    Format = "conll2003"
	FormatCoNLL2012    Format = "conll2012"
	FormatDocRED       Format = "docred"
	FormatDyGIE        Format = "dygie"
	FormatCoNLL04      Format = "conll04"
	FormatGUM          Format = "gum"
	FormatLitBank      Format = "litbank"
	FormatBrat         Format = "brat"
	FormatKnowledgeNet Format = "knowledgenet"
	FormatJSONL        Format = "jsonl"
)

// Dataset is a read-only collection of documents with gold annotations.
type Dataset struct {
	handle handle
	length int
}

// OpenDataset reads the file or folder at path.
func OpenDataset(format Format, path string, opts *OpenOptions) (*Dataset, error) {
	var args arguments
	defer args.free()
	cformat, cpath, copts := args.str("format", string(format)), args.str("path", path), args.options(opts)
	if args.err != nil {
		return nil, args.err
	}
	var ptr *C.hmtl_dataset
	err := inSlot(context.Background(), func() error {
		return takeError(C.hmtl_dataset_open(cformat, cpath, copts, &ptr))
	})
	if err != nil {
		return nil, err
	}
	return newDataset(ptr), nil
}

// ReadDataset reads JSON Lines: a [Document] a line.
func ReadDataset(jsonl []byte) (*Dataset, error) {
	var ptr *C.hmtl_dataset
	err := inSlot(context.Background(), func() error {
		data := (*C.char)(unsafe.Pointer(unsafe.SliceData(jsonl)))
		return takeError(C.hmtl_dataset_from_jsonl(data, C.size_t(len(jsonl)), &ptr))
	})
	if err != nil {
		return nil, err
	}
	return newDataset(ptr), nil
}

// NewDataset makes a data set of documents, such as those that a model annotated and a person
// corrected.
func NewDataset(docs ...*Document) (*Dataset, error) {
	var jsonl bytes.Buffer
	lines := json.NewEncoder(&jsonl)
	for at, doc := range docs {
		if doc == nil {
			return nil, invalid("document %d is nil", at)
		}
		if err := lines.Encode(doc); err != nil {
			return nil, invalid("document %d: %v", at, err)
		}
	}
	return ReadDataset(jsonl.Bytes())
}

func newDataset(ptr *C.hmtl_dataset) *Dataset {
	d := &Dataset{
		handle: handle{ptr: unsafe.Pointer(ptr), free: func(ptr unsafe.Pointer) {
			C.hmtl_dataset_free((*C.hmtl_dataset)(ptr))
		}},
		length: int(C.hmtl_dataset_len(ptr)),
	}
	runtime.SetFinalizer(d, (*Dataset).Close)
	return d
}

// Close waits for the calls that use the data set and frees it. It may be called again, and always
// returns nil. A trainer that was given the data set keeps what it needs.
func (d *Dataset) Close() error {
	d.handle.close()
	runtime.SetFinalizer(d, nil)
	return nil
}

func (d *Dataset) json(call func(*C.hmtl_dataset, **C.char) *C.hmtl_error) (data []byte, err error) {
	err = d.handle.use(context.Background(), func(ptr unsafe.Pointer) error {
		data, err = takeJSON(func(out **C.char) *C.hmtl_error {
			return call((*C.hmtl_dataset)(ptr), out)
		})
		return err
	})
	return data, err
}

// Info describes the data set in numbers.
func (d *Dataset) Info() (*DatasetInfo, error) { return decode[*DatasetInfo](d.InfoJSON()) }

// InfoJSON is [Dataset.Info] as the library writes it.
func (d *Dataset) InfoJSON() ([]byte, error) {
	return d.json(func(dataset *C.hmtl_dataset, out **C.char) *C.hmtl_error {
		return C.hmtl_dataset_info(dataset, out)
	})
}

// Len returns the number of documents, also when the data set is closed.
func (d *Dataset) Len() int { return d.length }

// Document returns a document by its index.
func (d *Dataset) Document(index int) (*Document, error) {
	return decode[*Document](d.DocumentJSON(index))
}

// DocumentJSON is [Dataset.Document] as the library writes it.
func (d *Dataset) DocumentJSON(index int) ([]byte, error) {
	if index < 0 {
		return nil, invalid("index %d of a data set", index)
	}
	return d.json(func(dataset *C.hmtl_dataset, out **C.char) *C.hmtl_error {
		return C.hmtl_dataset_get(dataset, C.size_t(index), out)
	})
}

// All goes over the documents. It ends after an error.
func (d *Dataset) All() iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		for i := range d.length {
			doc, err := d.Document(i)
			if !yield(doc, err) || err != nil {
				return
			}
		}
	}
}

// Write writes the data set: in FormatJSONL, which holds all of it, FormatCoNLL2003 or
// FormatCoNLL2012 to the file path, in FormatBrat to the folder path. An older file is replaced. What
// a format has no place for is left out; nested mentions, which FormatCoNLL2003 cannot do without,
// are an error.
func (d *Dataset) Write(format Format, path string) error {
	var args arguments
	defer args.free()
	cformat, cpath := args.str("format", string(format)), args.str("path", path)
	if args.err != nil {
		return args.err
	}
	return d.handle.use(context.Background(), func(ptr unsafe.Pointer) error {
		return takeError(C.hmtl_dataset_write((*C.hmtl_dataset)(ptr), cformat, cpath))
	})
}

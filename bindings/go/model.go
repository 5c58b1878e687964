package hmtl

// #include <hmtl.h>
import "C"

import (
	"context"
	"runtime"
	"unsafe"
)

// Model is a trained model, ready to annotate. It never changes.
type Model struct{ handle handle }

// Load loads the model in directory dir. "" is the model that ships with the library: the directory
// that the environment's HMTL_MODEL names, or else share/hmtl/models/default of the installation.
func Load(dir string, opts *LoadOptions) (*Model, error) {
	var args arguments
	defer args.free()
	cdir, copts := args.optional("dir", dir), args.options(opts)
	if args.err != nil {
		return nil, args.err
	}
	var ptr *C.hmtl_model
	err := inSlot(context.Background(), func() error {
		return takeError(C.hmtl_model_load(cdir, copts, &ptr))
	})
	if err != nil {
		return nil, err
	}
	return newModel(ptr), nil
}

func newModel(ptr *C.hmtl_model) *Model {
	m := &Model{handle{ptr: unsafe.Pointer(ptr), free: func(ptr unsafe.Pointer) {
		C.hmtl_model_free((*C.hmtl_model)(ptr))
	}}}
	runtime.SetFinalizer(m, (*Model).Close)
	return m
}

// Close waits for the calls that use the model and frees it. It may be called again, and always
// returns nil.
func (m *Model) Close() error {
	m.handle.close()
	runtime.SetFinalizer(m, nil)
	return nil
}

// json makes a call that writes JSON.
func (m *Model) json(ctx context.Context, call func(*C.hmtl_model, **C.char) *C.hmtl_error) (data []byte, err error) {
	err = m.handle.use(ctx, func(ptr unsafe.Pointer) error {
		data, err = takeJSON(func(out **C.char) *C.hmtl_error {
			return call((*C.hmtl_model)(ptr), out)
		})
		return err
	})
	return data, err
}

// Info describes the model.
func (m *Model) Info() (*ModelInfo, error) { return decode[*ModelInfo](m.InfoJSON()) }

// InfoJSON is [Model.Info] as the library writes it.
func (m *Model) InfoJSON() ([]byte, error) {
	return m.json(context.Background(), func(model *C.hmtl_model, out **C.char) *C.hmtl_error {
		return C.hmtl_model_info(model, out)
	})
}

// Evaluate scores the model on a data set.
func (m *Model) Evaluate(ctx context.Context, data *Dataset, opts *EvaluateOptions) (Metrics, error) {
	return decode[Metrics](m.EvaluateJSON(ctx, data, opts))
}

// EvaluateJSON is [Model.Evaluate] as the library writes it.
func (m *Model) EvaluateJSON(ctx context.Context, data *Dataset, opts *EvaluateOptions) (metrics []byte, err error) {
	var args arguments
	defer args.free()
	copts := args.options(opts)
	if args.err != nil {
		return nil, args.err
	}
	dataset, err := data.handle.acquire()
	if err != nil {
		return nil, err
	}
	defer data.handle.calls.Done()
	err = withCancel(ctx, func(cancel *C.hmtl_cancel) error {
		metrics, err = m.json(ctx, func(model *C.hmtl_model, out **C.char) *C.hmtl_error {
			return C.hmtl_model_evaluate(model, (*C.hmtl_dataset)(dataset), copts, cancel, out)
		})
		return err
	})
	return metrics, err
}

// Save writes the model as a directory that [Load] takes, whole or not at all. It replaces an older
// model there, and nothing else.
func (m *Model) Save(dir string, opts *SaveOptions) error {
	var args arguments
	defer args.free()
	cdir, copts := args.str("dir", dir), args.options(opts)
	if args.err != nil {
		return args.err
	}
	return m.handle.use(context.Background(), func(ptr unsafe.Pointer) error {
		return takeError(C.hmtl_model_save((*C.hmtl_model)(ptr), cdir, copts))
	})
}

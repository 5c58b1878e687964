// Package hmtl extracts named entities, nested mentions, relations and coreference clusters from
// text, and trains models that do. It is a binding of the C library of the same name, which
// pkg-config must find when a program is built and the dynamic loader when it runs; package and
// library have the same version, and a release of the package has a tag bindings/go/vX.Y.Z.
//
//	model, err := hmtl.Load("", nil) // the model that ships with the library
//	if err != nil {
//		return err
//	}
//	defer model.Close()
//	doc, err := model.Annotate(ctx, "Ingrid Solberg was born in Bergen.", nil)
//
// # Results
//
// A method that returns a struct has a twin, such as [Model.AnnotateJSON], that returns what the
// library wrote, as it is. Newer libraries may add fields to it, which the structs here leave out.
// Options structs may be nil; their field Raw takes options that this package does not know yet.
//
// # Goroutines
//
// All methods of all types may be called from any number of goroutines. Those of a [Model] and a
// [Dataset] run at the same time: share one model, do not load one a goroutine. Those of a
// [Trainer] that change it wait for each other; [Trainer.Train] says what may be called meanwhile.
//
// A goroutine in a C call occupies a thread of the system. So that hundreds of goroutines do not
// become hundreds of threads, at most four calls for each of [runtime.GOMAXPROCS] at the start of
// the program are in the library at once; others wait their turn, or until their context is done.
// That costs no throughput: the library itself computes on a fixed set of threads. A training in
// progress is not counted.
//
// # Contexts
//
// A call that takes a context stops soon after the context is done, between two steps of its work,
// and returns an error for which errors.Is finds both [CodeCancelled] and the error of the context.
// A context that can be cancelled costs next to nothing.
//
// # Objects
//
// Close of a [Model], [Dataset] or [Trainer] waits for the calls that use it, frees it, and makes
// all later calls return [ErrClosed]. What is not closed is freed at some time after it became
// unreachable; as the garbage collector does not see the library's memory, that may be late.
package hmtl

package hmtl

// #include <stdlib.h>
// #include <string.h>
// #include <hmtl.h>
import "C"

import (
	"bytes"
	"encoding/json"
	"strings"
	"unsafe"
)

// arguments holds the C copies of a call's arguments, and the first that was not possible.
type arguments struct {
	blocks []unsafe.Pointer
	err    error
}

func (a *arguments) free() {
	for _, block := range a.blocks {
		C.free(block)
	}
}

// str is a string that ends in NUL. One that holds NUL is refused: it would be cut.
func (a *arguments) str(name, s string) *C.char {
	if at := strings.IndexByte(s, 0); at >= 0 {
		a.fail(invalid("%s holds a NUL byte at %d", name, at))
	}
	if a.err != nil {
		return nil
	}
	copied := C.CString(s)
	a.blocks = append(a.blocks, unsafe.Pointer(copied))
	return copied
}

// optional is NULL for "".
func (a *arguments) optional(name, s string) *C.char {
	if s == "" {
		return nil
	}
	return a.str(name, s)
}

// options is NULL for options that are nil.
func (a *arguments) options(o options) *C.char {
	encoded, err := o.encode()
	if err != nil {
		a.fail(invalid("options: %v", err))
	}
	if encoded == nil {
		return nil
	}
	return a.str("options", string(encoded))
}

// json is the text of a JSON value: text as it is, another value encoded.
func (a *arguments) json(name string, value any) *C.char {
	switch value := value.(type) {
	case string:
		return a.str(name, value)
	case []byte:
		return a.str(name, string(value))
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		a.fail(invalid("%s: %v", name, err))
	}
	return a.str(name, string(encoded))
}

// views copies texts into one C block: their views, then their bytes. The views cannot point to
// the Go strings, as memory that is passed to C must not hold Go pointers.
func (a *arguments) views(texts []string) *C.hmtl_str {
	if len(texts) == 0 || a.err != nil {
		return nil
	}
	head := len(texts) * int(unsafe.Sizeof(C.hmtl_str{}))
	size := head
	for _, text := range texts {
		size += len(text)
	}
	block := C.malloc(C.size_t(size)) // never nil: cgo ends the program instead
	a.blocks = append(a.blocks, block)
	views := unsafe.Slice((*C.hmtl_str)(block), len(texts))
	memory := unsafe.Slice((*byte)(block), size)
	for i, text := range texts {
		views[i] = C.hmtl_str{} // the zero view is the empty text
		if n := copy(memory[head:], text); n > 0 {
			views[i] = C.hmtl_str{data: (*C.char)(unsafe.Pointer(&memory[head])), len: C.size_t(n)}
			head += n
		}
	}
	return (*C.hmtl_str)(block)
}

func (a *arguments) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// takeJSON makes a call that writes a string; it copies and frees it.
func takeJSON(call func(out **C.char) *C.hmtl_error) ([]byte, error) {
	var out *C.char
	if err := takeError(call(&out)); err != nil {
		return nil, err
	}
	defer C.hmtl_string_free(out)
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(out)), C.strlen(out))), nil
}

// decode reads what the library wrote. Fields that are not known are left out: they are those of a
// newer library.
func decode[T any](data []byte, err error) (T, error) {
	var value T
	if err != nil {
		return value, err
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, &Error{Code: CodeInternal, Message: "the library's JSON: " + err.Error()}
	}
	return value, nil
}

// sizes is NULL for nil, and not for an empty list.
func (a *arguments) sizes(name string, numbers []int) []C.size_t {
	if numbers == nil {
		return nil
	}
	sizes := make([]C.size_t, len(numbers))
	for i, number := range numbers {
		if number < 0 {
			a.fail(invalid("%s[%d] is %d", name, i, number))
		}
		sizes[i] = C.size_t(number)
	}
	return sizes
}

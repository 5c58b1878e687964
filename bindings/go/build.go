package hmtl

// #include <hmtl.h>
import "C"

import (
	"context"
	"math"
)

// HeaderABI is the ABI version of the C header that the package was compiled with.
const HeaderABI = C.HMTL_ABI_VERSION

// Build describes a build of the library.
type Build struct {
	Version        string   `json:"hmtl"`
	ABI            int      `json:"abi"`
	LibTorch       string   `json:"libtorch"` // "" when not known
	CUDA           string   `json:"cuda"`     // the version found at run time, or ""
	DocumentFormat int      `json:"document_format"`
	ModelFormat    int      `json:"model_format"`
	Formats        []Format `json:"formats"` // of data sets
	Heads          []string `json:"heads"`
	Encoders       []string `json:"encoders"`
}

// Device is what a model can compute on.
type Device struct {
	Name   string `json:"name"`             // as LoadOptions takes it
	Model  string `json:"model,omitempty"`  // of a GPU
	Memory uint64 `json:"memory,omitempty"` // of a GPU, in bytes
}

// Version returns the version of the library, "MAJOR.MINOR.PATCH".
func Version() string { return C.GoString(C.hmtl_version()) }

// ABIVersion returns the ABI version of the library; it is [HeaderABI] if the loader found the right
// one.
func ABIVersion() uint32 { return uint32(C.hmtl_abi_version()) }

// BuildInfo describes the build of the library.
func BuildInfo() (*Build, error) { return decode[*Build](BuildInfoJSON()) }

// BuildInfoJSON is [BuildInfo] as the library writes it.
func BuildInfoJSON() (data []byte, err error) {
	err = inSlot(context.Background(), func() error {
		data, err = takeJSON(func(out **C.char) *C.hmtl_error { return C.hmtl_build_info(out) })
		return err
	})
	return data, err
}

// Devices lists the devices that the process can use, the CPU first.
func Devices() ([]Device, error) { return decode[[]Device](DevicesJSON()) }

// DevicesJSON is [Devices] as the library writes them.
func DevicesJSON() (data []byte, err error) {
	err = inSlot(context.Background(), func() error {
		data, err = takeJSON(func(out **C.char) *C.hmtl_error { return C.hmtl_devices(out) })
		return err
	})
	return data, err
}

// SetNumThreads sets the number of CPU threads that one operation may use, 1 at first, for the whole
// process. Texts are computed in parallel without it.
func SetNumThreads(count int) error {
	if count < 0 || count > math.MaxInt32 {
		return invalid("%d is not a number of threads", count)
	}
	return takeError(C.hmtl_set_num_threads(C.uint32_t(count)))
}

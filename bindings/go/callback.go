package hmtl

// #include <stdint.h>
import "C"

import "runtime/cgo"

// hmtl_go_event is called by the library between two steps. While it runs, the trainer may be read.
//
//export hmtl_go_event
func hmtl_go_event(event *C.char, handle C.uintptr_t) {
	r := cgo.Handle(handle).Value().(*training)
	r.trainer.state.Unlock()
	defer r.trainer.state.Lock()
	if r.events == nil {
		return
	}
	select {
	case <-r.goOn: // closed: the event function has panicked
	case r.events <- []byte(C.GoString(event)):
		<-r.goOn
	}
}

// hmtl_go_log is called by the library, from any thread.
//
//export hmtl_go_log
func hmtl_go_log(level C.int32_t, message *C.char, handle C.uintptr_t) {
	defer func() {
		if r := recover(); r != nil {
			go panic(r) // it must not unwind the library's frames
		}
	}()
	cgo.Handle(handle).Value().(func(LogLevel, string))(LogLevel(level), C.GoString(message))
}

use std::ffi::{CString, c_char};

/// A borrowed UTF-8 string that need not end in NUL. `data` may be NULL when `len` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct hmtl_str {
    /// The bytes.
    pub data: *const c_char,
    /// How many bytes there are.
    pub len: usize,
}

/// Frees a string that the library returned through an `out_` parameter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_string_free(string: *mut c_char) {
    if !string.is_null() {
        // SAFETY: it came from `CString::into_raw`, and is freed once.
        drop(unsafe { CString::from_raw(string) });
    }
}

use std::ffi::{CString, c_char};

use crate::Error;

/// What went wrong. New codes may be added: treat an unknown one as HMTL_CODE_INTERNAL.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum hmtl_code {
    /// No error.
    Ok = 0,
    /// A NULL, out-of-range or malformed argument, including bad option JSON.
    InvalidArgument = 1,
    /// A file could not be read or written.
    Io = 2,
    /// A model or checkpoint is damaged or of an unknown format version.
    Format = 3,
    /// The configuration names something unknown or contradicts itself.
    Config = 4,
    /// The data set does not follow its declared format.
    Data = 5,
    /// The device is missing or out of memory.
    Device = 6,
    /// The call was cancelled.
    Cancelled = 7,
    /// This build or process cannot do it, such as after a fork.
    Unsupported = 8,
    /// A bug in the library; please report it.
    Internal = 9,
}

/// An error: a code and a message.
pub struct hmtl_error {
    code: hmtl_code,
    message: CString,
}

impl hmtl_error {
    pub(super) fn into_raw(error: &Error) -> *mut hmtl_error {
        // One line, and no byte that ends a C string: an argument may be quoted in it.
        let line: String = error.to_string().chars().map(printable).collect();
        let message = CString::new(line).unwrap_or_default();
        Box::into_raw(Box::new(hmtl_error { code: code(error), message }))
    }
}

fn printable(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

fn code(error: &Error) -> hmtl_code {
    match error {
        Error::InvalidArgument(_) => hmtl_code::InvalidArgument,
        Error::Io { .. } => hmtl_code::Io,
        Error::Format { .. } => hmtl_code::Format,
        Error::Config(_) => hmtl_code::Config,
        Error::Data { .. } => hmtl_code::Data,
        Error::Device(_) => hmtl_code::Device,
        Error::Cancelled => hmtl_code::Cancelled,
        Error::Unsupported(_) => hmtl_code::Unsupported,
        error if error.is_out_of_memory() => hmtl_code::Device,
        Error::Torch(_) | Error::Internal(_) => hmtl_code::Internal,
    }
}

/// Returns the code of `error`; HMTL_CODE_OK when `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_error_code(error: *const hmtl_error) -> hmtl_code {
    // SAFETY: as the header says.
    unsafe { error.as_ref() }.map_or(hmtl_code::Ok, |e| e.code)
}

/// Returns the message of `error`, one line of English, borrowed from `error`; "" when it is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_error_message(error: *const hmtl_error) -> *const c_char {
    // SAFETY: as the header says.
    unsafe { error.as_ref() }.map_or(c"".as_ptr(), |e| e.message.as_ptr())
}

/// Frees `error`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_error_free(error: *mut hmtl_error) {
    // SAFETY: as the header says.
    unsafe { super::arguments::free(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_it_quotes() {
        let raw = hmtl_error::into_raw(&Error::invalid("unknown field `a\nb\0c`"));
        // SAFETY: the error was just made.
        let message = unsafe { std::ffi::CStr::from_ptr(hmtl_error_message(raw)) };
        assert_eq!(message.to_str().unwrap(), "unknown field `a b\u{fffd}c`");
        // SAFETY: the error is not used again.
        unsafe { hmtl_error_free(raw) };
    }

    #[test]
    fn a_lack_of_memory_is_the_device_s() {
        let said = [
            "CUDA out of memory. Tried to allocate",
            "DefaultCPUAllocator: can't allocate memory",
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        ];
        for said in said {
            assert_eq!(code(&Error::Torch(said.into())), hmtl_code::Device, "{said}");
        }
        assert_eq!(code(&Error::Torch("sizes differ".into())), hmtl_code::Internal);
    }
}

//! Checks of what C passes in, and the way results go out.

use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{hmtl_error, hmtl_str};
use crate::engine::guarded;
use crate::{Error, Result};

/// Runs `body` at the C boundary: an error or a panic becomes an owned `hmtl_error`.
pub(super) fn guard(body: impl FnOnce() -> Result<()>) -> *mut hmtl_error {
    match guarded(body) {
        Ok(()) => ptr::null_mut(),
        Err(error) => hmtl_error::into_raw(&error),
    }
}

/// An output parameter, known not to be NULL.
pub(super) struct Out<T>(*mut T);

impl<T> Out<T> {
    /// Checked before the work, which would be lost.
    pub(super) unsafe fn new(out: *mut T, name: &str) -> Result<Self> {
        if out.is_null() { Err(null(name)) } else { Ok(Self(out)) }
    }

    /// An output that the caller may leave out.
    pub(super) fn new_or_none(out: *mut T) -> Option<Self> {
        (!out.is_null()).then_some(Self(out))
    }

    pub(super) fn write(self, value: T) {
        // SAFETY: `new` was given a pointer to write to.
        unsafe { self.0.write(value) }
    }
}

impl<T> Out<*mut T> {
    /// Hands an object over to the caller.
    pub(super) fn give(self, value: T) {
        self.write(Box::into_raw(Box::new(value)));
    }
}

impl Out<*mut c_char> {
    /// Hands JSON over to the caller. JSON escapes NUL.
    pub(super) fn json(self, value: &impl Serialize) -> Result<()> {
        self.text(json(value)?)
    }

    /// Hands items over as an array.
    pub(super) fn json_array(self, items: &[Vec<u8>]) -> Result<()> {
        let size = items.iter().map(|item| item.len() + 1).sum::<usize>() + 1;
        let mut all = Vec::with_capacity(size + 1);
        all.push(b'[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                all.push(b',');
            }
            all.extend_from_slice(item);
        }
        all.push(b']');
        self.text(all)
    }

    fn text(self, json: Vec<u8>) -> Result<()> {
        let json = CString::new(json).map_err(|e| Error::Internal(e.to_string()))?;
        self.write(json.into_raw());
        Ok(())
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Internal(e.to_string()))
}

fn null(name: &str) -> Error {
    Error::invalid(format!("{name} is NULL"))
}

/// The object behind `ptr`.
pub(super) unsafe fn required<'a, T>(ptr: *const T, name: &str) -> Result<&'a T> {
    // SAFETY: the caller's contract: NULL or valid.
    unsafe { ptr.as_ref() }.ok_or_else(|| null(name))
}

/// A string that ends in NUL; NULL is `None`.
pub(super) unsafe fn optional_str<'a>(ptr: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if ptr.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and the caller's contract says that it ends in NUL.
    utf8(unsafe { CStr::from_ptr(ptr) }.to_bytes(), name).map(Some)
}

pub(super) unsafe fn required_str<'a>(ptr: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: passed on.
    unsafe { optional_str(ptr, name) }?.ok_or_else(|| null(name))
}

/// The name of a file or folder.
pub(super) unsafe fn path<'a>(ptr: *const c_char, name: &str) -> Result<&'a Path> {
    // SAFETY: passed on.
    let path = unsafe { required_str(ptr, name) }?;
    // No error of the system would name it.
    if path.is_empty() {
        return Err(Error::invalid(format!("{name} is empty")));
    }
    Ok(Path::new(path))
}

/// A text with its length; NULL only with length 0.
pub(super) unsafe fn text<'a>(data: *const c_char, len: usize, name: &str) -> Result<&'a str> {
    // SAFETY: passed on.
    utf8(unsafe { slice(data.cast(), len, name) }?, name)
}

/// Texts with their lengths.
pub(super) unsafe fn texts<'a>(
    texts: *const hmtl_str,
    count: usize,
    name: &str,
) -> Result<Vec<&'a str>> {
    // SAFETY: passed on.
    let texts = unsafe { slice(texts, count, name) }?;
    let one = |(at, s): (usize, &hmtl_str)| {
        // SAFETY: passed on.
        unsafe { text(s.data, s.len, &format!("{name}[{at}]")) }
    };
    texts.iter().enumerate().map(one).collect()
}

/// An array with its length; NULL only with length 0.
pub(super) unsafe fn slice<'a, T>(data: *const T, len: usize, name: &str) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(null(name));
    }
    if !data.is_aligned() {
        return Err(Error::invalid(format!("{name} is not aligned")));
    }
    // Such as a negative number passed as a length.
    if len > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Error::invalid(format!("the length of {name} is impossible: {len}")));
    }
    // SAFETY: not NULL, aligned, of a possible size, and valid by the caller's contract.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

fn utf8<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|e| {
        Error::invalid(format!("{name} is not valid UTF-8 at byte {}", e.valid_up_to()))
    })
}

/// Options as JSON; NULL means all defaults.
pub(super) unsafe fn options<T: DeserializeOwned + Default>(json: *const c_char) -> Result<T> {
    let name = "options_json";
    // SAFETY: passed on.
    let Some(json) = (unsafe { optional_str(json, name) })? else {
        return Ok(T::default());
    };
    // A struct could also be read from an array, by the order of its fields.
    if !json.trim_start().starts_with('{') {
        return Err(Error::invalid(format!("{name} is not a JSON object")));
    }
    serde_json::from_str(json).map_err(|e| Error::invalid(format!("{name}: {e}")))
}

/// Frees what [`Out::give`] handed over; NULL is nothing.
pub(super) unsafe fn free<T>(ptr: *mut T) {
    if !ptr.is_null() {
        let free = || {
            // SAFETY: the caller's contract: it came from `Box::into_raw`, and is freed once.
            drop(unsafe { Box::from_raw(ptr) });
            Ok(())
        };
        if let Err(error) = guarded(free) {
            log::error!("{error}");
        }
    }
}

//! Panics of our own code become errors, without a word on the host's standard error.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::error::first_line;
use crate::{Error, Result};

thread_local! {
    /// How many guarded calls this thread is in.
    static GUARDED: Cell<usize> = const { Cell::new(0) };
}

/// Runs `body`; a panic in it is an error and prints nothing. Other panics of the process go to
/// the hook that was there before.
pub(crate) fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    install_hook();
    let _guard = Guard::new();
    panic::catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(error(&*payload)))
}

struct Guard;

impl Guard {
    fn new() -> Self {
        let _ = GUARDED.try_with(|depth| depth.set(depth.get() + 1));
        Self
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = GUARDED.try_with(|depth| depth.set(depth.get() - 1));
    }
}

fn install_hook() {
    static INSTALLED: Once = Once::new();
    // A hook cannot be set while the thread unwinds: the next call sets it.
    if INSTALLED.is_completed() || std::thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if GUARDED.try_with(Cell::get).unwrap_or(0) == 0 {
                previous(info);
            }
        }));
    });
}

/// The non-`f_` operations of `tch` panic with the text of LibTorch's error, quoted.
fn error(payload: &(dyn Any + Send)) -> Error {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown panic");
    match text.split_once("Torch(\"") {
        Some((_, quoted)) => {
            let message = quoted.split("\\n").next().unwrap_or_default();
            Error::Torch(first_line(message.trim_end_matches("\")")).to_owned())
        }
        None => Error::Internal(first_line(text).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_internal_error_of_one_line() {
        let result: Result<()> = guarded(|| panic!("first\nsecond"));
        assert_eq!(result.unwrap_err().to_string(), "internal error: first; please report it");
    }

    #[test]
    fn a_torch_panic_keeps_only_the_message_of_torch() {
        let result = guarded(|| {
            let (a, b) = (tch::Tensor::from_slice(&[1.0, 2.0]), tch::Tensor::from_slice(&[1.0]));
            Ok(a.view([2, 1]).matmul(&b.view([1, 1]).repeat([3, 1])))
        });
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with("torch: mat1 and mat2"), "{message}");
        assert!(!message.contains("Exception raised"), "{message}");
    }
}

//! Many threads, one model: the same results, and no more threads than the workers.

mod common;

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use hmtl::ffi::*;

const CALLERS: usize = 16;
const ROUNDS: usize = 40;
const SENTENCES: [&str; 6] = [
    "Maria Keller founded Nordlicht in Oslo .",
    "She sold the company",
    "x",
    "in in in in in in in in in in in in in in in in in in in in",
    "The company she founded sold the company in which she sold Nordlicht .",
    "",
];

struct Shared(*mut hmtl_model);
// SAFETY: the header lets calls on one model overlap.
unsafe impl Sync for Shared {}

impl Shared {
    /// As tokens and as text, in one string.
    fn annotate(&self, sentence: &str) -> String {
        self.annotate_tokens(sentence) + &self.annotate_text(sentence)
    }

    fn annotate_text(&self, text: &str) -> String {
        let mut json = ptr::null_mut();
        // SAFETY: all pointers are valid for the call.
        unsafe {
            let data = text.as_ptr().cast();
            let error = hmtl_model_annotate(self.0, data, text.len(), ptr::null(), &mut json);
            assert!(error.is_null(), "{:?}", CStr::from_ptr(hmtl_error_message(error)));
            take(json)
        }
    }

    fn annotate_tokens(&self, sentence: &str) -> String {
        let tokens: Vec<hmtl_str> = sentence
            .split_whitespace()
            .map(|t| hmtl_str { data: t.as_ptr().cast::<c_char>(), len: t.len() })
            .collect();
        let mut json = ptr::null_mut();
        // SAFETY: all pointers are valid for the call.
        unsafe {
            let error = hmtl_model_annotate_tokens(
                self.0,
                tokens.as_ptr(),
                tokens.len(),
                ptr::null(),
                0,
                ptr::null(),
                &mut json,
            );
            assert!(error.is_null(), "{:?}", CStr::from_ptr(hmtl_error_message(error)));
            take(json)
        }
    }
}

/// Copies and frees a string of the library.
unsafe fn take(json: *mut c_char) -> String {
    // SAFETY: the library made it, and it is not used again.
    unsafe {
        let copy = CStr::from_ptr(json).to_str().unwrap().to_owned();
        hmtl_string_free(json);
        copy
    }
}

fn threads() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("Threads:")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
fn sixteen_callers_get_what_one_gets_from_a_fixed_number_of_threads() {
    let dir = common::tiny_model();
    let path = CString::new(dir.path().join("model").to_str().unwrap()).unwrap();
    let mut model = ptr::null_mut();
    // SAFETY: all pointers are valid for the call.
    let error = unsafe { hmtl_model_load(path.as_ptr(), ptr::null(), &mut model) };
    assert!(error.is_null());
    let model = Shared(model);
    let alone: Vec<String> = SENTENCES.iter().map(|s| model.annotate(s)).collect();
    assert!(alone[0].contains("\"mentions\":[{"), "{}", alone[0]);
    let before = threads();
    let most = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let start = |caller| {
            let (model, alone, most) = (&model, &alone, &most);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let at = (caller + round) % SENTENCES.len();
                    assert_eq!(model.annotate(SENTENCES[at]), alone[at]);
                    most.fetch_max(threads(), Ordering::Relaxed);
                }
            })
        };
        let callers: Vec<_> = (0..CALLERS).map(start).collect();
        // The end of the scope waits for the closures, not for the threads that ran them.
        callers.into_iter().for_each(|caller| caller.join().unwrap());
    });
    assert!(most.into_inner() <= before + CALLERS, "the library started threads");
    assert_eq!(threads(), before, "callers left threads behind");
    // SAFETY: no call uses it any more.
    unsafe { hmtl_model_free(model.0) };
}

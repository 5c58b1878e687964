use std::ffi::c_char;

use serde_json::json;

use super::arguments::{Out, guard};
use super::hmtl_error;
use crate::data::Format;
use crate::{DOCUMENT_FORMAT, device, model};

/// ABI version of this header; grows only when an existing symbol changes.
pub const HMTL_ABI_VERSION: u32 = 0;

/// Returns the library version, "MAJOR.MINOR.PATCH". Valid for the life of the process.
#[unsafe(no_mangle)]
pub extern "C" fn hmtl_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// Returns the ABI version of the loaded library; compare it with HMTL_ABI_VERSION.
#[unsafe(no_mangle)]
pub extern "C" fn hmtl_abi_version() -> u32 {
    HMTL_ABI_VERSION
}

/// Describes the build as JSON: `{"hmtl":"0.1.0","abi":0,"libtorch":"2.11.0","cuda":null,
/// "document_format":1,"model_format":1,"formats":["conll2003",...],"heads":["crf_tagger",...],
/// "encoders":["lstm","mix"]}`.
///
/// `cuda` is the version that was found at run time.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_build_info(out_json: *mut *mut c_char) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let out = unsafe { Out::new(out_json, "out_json") }?;
        let torch = device::torch_version().map(|(a, b, c)| format!("{a}.{b}.{c}"));
        out.json(&json!({
            "hmtl": env!("CARGO_PKG_VERSION"),
            "abi": HMTL_ABI_VERSION,
            "libtorch": torch,
            "cuda": device::cuda_version(),
            "document_format": DOCUMENT_FORMAT,
            "model_format": model::MODEL_FORMAT,
            "formats": Format::ALL.map(Format::name),
            "heads": ["crf_tagger", "biaffine", "head_selection", "mention_pairs", "mention_ranking"],
            "encoders": ["lstm", "mix"],
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soname_carries_the_abi_version() {
        assert_eq!(env!("HMTL_ABI_VERSION"), HMTL_ABI_VERSION.to_string());
    }
}

//! What several test programs need.
#![allow(dead_code)] // each program uses a part
#![allow(clippy::print_stderr)] // a skipped test must say so

use std::path::PathBuf;

/// Keeps LibTorch to the calling thread: a pool that spins while another program holds a core
/// makes small tensors tens of times slower.
pub fn one_thread() {
    tch::set_num_threads(1);
}

/// The folder of corpora and references beside the project, or `None`, saying so loudly.
pub fn shared(part: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HMTL_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = root.join("data").join(part);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: needs {part} in the shared data folder, which is not here");
    None
}

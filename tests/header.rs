//! The header is generated: `HMTL_BLESS=1 cargo test --test header` rewrites it.

use std::path::Path;
use std::{env, fs};

/// The header from the files of `src/ffi`, in the order in which its `mod.rs` names them. Given
/// the crate, cbindgen would add constants that are none of C's business.
fn generate(root: &Path) -> Vec<u8> {
    let ffi = root.join("src/ffi");
    let modules = fs::read_to_string(ffi.join("mod.rs")).unwrap();
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in modules.lines().filter_map(|l| l.strip_prefix("mod ")?.strip_suffix(';')) {
        builder = builder.with_src(ffi.join(name).with_extension("rs"));
    }
    let mut header = Vec::new();
    builder.generate().expect("cbindgen").write(&mut header);
    header
}

#[test]
fn header_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let generated = generate(root);
    let path = root.join("include/hmtl.h");
    if env::var_os("HMTL_BLESS").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read(&path).unwrap_or_default();
    assert!(committed == generated, "include/hmtl.h is stale; run `make header`");
}

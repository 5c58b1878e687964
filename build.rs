//! Linker settings: the SONAME, where to find LibTorch at run time, and which symbols leave.

use std::env;

/// Grows only when an existing symbol of the C API changes; `HMTL_ABI_VERSION` in the header.
const ABI_VERSION: u32 = 0;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=HMTL_ABI_VERSION={ABI_VERSION}");
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        return;
    }
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libhmtl.so.{ABI_VERSION}");
    // Dependencies must not leak their symbols into the host.
    println!("cargo:rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    // An installed library finds LibTorch beside it; one run from the build tree, where it was linked.
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN:$ORIGIN/hmtl:$ORIGIN/../lib/hmtl");
    if let Ok(dir) = env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{dir}");
    }
}

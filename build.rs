//! Linker settings: the SONAME, where to find LibTorch at run time, and which symbols leave.

use std::env;
use std::path::{Path, PathBuf};

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
    // dlclose must not unmap the code of threads that run.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // First where `make install` puts LibTorch, seen from lib/ and from bin/.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-rpath,$ORIGIN/hmtl/torch/lib");
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,$ORIGIN/../lib/hmtl/torch/lib");
    if let Some(torch) = env::var_os("DEP_TCH_LIBTORCH_LIB") {
        for dir in build_tree_dirs(Path::new(&torch)) {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{dir}");
        }
    }
}

/// Where the files in the target directory find the LibTorch they were linked with.
///
/// When both lie in the project the way is relative, so that an installed file names no path of the
/// machine that built it: from `target/release`, and from `deps` and `examples` one level below.
fn build_tree_dirs(torch: &Path) -> Vec<String> {
    relative(torch).map_or_else(
        || vec![torch.display().to_string()],
        |way| vec![format!("$ORIGIN/{way}"), format!("$ORIGIN/../{way}")],
    )
}

/// The way from the profile's folder to `torch`, when both lie in the project.
fn relative(torch: &Path) -> Option<String> {
    let project = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).canonicalize().ok()?;
    let out = PathBuf::from(env::var_os("OUT_DIR")?).canonicalize().ok()?;
    let profile = out.ancestors().nth(3)?; // OUT_DIR is <profile>/build/hmtl-<hash>/out
    let up = profile.strip_prefix(&project).ok()?.components().count();
    let torch = torch.canonicalize().ok()?;
    let below = torch.strip_prefix(&project).ok()?.to_str()?;
    Some(format!("{}{below}", "../".repeat(up)))
}

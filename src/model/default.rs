//! Where the model that ships with the library lies.

use std::ffi::{CStr, OsStr, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Names the directory of the default model.
const VARIABLE: &str = "HMTL_MODEL";

/// The directory of the default model: `HMTL_MODEL`, or where it is installed with the library, or
/// that of the source tree in which the library was built.
pub(super) fn default_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os(VARIABLE).filter(|v| !v.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let places = own_file().map_or_else(Vec::new, |file| places(&file));
    if let Some(dir) = places.iter().find(|dir| dir.is_dir()) {
        return Ok(dir.clone());
    }
    let places: Vec<String> = places.iter().map(|dir| dir.display().to_string()).collect();
    Err(Error::InvalidArgument(format!(
        "there is no default model in {}; install one, set {VARIABLE} or name a model directory",
        places.join(" or ")
    )))
}

/// The places that go with a library or an executable at `file`.
fn places(file: &Path) -> Vec<PathBuf> {
    let Some(folder) = file.parent() else { return Vec::new() };
    let mut places = vec![folder.join("hmtl/models/default")];
    if let Some(prefix) = folder.parent() {
        places.insert(0, prefix.join("share/hmtl/models/default"));
    }
    // Built, not installed: the target folder lies in the source tree.
    let is_source = |dir: &&Path| dir.join("Cargo.toml").is_file() && dir.join("models").is_dir();
    places.extend(folder.ancestors().find(is_source).map(|dir| dir.join("models/default")));
    places
}

/// The file that this code was loaded from: the shared library, or the executable it is part of.
fn own_file() -> Option<PathBuf> {
    // SAFETY: all zeros is a valid Dl_info.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    let address = own_file as *const c_void;
    // SAFETY: dladdr looks an address up and fills in `info`; the name is a C string that lives as
    // long as the library.
    let name = unsafe {
        let found = libc::dladdr(address, &mut info) != 0 && !info.dli_fname.is_null();
        found.then(|| CStr::from_ptr(info.dli_fname))
    };
    // The executable is known by the name it was called with, which need not be a path.
    let library = name.map(|n| Path::new(OsStr::from_bytes(n.to_bytes())));
    library
        .filter(|path| path.components().count() > 1)
        .and_then(|path| path.canonicalize().ok())
        .or_else(|| std::env::current_exe().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_knows_the_file_it_is_in() {
        let own = own_file().unwrap();
        assert_eq!(own, std::env::current_exe().unwrap().canonicalize().unwrap());
    }

    #[test]
    fn an_installed_library_looks_beside_itself() {
        let places = places(Path::new("/opt/x/lib/libhmtl.so.0.1.0"));
        assert_eq!(places[0], Path::new("/opt/x/share/hmtl/models/default"));
        assert_eq!(places[1], Path::new("/opt/x/lib/hmtl/models/default"));
        assert_eq!(places.len(), 2);
    }
}

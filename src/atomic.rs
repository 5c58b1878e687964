//! Folders that are there whole or not at all.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::{Error, Result};

/// Puts a folder at `dir`, with the files that `write` puts into the folder it is given. A folder
/// that stands at `dir` goes; on an error, or when the process is killed, it stays as it was.
pub(crate) fn replace(dir: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
    // Beside its place, so that it only needs to be renamed. What is in it at the end goes.
    let temporary = tempfile::Builder::new()
        .prefix(".hmtl-")
        .tempdir_in(parent)
        .map_err(|e| Error::io(parent, e))?;
    let new = temporary.path().join("new");
    fs::create_dir(&new).map_err(|e| Error::io(&new, e))?;
    write(&new)?;
    sync(&new)?;
    if !dir.exists() {
        fs::rename(&new, dir).map_err(|e| Error::io(dir, e))?;
    } else if !exchange(&new, dir) {
        // A file system that cannot swap: for a moment there is none.
        let old = temporary.path().join("old");
        fs::rename(dir, &old).map_err(|e| Error::io(dir, e))?;
        if let Err(error) = fs::rename(&new, dir) {
            let _ = fs::rename(&old, dir);
            return Err(Error::io(dir, error));
        }
    }
    sync(parent)
}

/// Swaps two folders in one step, where the file system can.
fn exchange(a: &Path, b: &Path) -> bool {
    let path = |p: &Path| CString::new(p.as_os_str().as_bytes()).ok();
    let (Some(a), Some(b)) = (path(a), path(b)) else { return false };
    let here = libc::AT_FDCWD;
    // SAFETY: two paths that end in NUL.
    let result = unsafe {
        libc::syscall(
            libc::SYS_renameat2,
            here,
            a.as_ptr(),
            here,
            b.as_ptr(),
            libc::RENAME_EXCHANGE,
        )
    };
    result == 0
}

/// Writes a file, and waits until it is on the disk: a rename must not reach it before what it
/// names.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|e| Error::io(path, e))?;
    sync(path)
}

/// Waits until a file or folder is on the disk.
pub(crate) fn sync(path: &Path) -> Result<()> {
    fs::File::open(path).and_then(|f| f.sync_all()).map_err(|e| Error::io(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_replaced_whole_and_kept_on_an_error() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("deep/er");
        let put = |name: &'static str| replace(&dir, move |new| write(&new.join(name), b"x"));
        put("a").unwrap();
        put("b").unwrap();
        let names = || {
            let mut names: Vec<_> = fs::read_dir(&dir)
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(), ["b"]);
        let failed = replace(&dir, |new| {
            write(&new.join("c"), b"x")?;
            Err(Error::Cancelled)
        });
        assert!(failed.is_err());
        assert_eq!(names(), ["b"]);
        assert_eq!(fs::read_dir(root.path().join("deep")).unwrap().count(), 1);
    }
}

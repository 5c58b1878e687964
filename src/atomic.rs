//! Folders that are there whole or not at all.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::{Error, Result};

/// Folders of this name hold what is being written, beside its place.
const TEMPORARY: &str = ".hmtl-";
/// Within it, what stood there before, under its own name.
const ASIDE: &str = "old";

/// Puts a folder at `dir`, with the files that `write` puts into the folder it is given. A folder
/// that stands at `dir` goes; on an error, or when the process is killed, it stays as it was.
pub(crate) fn replace(dir: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = parent(dir);
    fs::create_dir_all(parent).map_err(|e| Error::io(parent, e))?;
    sweep(parent);
    // Beside its place, so that it only needs to be renamed. What is in it at the end goes.
    let (temporary, _lock) = temporary(parent).map_err(|e| Error::io(parent, e))?;
    let new = temporary.path().join("new");
    fs::create_dir(&new).map_err(|e| Error::io(&new, e))?;
    write(&new)?;
    sync(&new)?;
    if !dir.exists() {
        fs::rename(&new, dir).map_err(|e| Error::io(dir, e))?;
    } else if !exchange(&new, dir) {
        // A file system that cannot swap: for a moment there is none. Its name says where it
        // belongs, should the process be killed just then.
        let aside = temporary.path().join(ASIDE);
        fs::create_dir(&aside).map_err(|e| Error::io(&aside, e))?;
        let old = aside.join(dir.file_name().unwrap_or_default());
        fs::rename(dir, &old).map_err(|e| Error::io(dir, e))?;
        if let Err(error) = fs::rename(&new, dir) {
            let _ = fs::rename(&old, dir);
            return Err(Error::io(dir, error));
        }
    }
    sync(parent)
}

/// A folder to write to, with a lock that says until the end of the process that it is in use.
fn temporary(parent: &Path) -> std::io::Result<(TempDir, Option<File>)> {
    loop {
        let dir = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(parent)?;
        let lock = File::open(dir.path()).and_then(|f| f.lock().map(|()| f)).ok();
        // Another process may have swept it away before it was locked.
        if dir.path().exists() {
            return Ok((dir, lock));
        }
    }
}

/// Puts back what a killed process had moved aside from `dir`.
pub(crate) fn recover(dir: &Path) {
    if !dir.exists() {
        sweep(parent(dir));
    }
}

fn parent(dir: &Path) -> &Path {
    dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes what killed processes left half written in a folder, and puts back what they had moved
/// aside. What cannot be locked or removed stays: it only takes room.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let left = entry.path();
        if !entry.file_name().as_bytes().starts_with(TEMPORARY.as_bytes()) || !left.is_dir() {
            continue;
        }
        let Ok(lock) = File::open(&left) else { continue };
        if lock.try_lock().is_err() {
            continue; // in use
        }
        for moved in fs::read_dir(left.join(ASIDE)).into_iter().flatten().flatten() {
            let place = parent.join(moved.file_name());
            if !place.exists() {
                let _ = fs::rename(moved.path(), place);
            }
        }
        let _ = fs::remove_dir_all(&left);
    }
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
    File::open(path).and_then(|f| f.sync_all()).map_err(|e| Error::io(path, e))
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

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_it_moved_aside_put_back() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        fs::create_dir_all(at(".hmtl-killed/new")).unwrap();
        fs::create_dir_all(at(".hmtl-killed/old/model")).unwrap();
        fs::write(at(".hmtl-killed/old/model/a"), b"x").unwrap();
        let (in_use, _lock) = temporary(root.path()).unwrap();
        replace(&at("other"), |new| write(&new.join("b"), b"x")).unwrap();
        assert!(!at(".hmtl-killed").exists() && at("model/a").exists() && at("other/b").exists());
        assert!(in_use.path().exists());
    }
}

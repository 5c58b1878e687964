//! [`FileBytes`]: the bytes of a file, in memory that goes back to the system when they are freed.
//!
//! On the heap of a worker the many megabytes of a model's weights would leave a hole that nothing else
//! fills, and a host that loads models again and again would grow.

use std::fs::File;
use std::io::{Error, Read as _, Result};
use std::ops::Deref;
use std::path::Path;

use memmap2::MmapMut;

/// See the module; `None` is nothing, which cannot be mapped.
#[derive(Debug, Default)]
pub(super) struct FileBytes(Option<MmapMut>);

impl FileBytes {
    /// A copy of a file: a file that is mapped itself changes under its reader, or ends it by a signal when
    /// it is cut.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        let length = usize::try_from(file.metadata()?.len()).map_err(Error::other)?;
        if length == 0 {
            return Ok(Self(None));
        }
        let mut map = MmapMut::map_anon(length)?;
        file.read_exact(&mut map)?;
        Ok(Self(Some(map)))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_file_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for bytes in [&b""[..], b"some bytes"] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(*FileBytes::read(&path).unwrap(), *bytes);
        }
        let missing = FileBytes::read(&dir.path().join("g")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(FileBytes::read(dir.path()).is_err());
    }
}

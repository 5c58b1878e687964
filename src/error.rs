//! The library's error type: one line, lower case, says what to do.

use std::path::{Path, PathBuf};

use thiserror::Error;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. The variants are the codes of the C API.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// A NULL, out-of-range or malformed argument, including bad option JSON.
    #[error("{0}")]
    InvalidArgument(String),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    /// A model or checkpoint is damaged or of an unknown format version.
    #[error("{path}: {message}")]
    Format { path: PathBuf, message: String },
    /// A configuration names something unknown or contradicts itself.
    #[error("config: {0}")]
    Config(String),
    /// A data set does not follow its declared format; `line` counts from 1, 0 when unknown.
    #[error("{path}:{line}: {message}")]
    Data { path: PathBuf, line: usize, message: String },
    /// The device is missing or out of memory.
    #[error("device: {0}")]
    Device(String),
    /// The call was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The build lacks the feature.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// LibTorch refused an operation.
    #[error("torch: {0}")]
    Torch(String),
    /// A bug in the library.
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

impl Error {
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::InvalidArgument(message.into())
    }

    pub fn config(message: impl Into<String>) -> Self {
        Self::Config(message.into())
    }

    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_owned(), source }
    }

    pub fn format(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Format { path: path.as_ref().to_owned(), message: message.into() }
    }

    /// Whether a device, or the host, had too little memory. LibTorch has no code for it.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        // Of LibTorch for a GPU and for the host, and of NVIDIA's libraries.
        let said = ["out of memory", "can't allocate memory", "ALLOC_FAILED"];
        matches!(self, Self::Torch(message) if said.iter().any(|said| message.contains(said)))
    }

    pub fn data(path: impl AsRef<Path>, line: usize, message: impl Into<String>) -> Self {
        Self::Data { path: path.as_ref().to_owned(), line, message: message.into() }
    }
}

impl From<tch::TchError> for Error {
    fn from(err: tch::TchError) -> Self {
        Self::Torch(first_line(&err.to_string()).to_owned())
    }
}

/// LibTorch appends kilobytes of C++ backtrace with absolute paths to its messages.
pub(crate) fn first_line(message: &str) -> &str {
    let cut = message.find("\nException raised from").unwrap_or(message.len());
    message[..cut].lines().next().unwrap_or_default().trim()
}

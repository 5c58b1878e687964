//! Hierarchical multi-task learning for information extraction.

// The library is a guest in its host's process: only the command line prints.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod atomic;
mod cancel;
pub mod config;
mod cpu;
pub mod data;
pub mod decode;
pub mod device;
mod document;
mod dropout;
pub mod embed;
pub mod encode;
pub mod engine;
mod error;
pub mod feature;
pub mod ffi;
pub mod head;
pub mod metric;
pub mod model;
pub mod params;
mod stream;
pub mod text;
pub mod train;
mod transfer;

pub use cancel::Cancel;
pub use document::{
    Cluster, DOCUMENT_FORMAT, Document, DocumentBuilder, Label, Mention, OffsetUnit, Relation,
    Sentence, Span, Token,
};
pub use error::{Error, Result};
pub use model::Model;

//! Vectors to vectors: the encoders and their graph.

mod graph;
mod lstm;

pub use graph::{Encodings, Graph};
pub use lstm::{BiLstm, LstmShape};

//! Vectors to vectors: the encoders and their graph.

mod graph;
mod lstm;
mod mix;

pub use graph::{Encodings, Graph, Widths};
pub use lstm::{BiLstm, LstmShape};
pub use mix::Mix;

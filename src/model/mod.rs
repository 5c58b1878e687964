//! The network, annotation and the model directory.

mod agreement;
mod annotate;
mod card;
#[cfg(test)]
mod crossings;
mod default;
mod directory;
mod document_heads;
mod evaluate;
mod file_bytes;
mod gold;
mod long;
mod losses;
mod near_misses;
mod network;
mod passages;
mod serve;
mod shared;
mod turns;
pub(crate) mod weights;

pub use annotate::AnnotateOptions;
pub use card::{Card, Source};
pub(crate) use directory::Bundle;
pub use directory::{MODEL_FORMAT, Parts};
pub use evaluate::{Comparison, EvaluateOptions, Evaluation};
pub use network::Network;
pub use shared::{Compute, LoadOptions, Model};
pub use weights::Precision;

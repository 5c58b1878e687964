//! The network, annotation and the model directory.

mod annotate;
mod card;
mod directory;
mod network;
mod weights;

pub use annotate::AnnotateOptions;
pub use card::{Card, Source};
pub use directory::{Bundle, MODEL_FORMAT, save};
pub use network::Network;
pub use weights::Precision;

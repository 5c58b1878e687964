//! The network, annotation and the model directory.

mod annotate;
mod network;

pub use annotate::AnnotateOptions;
pub use network::Network;

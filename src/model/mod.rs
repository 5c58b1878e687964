//! The network, annotation and the model directory.

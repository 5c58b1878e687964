//! Task heads: encoder outputs to losses and predictions.

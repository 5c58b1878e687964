//! Gold and predicted documents to scores.

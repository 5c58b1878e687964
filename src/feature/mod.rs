//! Tokens to ids: vocabularies, labels, batches.

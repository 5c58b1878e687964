//! Ids to vectors.

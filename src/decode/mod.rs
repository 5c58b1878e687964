//! Scores to structure, in plain Rust.

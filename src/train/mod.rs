//! Training: task sampling, optimization, evaluation.

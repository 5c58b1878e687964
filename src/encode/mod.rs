//! Vectors to vectors: the encoders and their graph.

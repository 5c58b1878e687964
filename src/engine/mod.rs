//! Fixed worker threads that own all tensor work.

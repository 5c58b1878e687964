//! The C API: `include/hmtl.h` is generated from this module, in this order.

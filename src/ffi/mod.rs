//! The C API: `include/hmtl.h` is generated from this module, in this order.
//!
//! It holds no logic of its own: it checks arguments, calls the library, and turns errors and
//! panics into [`hmtl_error`]. The conventions of the header are the safety contract of every
//! function here: pointers are NULL or valid for what their names say, handles come from the
//! library and are not freed yet.
#![allow(non_camel_case_types)]
#![allow(clippy::missing_safety_doc)] // said once, above and in the header

// In the header's order. rustfmt sorts a run of `mod` lines, so each stands alone.
mod version;

mod error;

mod string;

mod log;

mod device;

mod cancel;

mod model;

mod dataset;

mod trainer;

mod arguments;

pub use self::{
    cancel::*, dataset::*, device::*, error::*, log::*, model::*, string::*, trainer::*, version::*,
};

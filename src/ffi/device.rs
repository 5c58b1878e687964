use std::ffi::c_char;

use super::arguments::{Out, guard};
use super::hmtl_error;
use crate::{device, engine};

/// Lists the devices as JSON: `[{"name":"cpu"},{"name":"cuda:0","model":"...","memory":...}]`,
/// memory in bytes. CUDA devices are there when the process finds an NVIDIA driver and the CUDA
/// part of LibTorch: beside its CPU part, or in the folder that the environment's HMTL_CUDA names
/// ("off" turns CUDA off). That is decided once, at the first call that needs LibTorch.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_devices(out_json: *mut *mut c_char) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let out = unsafe { Out::new(out_json, "out_json") }?;
        out.json(&device::list()?)
    })
}

/// Sets the number of CPU threads that one operation may use: 1 to 1024, 1 at first. Process-wide. The
/// library computes on a fixed set of worker threads, as many as the environment's HMTL_WORKERS
/// says, or else as there are processors, at most 8; each may grow a pool of `count` threads.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn hmtl_set_num_threads(count: u32) -> *mut hmtl_error {
    guard(|| engine::set_num_threads(count as usize))
}

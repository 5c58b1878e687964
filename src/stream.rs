//! Streams of a GPU: what is asked of it in one is done in turn, in several side by side.
//!
//! Kernels of short texts fill a small part of a GPU, and threads that start theirs in one stream wait for each other.
//! So a worker that annotates does so in a stream of its own. LibTorch's stream is the default one of CUDA: it waits for
//! all that other streams were asked before, and they for it. There weights are loaded and learn, and there comes
//! together what several workers made of one document. So no worker reads what is not written, nor writes into memory
//! that another still reads, though neither waits for a GPU.
//!
//! `HMTL_STREAMS=off` leaves all to LibTorch's stream.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::{c_int, c_uint, c_void};
use std::mem::transmute;
use std::ptr;

use once_cell::sync::OnceCell;
use tch::Device;

use crate::device::of_cuda;

const VARIABLE: &str = "HMTL_STREAMS";

/// One that waits for the default stream and makes it wait.
const CUDA_STREAM_DEFAULT: c_uint = 0;

type Stream = *mut c_void;

thread_local! {
    /// This thread's streams by the number of their device; none where it could not be made. They live as long as the
    /// process, as workers do.
    static OWN: RefCell<HashMap<usize, Option<Stream>>> = RefCell::default();
    /// The stream in which this thread's operations are done; NULL for LibTorch's.
    static CURRENT: Cell<Stream> = const { Cell::new(ptr::null_mut()) };
}

/// What `work` makes, which asks of the device in a stream of this thread. What it leaves on the device may be used by
/// this thread in the same way, and by all in LibTorch's stream.
pub(crate) fn own<T>(device: Device, work: impl FnOnce() -> T) -> T {
    let _current = match device {
        Device::Cuda(index) => Current::new(index),
        _ => None,
    };
    work()
}

/// A stream that is current for this thread while this lives.
struct Current {
    cuda: &'static Cuda,
    index: usize,
    before: Stream,
}

impl Current {
    fn new(index: usize) -> Option<Self> {
        let cuda = CUDA.get_or_init(Cuda::find).as_ref()?;
        let make = || {
            let made = cuda.create(index);
            if made.is_none() {
                log::warn!("cuda:{index} gives no stream; using LibTorch's");
            }
            made
        };
        let own = OWN.with_borrow_mut(|own| *own.entry(index).or_insert_with(make))?;
        cuda.set(own, index).then(|| Self { cuda, index, before: CURRENT.replace(own) })
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        if !self.cuda.set(self.before, self.index) {
            log::error!("cuda:{} does not go back to its stream", self.index);
        }
        CURRENT.set(self.before);
    }
}

/// Functions of the CUDA run time and of LibTorch.
struct Cuda {
    device: unsafe extern "C" fn(*mut c_int) -> c_int,
    set_device: unsafe extern "C" fn(c_int) -> c_int,
    create: unsafe extern "C" fn(*mut Stream, c_uint) -> c_int,
    set_stream: unsafe extern "C" fn(Stream, i32) -> i32,
}

static CUDA: OnceCell<Option<Cuda>> = OnceCell::new();

impl Cuda {
    fn find() -> Option<Self> {
        if std::env::var_os(VARIABLE).is_some_and(|v| v == "off" || v == "0") {
            log::debug!("{VARIABLE} turns streams of workers off");
            return None;
        }
        let symbol = |name| {
            let found = of_cuda(name);
            if found.is_none() {
                log::warn!("no {} in this CUDA; using one stream", name.to_string_lossy());
            }
            found
        };
        let device = symbol(c"cudaGetDevice")?;
        let set_device = symbol(c"cudaSetDevice")?;
        let create = symbol(c"cudaStreamCreateWithFlags")?;
        let set_stream = symbol(c"torch_set_current_cuda_stream")?;
        // SAFETY: declared so in CUDA's `cuda_runtime_api.h` and LibTorch's `torch/csrc/stable/c/shim.h`.
        unsafe {
            Some(Self {
                device: transmute::<*mut c_void, unsafe extern "C" fn(*mut c_int) -> c_int>(device),
                set_device: transmute::<*mut c_void, unsafe extern "C" fn(c_int) -> c_int>(
                    set_device,
                ),
                create: transmute::<*mut c_void, unsafe extern "C" fn(*mut Stream, c_uint) -> c_int>(
                    create,
                ),
                set_stream: transmute::<*mut c_void, unsafe extern "C" fn(Stream, i32) -> i32>(
                    set_stream,
                ),
            })
        }
    }

    /// A stream of a device; the thread's device stays what it was.
    fn create(&self, index: usize) -> Option<Stream> {
        let (index, mut before, mut stream) = (c_int::try_from(index).ok()?, 0, ptr::null_mut());
        // SAFETY: each is given what it writes to, and says whether it did.
        unsafe {
            if (self.device)(&raw mut before) != 0 || (self.set_device)(index) != 0 {
                return None;
            }
            let made = (self.create)(&raw mut stream, CUDA_STREAM_DEFAULT) == 0;
            let back = (self.set_device)(before) == 0;
            (made && back && !stream.is_null()).then_some(stream)
        }
    }

    /// Whether the thread now uses the stream on this device; NULL is LibTorch's.
    fn set(&self, stream: Stream, index: usize) -> bool {
        let Ok(index) = i32::try_from(index) else { return false };
        // SAFETY: the stream is the device's and is never destroyed. No exception leaves LibTorch here.
        unsafe { (self.set_stream)(stream, index) == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_cpu_work_is_just_done() {
        assert_eq!(own(Device::Cpu, || 7), 7);
        assert!(CURRENT.get().is_null());
    }
}

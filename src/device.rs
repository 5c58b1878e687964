//! Device names, and CUDA as something found at run time.
//!
//! The library is linked with the CPU part of LibTorch alone. Where there is an NVIDIA driver and
//! the CUDA part of LibTorch, [`init`] loads that part. LibTorch remembers at its first operations
//! whether CUDA is there, so `init` comes before all of them.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use once_cell::sync::OnceCell;
use serde_json::{Value, json};
use tch::Device;

use crate::{Error, Result, engine};

/// The folder of `libtorch_cuda.so`, or `off` for none.
const CUDA_VARIABLE: &str = "HMTL_CUDA";
const CUDA_LIBRARY: &str = "libtorch_cuda.so";
const CPU_LIBRARY: &str = "libtorch_cpu.so";
const DRIVER: &CStr = c"libcuda.so.1";
/// The LibTorch that the bindings are made for, as [`torch_version`] gives it.
const TORCH: (u8, u8) = (2, 11);

/// The CUDA part of LibTorch, or why there is none.
static CUDA: OnceCell<Result<Library, String>> = OnceCell::new();

/// Whether LibTorch was told how to compute on a GPU.
static TOLD: OnceCell<bool> = OnceCell::new();

/// Checks LibTorch and loads CUDA if it is there: once, before any other use of LibTorch.
pub fn init() -> Result<()> {
    CUDA.get_or_try_init(|| {
        check_torch()?;
        let cuda = load_cuda();
        match &cuda {
            Ok(_) => log::debug!("loaded {CUDA_LIBRARY}"),
            Err(reason) => log::debug!("no CUDA: {reason}"),
        }
        Ok(cuda)
    })
    .map(drop)
}

/// The device called `name`: `cpu`, `cuda` or `cuda:N`.
pub fn parse(name: &str) -> Result<Device> {
    let index = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        None if name == "cuda" => Some(0),
        Some(("cuda", index)) if index.bytes().all(|b| b.is_ascii_digit()) => {
            index.parse::<usize>().ok()
        }
        _ => None,
    };
    let Some(index) = index else {
        return Err(Error::invalid(format!(
            "unknown device {name:?}; there are cpu, cuda and cuda:N"
        )));
    };
    init()?;
    if let Some(Err(reason)) = CUDA.get() {
        return Err(Error::Device(format!("{name} is not there: {reason}")));
    }
    let count = engine::run(|| Ok(cuda_count()))?;
    if index >= count {
        return Err(Error::Device(format!("{name} is not there: {count} CUDA devices were found")));
    }
    TOLD.get_or_try_init(|| {
        engine::run(|| {
            let told = [compute_in_full_precision(), attend_without_preparation()];
            Ok(told == [true; 2])
        })
    })?;
    Ok(Device::Cuda(index))
}

/// The devices: `[{"name":"cpu"},{"name":"cuda:0","memory":85899345920}]`.
pub fn list() -> Result<Value> {
    init()?;
    let mut devices = vec![json!({"name": "cpu"})];
    if let Some(Ok(_)) = CUDA.get() {
        for at in 0..engine::run(|| Ok(cuda_count()))? {
            let mut device = json!({"name": format!("cuda:{at}")});
            if let Some((model, memory)) = describe(at) {
                device["model"] = json!(model);
                device["memory"] = json!(memory);
            }
            devices.push(device);
        }
    }
    Ok(Value::Array(devices))
}

/// The CUDA run time that LibTorch uses, such as `13.0`, if it was loaded.
pub fn cuda_version() -> Option<String> {
    init().ok()?;
    if !matches!(CUDA.get(), Some(Ok(_))) {
        return None;
    }
    let version = engine::run(|| Ok(tch::utils::version_cudart())).ok()?;
    Some(format!("{}.{}", version / 1000, version % 1000 / 10))
}

/// The version of the LibTorch in this process.
pub fn torch_version() -> Option<(u8, u8, u8)> {
    type Version = unsafe extern "C" fn() -> u64;
    // SAFETY: a lookup by name among the loaded libraries.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"aoti_torch_abi_version".as_ptr()) };
    if symbol.is_null() {
        return None;
    }
    // SAFETY: LibTorch declares it so: major, minor, patch in the three highest bytes.
    let version = unsafe { std::mem::transmute::<*mut c_void, Version>(symbol)() };
    let [major, minor, patch, ..] = version.to_be_bytes();
    Some((major, minor, patch))
}

/// A host that has loaded another LibTorch under the same name would crash at the first call.
fn check_torch() -> Result<()> {
    let found = match torch_version() {
        Some((major, minor, _)) if (major, minor) == TORCH => return Ok(()),
        Some((major, minor, patch)) => format!("{major}.{minor}.{patch}"),
        None => "an older one".to_owned(),
    };
    let (major, minor) = TORCH;
    Err(Error::Unsupported(format!(
        "this process has loaded LibTorch {found} ({}); hmtl needs {major}.{minor}",
        loaded(CPU_LIBRARY).unwrap_or_else(|| CPU_LIBRARY.into()).display()
    )))
}

/// Unless told otherwise, LibTorch lets cuDNN round to ten bits what LSTMs multiply (TF32): scores would differ from
/// those of a CPU in the fourth decimal, and a few decisions with them. Whether it could be told.
fn compute_in_full_precision() -> bool {
    type Set = unsafe extern "C" fn(*mut c_void, c_int, c_int, c_int);
    let name = c"_ZN2at7Context19setFloat32PrecisionENS_14Float32BackendENS_9Float32OpENS_16Float32PrecisionE";
    let Some((context, set)) = of_context(name) else { return false };
    // `at::Float32Backend::CUDA`, `at::Float32Op::RNN`, `at::Float32Precision::IEEE`
    let (cuda, rnn, ieee) = (1, 2, 1);
    // SAFETY: declared so in `ATen/Context.h` of the LibTorch that `check_torch` found.
    unsafe { std::mem::transmute::<*mut c_void, Set>(set)(context, cuda, rnn, ieee) };
    true
}

/// In half precision LibTorch prefers cuDNN's attention on some GPUs, which prepares a plan for each shape that it has
/// not seen, and shapes differ from batch to batch. Whether it could be told to take the others.
fn attend_without_preparation() -> bool {
    type Set = unsafe extern "C" fn(*mut c_void, bool);
    let Some((context, set)) = of_context(c"_ZN2at7Context14setSDPUseCuDNNEb") else {
        return false;
    };
    // SAFETY: as above.
    unsafe { std::mem::transmute::<*mut c_void, Set>(set)(context, false) };
    true
}

/// LibTorch's context, which lives for ever, and a method of it, which only its C++ has: by its mangled name.
fn of_context(method: &CStr) -> Option<(*mut c_void, *mut c_void)> {
    type Context = unsafe extern "C" fn() -> *mut c_void;
    // SAFETY: lookups by name among the loaded libraries.
    let [context, found] = [c"_ZN2at13globalContextEv", method]
        .map(|name| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) });
    if context.is_null() || found.is_null() {
        log::warn!("this LibTorch has no {}", method.to_string_lossy());
        return None;
    }
    // SAFETY: declared so in `ATen/Context.h` of the LibTorch that `check_torch` found.
    Some((unsafe { std::mem::transmute::<*mut c_void, Context>(context)() }, found))
}

fn cuda_count() -> usize {
    usize::try_from(tch::Cuda::device_count()).unwrap_or(0)
}

/// A function of the CUDA part of LibTorch, or of the libraries that it needs.
pub(crate) fn of_cuda(name: &CStr) -> Option<*mut c_void> {
    CUDA.get()?.as_ref().ok()?.symbol(name)
}

fn load_cuda() -> Result<Library, String> {
    let chosen = std::env::var_os(CUDA_VARIABLE).filter(|v| !v.is_empty());
    if chosen.as_deref().is_some_and(|v| v == "off" || v == "0") {
        return Err(format!("{CUDA_VARIABLE} turns it off"));
    }
    // Without a driver the CUDA libraries would only cost memory and time.
    open(DRIVER).map_err(|_| "there is no NVIDIA driver (libcuda.so.1)".to_owned())?;
    let mut tried = Vec::new();
    for file in candidates(chosen.map(PathBuf::from)) {
        if file.is_absolute() && !file.exists() {
            tried.push(format!("{} does not exist", file.display()));
            continue;
        }
        let Ok(name) = CString::new(file.as_os_str().as_bytes()) else { continue };
        match open(&name) {
            Ok(library) => return Ok(library),
            Err(reason) => tried.push(reason),
        }
    }
    Err(format!(
        "the CUDA part of LibTorch was not loaded ({}); set {CUDA_VARIABLE} to its folder",
        tried.join("; ")
    ))
}

/// Where the CUDA part may be: the chosen folder alone, or beside the CPU part, or by its name.
fn candidates(chosen: Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(path) = chosen {
        return vec![if path.is_dir() { path.join(CUDA_LIBRARY) } else { path }];
    }
    let mut files = Vec::new();
    if let Some(folder) = loaded(CPU_LIBRARY).as_deref().and_then(Path::parent) {
        files.push(folder.join(CUDA_LIBRARY));
    }
    if let Some(torch) = std::env::var_os("LIBTORCH").filter(|v| !v.is_empty()) {
        files.push(Path::new(&torch).join("lib").join(CUDA_LIBRARY));
    }
    files.push(CUDA_LIBRARY.into());
    files.dedup();
    files
}

/// The file that the loaded library `name` came from.
fn loaded(name: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path = |line: &str| line.find('/').map(|at| PathBuf::from(&line[at..]));
    maps.lines().filter_map(path).find(|p| p.file_name().is_some_and(|f| f == name))
}

/// A library that was loaded for good.
struct Library(*mut c_void);

// SAFETY: a handle may be used by any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    fn symbol(&self, name: &CStr) -> Option<*mut c_void> {
        // SAFETY: the library is never closed.
        let symbol = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        (!symbol.is_null()).then_some(symbol)
    }
}

fn open(name: &CStr) -> Result<Library, String> {
    // SAFETY: the initializers of LibTorch and of the NVIDIA driver may run on any thread.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL) };
    if !handle.is_null() {
        return Ok(Library(handle));
    }
    // SAFETY: after a failed dlopen, dlerror gives a string of this thread, or NULL.
    let reason = unsafe { libc::dlerror().as_ref().map(|e| CStr::from_ptr(e)) };
    Err(reason.map_or_else(|| "it cannot be loaded".into(), |r| r.to_string_lossy().into_owned()))
}

/// Model name and memory in bytes of a CUDA device, from the driver: LibTorch's C++ API is not
/// within reach.
fn describe(index: usize) -> Option<(String, u64)> {
    type Init = unsafe extern "C" fn(u32) -> c_int;
    type Get = unsafe extern "C" fn(*mut c_int, c_int) -> c_int;
    type Name = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    type Memory = unsafe extern "C" fn(*mut usize, c_int) -> c_int;
    let driver = open(DRIVER).ok()?;
    // SAFETY: signatures are those of the CUDA driver API; each result is checked before use.
    unsafe {
        let init = std::mem::transmute::<*mut c_void, Init>(driver.symbol(c"cuInit")?);
        let get = std::mem::transmute::<*mut c_void, Get>(driver.symbol(c"cuDeviceGet")?);
        let name = std::mem::transmute::<*mut c_void, Name>(driver.symbol(c"cuDeviceGetName")?);
        let total = driver.symbol(c"cuDeviceTotalMem_v2")?;
        let memory = std::mem::transmute::<*mut c_void, Memory>(total);
        let (mut device, mut bytes, mut text) = (0, 0, [0 as c_char; 256]);
        let index = c_int::try_from(index).ok()?;
        let ok = init(0) == 0
            && get(&mut device, index) == 0
            && name(text.as_mut_ptr(), text.len() as c_int - 1, device) == 0
            && memory(&mut bytes, device) == 0;
        ok.then(|| (CStr::from_ptr(text.as_ptr()).to_string_lossy().into_owned(), bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_torch_is_the_one_the_bindings_want() {
        let (major, minor, _) = torch_version().unwrap();
        assert_eq!((major, minor), TORCH);
        assert!(loaded(CPU_LIBRARY).is_some());
    }

    #[test]
    fn the_processor_is_always_listed() {
        assert_eq!(list().unwrap()[0]["name"], "cpu");
        assert_eq!(parse("cpu").unwrap(), Device::Cpu);
    }

    #[test]
    fn an_unknown_device_is_named() {
        for name in ["gpu", "", "cuda:x", "cuda:", "cpu:1", "cuda:-1", "cuda:99999999999999999999"]
        {
            let error = parse(name).unwrap_err();
            assert!(matches!(error, Error::InvalidArgument(_)), "{name}: {error}");
            assert!(error.to_string().contains(name));
        }
    }

    #[test]
    fn this_torch_can_be_told_how_to_compute() {
        type Get = unsafe extern "C" fn(*mut c_void) -> bool;
        assert!(compute_in_full_precision());
        let name = c"_ZNK2at7Context19userEnabledCuDNNSDPEv";
        let (context, get) = of_context(name).unwrap();
        // SAFETY: as its declaration says.
        let is_wanted = || unsafe { std::mem::transmute::<*mut c_void, Get>(get)(context) };
        assert!(is_wanted());
        assert!(attend_without_preparation());
        assert!(!is_wanted());
    }

    #[test]
    fn a_missing_device_is_an_error_that_says_why() {
        let error = parse("cuda:999").unwrap_err();
        assert!(matches!(error, Error::Device(_)), "{error}");
    }
}

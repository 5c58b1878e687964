//! What is asked of a GPU, counted by one that is none: tests/pretend_gpu.sh makes it and runs this.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_long, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use hmtl::model::{AnnotateOptions, LoadOptions};
use hmtl::{Cancel, Cluster, Document, Model, device};
use serde::Deserialize;
use tch::Tensor;

/// Of one device: one test at a time.
static DEVICE: Mutex<()> = Mutex::new(());

/// What a device counted.
#[derive(Debug, Deserialize)]
struct Counted {
    /// Copies to the device, and those of them that are not from pinned memory.
    up: usize,
    up_unpinned: usize,
    down: usize,
    /// The most that were in use.
    bytes: usize,
    allocations: usize,
    failures: usize,
    /// In how many kernels and copies were, and what of them was in the default one.
    streams: usize,
    in_default_stream: usize,
    /// By operation.
    kernels: BTreeMap<String, usize>,
}

impl Counted {
    /// Kernels but for those of LSTMs, which are as many as the longest text of a batch has tokens.
    fn operations(&self) -> usize {
        self.kernels.iter().filter(|(name, _)| *name != "aten::lstm").map(|(_, n)| n).sum()
    }
}

struct Pretended {
    begin: unsafe extern "C" fn(),
    counted: unsafe extern "C" fn() -> *const c_char,
    limit: unsafe extern "C" fn(isize),
    fail: unsafe extern "C" fn(c_long),
    set_stream: unsafe extern "C" fn(*mut c_void, i32) -> i32,
    _alone: MutexGuard<'static, ()>,
}

impl Pretended {
    /// The device, or `None`, saying so loudly.
    fn new() -> Option<Self> {
        let alone = DEVICE.lock().unwrap_or_else(|e| e.into_inner());
        device::init().unwrap();
        let folder = std::env::var_os("HMTL_CUDA").map(PathBuf::from).unwrap_or_default();
        let library = folder.join("libtorch_cuda.so");
        let library = CString::new(library.to_str().unwrap()).unwrap();
        // SAFETY: a lookup among the loaded libraries.
        let symbol = |name: &CStr| unsafe {
            let library = libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
            (!library.is_null()).then(|| libc::dlsym(library, name.as_ptr()))
        };
        let names = [
            c"pretend_gpu_begin",
            c"pretend_gpu_counted",
            c"pretend_gpu_limit",
            c"pretend_gpu_fail",
            c"torch_set_current_cuda_stream",
        ];
        let [Some(begin), Some(counted), Some(limit), Some(fail), Some(set_stream)] =
            names.map(|name| symbol(name).filter(|s| !s.is_null()))
        else {
            eprintln!("SKIPPED: needs the GPU of tests/pretend_gpu.sh, which is not here");
            return None;
        };
        type Begin = unsafe extern "C" fn();
        type Counted = unsafe extern "C" fn() -> *const c_char;
        type Limit = unsafe extern "C" fn(isize);
        type Fail = unsafe extern "C" fn(c_long);
        type SetStream = unsafe extern "C" fn(*mut c_void, i32) -> i32;
        // SAFETY: defined so in tests/pretend_gpu/.
        unsafe {
            Some(Self {
                begin: std::mem::transmute::<*mut c_void, Begin>(begin),
                counted: std::mem::transmute::<*mut c_void, Counted>(counted),
                limit: std::mem::transmute::<*mut c_void, Limit>(limit),
                fail: std::mem::transmute::<*mut c_void, Fail>(fail),
                set_stream: std::mem::transmute::<*mut c_void, SetStream>(set_stream),
                _alone: alone,
            })
        }
    }

    /// The same with so much memory.
    fn with_memory<T>(&self, bytes: usize, work: impl FnOnce() -> T) -> (T, Counted) {
        // SAFETY: it sets a number.
        let limit = |bytes| unsafe { (self.limit)(bytes) };
        limit(bytes as isize);
        let done = self.count(work);
        limit(isize::MAX);
        done
    }

    /// Counts what is asked where after so many allocations one fails.
    fn with_failure<T>(&self, after: usize, work: impl FnOnce() -> T) -> (T, Counted) {
        self.count(|| {
            // SAFETY: it sets a number.
            unsafe { (self.fail)(after as c_long) };
            work()
        })
    }

    /// Does it in this stream, 0 being the default one.
    fn in_stream<T>(&self, stream: usize, work: impl FnOnce() -> T) -> T {
        // SAFETY: there a stream is only a number.
        let set = |stream: usize| unsafe { (self.set_stream)(stream as *mut c_void, 0) };
        assert_eq!(set(stream), 0);
        let made = work();
        assert_eq!(set(0), 0);
        made
    }

    fn count<T>(&self, work: impl FnOnce() -> T) -> (T, Counted) {
        // SAFETY: they take nothing; the string is copied before the next call.
        unsafe { (self.begin)() };
        let made = work();
        let counted = unsafe { CStr::from_ptr((self.counted)()) };
        (made, serde_json::from_slice(counted.to_bytes()).unwrap())
    }
}

fn model() -> Model {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
    Model::load(&dir, &LoadOptions { device: "cuda".into(), ..LoadOptions::default() }).unwrap()
}

/// So many sentences, all of some dozen tokens.
fn sentences(count: usize) -> Vec<String> {
    let cities = ["Oslo", "Lyon", "Graz", "Turin"];
    let of = |at| {
        format!(
            "Maria Keller founded Nordlicht in {}, and she sold it in 1{at:03}.",
            cities[at % 4]
        )
    };
    (0..count).map(of).collect()
}

fn annotate(model: &Model, texts: &[String], tasks: &[&str]) -> Vec<Document> {
    let tasks = (!tasks.is_empty()).then(|| tasks.iter().map(|t| (*t).to_owned()).collect());
    let options = AnnotateOptions { tasks, ..AnnotateOptions::default() };
    let docs = model.annotate_batch(texts, &options, &Cancel::new()).unwrap();
    assert!(docs.iter().any(|doc| !doc.mentions.is_empty()));
    docs
}

/// Mentions of a document, and its clusters.
type Found = (Vec<(usize, usize)>, Vec<Cluster>);

/// Without scores, whose last digits hang on what is multiplied together.
fn found(docs: &[Document]) -> Vec<Found> {
    let spans = |doc: &Document| {
        let spans = doc.mentions.iter().map(|m| (m.first_token, m.last_token));
        (spans.collect(), doc.clusters.clone())
    };
    docs.iter().map(spans).collect()
}

#[test]
fn no_more_is_started_for_many_short_texts_than_for_few() {
    let Some(device) = Pretended::new() else { return };
    let model = model();
    let [few, many] =
        [40, 400].map(|count| device.count(|| annotate(&model, &sentences(count), &[])).1);
    let (few, many) = (few.operations(), many.operations());
    println!("{few} and {many}");
    assert!(few > 100 && many < few + few / 10, "{few} for forty, {many} for four hundred");
}

#[test]
fn only_what_is_said_to_cross_does_and_from_pinned_memory() {
    let Some(device) = Pretended::new() else { return };
    let model = model();
    // As src/model/crossings.rs has it.
    let tasks = [("ner", 1, 1), ("emd", 2, 3), ("coref", 2, 2), ("relation", 3, 3)];
    for (task, up, down) in tasks {
        for count in [1, 40] {
            let (_, counted) = device.count(|| annotate(&model, &sentences(count), &[task]));
            let found = (counted.up, counted.up_unpinned, counted.down);
            assert_eq!(found, (up, 0, down), "{task} of {count}");
        }
    }
}

#[test]
fn memory_does_not_grow_with_the_number_of_texts() {
    let Some(device) = Pretended::new() else { return };
    let model = model();
    let [some, more] = [2000, 4000].map(|count| {
        let (_, counted) = device.count(|| annotate(&model, &sentences(count), &[]));
        counted.bytes
    });
    println!("{} and {} MiB", some >> 20, more >> 20);
    assert!(more < some + some / 20 && more < 640 << 20, "{some} and {more} bytes");
}

#[test]
fn what_does_not_fit_is_done_in_parts_and_what_never_fits_is_an_error() {
    let Some(device) = Pretended::new() else { return };
    let model = model();
    let texts = sentences(1000);
    let (_, Counted { bytes: idle, .. }) = device.count(|| ());
    let (docs, whole) = device.count(|| annotate(&model, &texts, &[]));
    let third = idle + (whole.bytes - idle) / 3;
    let (in_parts, counted) = device.with_memory(third, || annotate(&model, &texts, &[]));
    assert!(counted.bytes <= third && counted.operations() > 2 * whole.operations());
    assert!(found(&docs) == found(&in_parts));
    let none = || model.annotate_batch(&texts, &AnnotateOptions::default(), &Cancel::new());
    let (failed, counted) = device.with_memory(idle + 1000, none);
    let error = failed.unwrap_err().to_string();
    assert!(error.contains("out of memory") && error.lines().count() == 1, "{error}");
    // All is given back, and the model is as it was.
    assert!(counted.bytes <= idle + 1000);
    assert_eq!(device.count(|| ()).1.bytes, idle);
    assert!(annotate(&model, &texts, &[]) == docs);
}

/// Memory that something else held for a moment: at whatever allocation, of a batch or of a document that workers share.
#[test]
fn memory_that_is_missing_once_is_no_error() {
    let Some(device) = Pretended::new() else { return };
    let model = model();
    let everywhere: Vec<usize> = (4..100).step_by(8).collect();
    // In a part, and where the parts are together.
    let long = (vec![sentences(2600).join(" ")], vec![5, 60]);
    for (texts, percents) in [(sentences(300), everywhere), long] {
        let (docs, counted) = device.count(|| annotate(&model, &texts, &[]));
        for percent in percents {
            let after = counted.allocations * percent / 100;
            let (again, counted) = device.with_failure(after, || annotate(&model, &texts, &[]));
            assert_eq!(counted.failures, 1);
            assert!(found(&again) == found(&docs), "after {after} allocations");
        }
    }
}

/// What others wait for, weights that are loaded and what workers made of one document, is in the stream that waits.
#[test]
fn workers_annotate_in_streams_of_their_own() {
    let Some(device) = Pretended::new() else { return };
    let workers = hmtl::engine::workers().unwrap();
    let (model, loaded) = device.count(model);
    assert!(loaded.streams == 1 && loaded.in_default_stream > 0, "{loaded:?}");
    let (_, counted) = device.count(|| annotate(&model, &sentences(400), &[]));
    if std::env::var_os("HMTL_STREAMS").is_some_and(|v| v == "off") {
        assert!(counted.streams == 1 && counted.in_default_stream > 0, "{counted:?}");
        return;
    }
    assert!((1..=workers).contains(&counted.streams), "{counted:?}");
    assert_eq!(counted.in_default_stream, 0);
    // A document so long that workers share it.
    let text = sentences(2600).join(" ");
    let (_, counted) = device.count(|| annotate(&model, &[text], &[]));
    assert!((2..=1 + workers).contains(&counted.streams), "{counted:?}");
    assert!(counted.kernels["aten::lstm"] > 0 && counted.in_default_stream > 0, "{counted:?}");
}

#[test]
#[ignore = "prints what docs/performance.md says of sentences of the text of `make bench`"]
fn what_many_sentences_ask_of_the_device() {
    let Some(device) = Pretended::new() else { return };
    let model = model();
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/text.txt");
    let doc = hmtl::text::tokenize(&std::fs::read_to_string(text).unwrap());
    let sentences = doc.sentences.iter().map(|s| doc.text[s.start..s.end].to_owned());
    for count in [1_000, 16_384] {
        let sentences: Vec<String> = sentences.clone().cycle().take(count).collect();
        let (_, counted) = device.count(|| annotate(&model, &sentences, &[]));
        println!("{count} sentences");
        println!("steps of LSTMs: {}", counted.kernels["aten::lstm"]);
        println!("other kernels: {}", counted.operations());
        println!("copies there and back: {}, {}", counted.up, counted.down);
        println!("bytes: {}", counted.bytes);
    }
}

/// Or nothing here would show that a tensor was left on the host.
#[test]
#[expect(clippy::disallowed_methods, reason = "what crosses otherwise")]
fn a_tensor_of_the_host_is_none_of_the_device() {
    let Some(device) = Pretended::new() else { return };
    let gpu = device::parse("cuda:0").unwrap();
    let on_host = Tensor::from_slice(&[2_i64, 0]);
    let (on_gpu, counted) = device.count(|| on_host.to_device(gpu));
    assert_eq!((counted.up, counted.up_unpinned), (1, 1));
    let table = Tensor::arange(12, (tch::Kind::Float, gpu)).view([3, 4]);
    let (rows, counted) = device.count(|| table.index_select(0, &on_gpu));
    assert_eq!(counted.kernels, [("aten::index_select".to_owned(), 1)].into());
    assert_eq!(Vec::<f32>::try_from(rows.get(0)).unwrap(), [8.0, 9.0, 10.0, 11.0]);
    let error = table.f_index_select(0, &on_host).unwrap_err().to_string();
    assert!(error.contains("index_select: a tensor of the host"), "{error}");
    assert!(device::parse("cuda:1").is_err());
    let listed = device::list().unwrap();
    assert_eq!(listed[1]["model"], "Pretend GPU");
}

/// Or nothing here would show that a worker uses what another made, without waiting for it.
#[test]
fn a_tensor_of_one_stream_is_none_of_another() {
    let Some(device) = Pretended::new() else { return };
    let gpu = device::parse("cuda:0").unwrap();
    let [first, second] =
        [1, 2].map(|stream| device.in_stream(stream, || Tensor::ones(4, (tch::Kind::Float, gpu))));
    let sum = |stream, tensor: &Tensor| device.in_stream(stream, || tensor.f_sum(tch::Kind::Float));
    for (stream, tensor) in [(1, &first), (2, &second), (0, &first), (0, &second)] {
        assert_eq!(f64::try_from(sum(stream, tensor).unwrap()).unwrap(), 4.0);
    }
    for (stream, tensor) in [(2, &first), (1, &second), (2, &first.narrow(0, 1, 2))] {
        let error = sum(stream, tensor).unwrap_err().to_string();
        assert!(error.contains("does not wait for it"), "{error}");
    }
}

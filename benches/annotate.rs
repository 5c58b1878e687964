//! How fast texts become JSON through the C API, in one process. Prints one JSON object.
//!
//! ```sh
//! HMTL_WORKERS=1 cargo bench --bench annotate -- TEXT [MODEL] [SECTION...]
//! ```
//!
//! TEXT is a file of prose that sentences and documents of all lengths are cut from. Times are medians; the
//! unit beside them is what machines are compared by: one padded bidirectional LSTM from 200 to 64 over
//! 32 x 30 tokens, by LibTorch on one thread. `HMTL_BENCH_LOAD` holds options to load with, as
//! `{"device":"cuda"}`; `HMTL_BENCH_PACE` is a factor of the time for each figure.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use hmtl::ffi::{
    hmtl_error, hmtl_error_message, hmtl_model, hmtl_model_annotate, hmtl_model_annotate_batch,
    hmtl_model_free, hmtl_model_load, hmtl_str, hmtl_string_free,
};
use hmtl::text::tokenize;
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

type Section = (&'static str, fn(&Bench) -> Value);

/// In the order they are run.
const SECTIONS: [Section; 10] = [
    ("load", load),
    ("sentence", sentences),
    ("tasks", tasks),
    ("batch", batch),
    ("bulk", bulk),
    ("document", documents),
    ("callers", callers),
    ("memory", memory),
    ("long", long),
    ("flat", flat),
];
/// These are run only when they are named: they take minutes.
const ON_DEMAND: [&str; 3] = ["bulk", "long", "flat"];

struct Bench {
    model: *const hmtl_model,
    dir: Option<CString>,
    /// Sentences of the text with their tokens, shortest first.
    sentences: Vec<(usize, String)>,
    text: String,
    tokens: usize,
}

// SAFETY: threads may share a model, as the header says.
unsafe impl Sync for Bench {}

fn main() {
    let mut arguments = env::args().skip(1).filter(|a| a != "--bench");
    let Some(path) = arguments.next() else {
        eprintln!("usage: annotate TEXT [MODEL [SECTION...]]");
        std::process::exit(2);
    };
    let dir = arguments.next().filter(|d| d != "-").map(|d| CString::new(d).expect("a path"));
    let wanted: Vec<String> = arguments.collect();
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let doc = tokenize(&text);
    let mut sentences: Vec<(usize, String)> = doc
        .sentences
        .iter()
        .map(|s| (s.last_token - s.first_token, doc.text[s.start..s.end].to_owned()))
        .collect();
    sentences.sort_by_key(|(tokens, _)| *tokens);
    // Finds GPUs, which LibTorch must know before its first operation.
    let devices = hmtl::device::list().expect("devices");
    let unit = unit();
    let model = load_model(dir.as_deref());
    let bench = Bench { model, dir, sentences, tokens: doc.tokens.len(), text };
    let mut results = json!({"devices": devices, "unit_ms": unit * 1e3, "workers": env::var("HMTL_WORKERS").ok()});
    for (name, section) in SECTIONS {
        let by_default = wanted.is_empty() && !ON_DEMAND.contains(&name);
        if by_default || wanted.iter().any(|w| w == name) {
            results[name] = section(&bench);
        }
    }
    results["unit_after_ms"] = json!(self::unit() * 1e3);
    // SAFETY: the model came from the library.
    unsafe { hmtl_model_free(model.cast_mut()) };
    println!("{results}");
}

/// Seconds of the unit.
fn unit() -> f64 {
    tch::set_num_threads(1);
    let _guard = tch::no_grad_guard();
    let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu)) * 0.1;
    let weights: Vec<Tensor> = (0..2)
        .flat_map(|_| {
            [[256, 200], [256, 64]]
                .map(|s| random(&s))
                .into_iter()
                .chain([256, 256].map(|n| random(&[n])))
        })
        .collect();
    let (x, state) =
        (random(&[32, 30, 200]), Tensor::zeros([2, 32, 64], (Kind::Float, Device::Cpu)));
    let refs: Vec<&Tensor> = weights.iter().collect();
    let run = || x.lstm(&[&state, &state], &refs, true, 1, 0.0, false, true, true);
    median(&times(Duration::from_millis(700), 20, |_| drop(run())))
}

fn check(error: *mut hmtl_error) {
    if !error.is_null() {
        // SAFETY: the error came from the library.
        panic!("{}", unsafe { CStr::from_ptr(hmtl_error_message(error)) }.to_string_lossy());
    }
}

fn load_model(dir: Option<&CStr>) -> *const hmtl_model {
    let mut model = null_mut();
    let options = env::var("HMTL_BENCH_LOAD").ok().map(|o| CString::new(o).expect("options"));
    let [dir, options] = [dir, options.as_deref()].map(|s| s.map_or(null(), CStr::as_ptr));
    // SAFETY: as the header says.
    check(unsafe { hmtl_model_load(dir, options, &mut model) });
    model
}

impl Bench {
    fn annotate(&self, text: &str, options: Option<&CStr>) {
        let options = options.map_or(null(), CStr::as_ptr);
        let mut json: *mut c_char = null_mut();
        // SAFETY: as the header says.
        unsafe {
            check(hmtl_model_annotate(
                self.model,
                text.as_ptr().cast(),
                text.len(),
                options,
                &mut json,
            ));
            hmtl_string_free(json);
        }
    }

    fn annotate_batch(&self, texts: &[&str]) {
        let texts: Vec<hmtl_str> =
            texts.iter().map(|t| hmtl_str { data: t.as_ptr().cast(), len: t.len() }).collect();
        let mut json: *mut c_char = null_mut();
        // SAFETY: as the header says.
        unsafe {
            check(hmtl_model_annotate_batch(
                self.model,
                texts.as_ptr(),
                texts.len(),
                null(),
                null(),
                &mut json,
            ));
            hmtl_string_free(json);
        }
    }

    /// Some sentences of about `tokens` tokens, and their mean length.
    fn of_length(&self, tokens: usize) -> (Vec<&str>, f64) {
        let mut near: Vec<&(usize, String)> = self.sentences.iter().collect();
        near.sort_by_key(|(n, _)| n.abs_diff(tokens));
        near.truncate(40);
        let mean = near.iter().map(|(n, _)| *n as f64).sum::<f64>() / near.len() as f64;
        (near.into_iter().map(|(_, s)| s.as_str()).collect(), mean)
    }

    /// A text of `tokens` tokens: the beginning of the text, or the text repeated.
    fn document(&self, tokens: usize) -> String {
        let repeated = [self.text.as_str()].repeat(tokens / self.tokens + 1).join("\n\n");
        let doc = tokenize(&repeated);
        doc.text[..doc.tokens[tokens.min(doc.tokens.len()) - 1].end].to_owned()
    }
}

/// Seconds of calls of `f` with 0, 1, 2 and so on: at least `least` and for `time`, after some to warm up.
fn times(time: Duration, least: usize, mut f: impl FnMut(usize)) -> Vec<f64> {
    let pace = env::var("HMTL_BENCH_PACE").map_or(1.0, |p| p.parse().expect("a number"));
    let time = time.mul_f64(pace);
    // What takes a minute needs no warming up.
    if least > 1 {
        (0..least.min(8)).for_each(&mut f);
    }
    let start = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < least || start.elapsed() < time {
        let before = Instant::now();
        f(seconds.len());
        seconds.push(before.elapsed().as_secs_f64());
    }
    seconds
}

fn quantile(seconds: &[f64], q: f64) -> f64 {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * q).round() as usize]
}

fn median(seconds: &[f64]) -> f64 {
    quantile(seconds, 0.5)
}

fn latency(tokens: f64, seconds: &[f64]) -> Value {
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    json!({
        "tokens": tokens, "p50_ms": median(seconds) * 1e3, "p99_ms": quantile(seconds, 0.99) * 1e3,
        "tokens_per_s": tokens / mean,
    })
}

/// Loading with LibTorch in memory, and the first text after it.
fn load(bench: &Bench) -> Value {
    let (mut loads, mut firsts) = (Vec::new(), Vec::new());
    let text = bench.of_length(25).0[0];
    for _ in 0..7 {
        let start = Instant::now();
        let model = load_model(bench.dir.as_deref());
        loads.push(start.elapsed().as_secs_f64());
        let other =
            Bench { model, dir: None, sentences: Vec::new(), text: String::new(), tokens: 0 };
        let start = Instant::now();
        other.annotate(text, None);
        firsts.push(start.elapsed().as_secs_f64());
        // SAFETY: the model came from the library.
        unsafe { hmtl_model_free(model.cast_mut()) };
    }
    json!({"load_ms": median(&loads) * 1e3, "first_ms": median(&firsts) * 1e3})
}

/// Single sentences of 5, 25 and 80 tokens, one caller.
fn sentences(bench: &Bench) -> Value {
    let of = |tokens: usize| {
        let (texts, mean) = bench.of_length(tokens);
        let seconds =
            times(Duration::from_secs(3), 200, |i| bench.annotate(texts[i % texts.len()], None));
        (tokens.to_string(), latency(mean, &seconds))
    };
    [5, 25, 80].map(of).into_iter().collect::<BTreeMap<_, _>>().into_iter().collect()
}

/// Sentences of 25 tokens and a document of 1,000, with each task alone, and with those apart that need others only
/// to agree with them.
fn tasks(bench: &Bench) -> Value {
    let (texts, mean) = bench.of_length(25);
    let document = bench.document(1000);
    let of = |(name, options): (&str, Option<&CStr>)| {
        let seconds = times(Duration::from_secs(1), 100, |i| {
            bench.annotate(texts[i % texts.len()], options);
        });
        let whole = times(Duration::from_secs(1), 5, |_| bench.annotate(&document, options));
        (
            name.to_owned(),
            json!({"sentence": latency(mean, &seconds), "document": latency(1000.0, &whole)}),
        )
    };
    [
        ("ner", Some(cr#"{"tasks":["ner"]}"#)),
        ("emd", Some(cr#"{"tasks":["emd"]}"#)),
        ("emd, independent", Some(cr#"{"tasks":["emd"],"independent":true}"#)),
        ("relation", Some(cr#"{"tasks":["relation"]}"#)),
        ("coref", Some(cr#"{"tasks":["coref"]}"#)),
        ("coref, independent", Some(cr#"{"tasks":["coref"],"independent":true}"#)),
        ("all", None),
    ]
    .map(of)
    .into_iter()
    .collect()
}

/// Batches of sentences as they come, and of those of 25 tokens.
fn batch(bench: &Bench) -> Value {
    let mixed: Vec<&(usize, String)> =
        bench.sentences.iter().step_by(bench.sentences.len().div_ceil(256)).collect();
    let tokens: usize = mixed.iter().map(|(n, _)| n).sum();
    let texts: Vec<&str> = mixed.iter().map(|(_, s)| s.as_str()).collect();
    let seconds = times(Duration::from_secs(5), 5, |_| bench.annotate_batch(&texts));
    let (same, mean) = bench.of_length(25);
    let same: Vec<&str> = same.iter().copied().cycle().take(32).collect();
    let alike = times(Duration::from_secs(3), 5, |_| bench.annotate_batch(&same));
    json!({
        "mixed": {"texts": texts.len(), "figures": latency(tokens as f64, &seconds)},
        "alike": {"texts": 32, "figures": latency(32.0 * mean, &alike)},
    })
}

/// As many sentences in one call as fill a GPU.
fn bulk(bench: &Bench) -> Value {
    let count = env::var("HMTL_BENCH_BULK").map_or(16_384, |n| n.parse().expect("a number"));
    // In the order of the text, which is no order of lengths.
    let doc = tokenize(&bench.text);
    let all: Vec<(usize, &str)> = doc
        .sentences
        .iter()
        .map(|s| (s.last_token - s.first_token, &doc.text[s.start..s.end]))
        .cycle()
        .take(count)
        .collect();
    let tokens: usize = all.iter().map(|(n, _)| n).sum();
    let texts: Vec<&str> = all.iter().map(|(_, s)| *s).collect();
    let seconds = times(Duration::from_secs(5), 2, |_| bench.annotate_batch(&texts));
    json!({"texts": texts.len(), "figures": latency(tokens as f64, &seconds)})
}

/// Documents from a paragraph to a book.
fn documents(bench: &Bench) -> Value {
    of_lengths(bench, &[80, 250, 1_000, 3_000, 10_000, 30_000, 100_000])
}

/// Whole shelves.
fn long(bench: &Bench) -> Value {
    of_lengths(bench, &[300_000, 1_000_000])
}

fn of_lengths(bench: &Bench, lengths: &[usize]) -> Value {
    let of = |&tokens: &usize| {
        let text = bench.document(tokens);
        let least = if tokens > 20_000 { 1 } else { 5 };
        let seconds = times(Duration::from_secs(2), least, |_| bench.annotate(&text, None));
        (tokens.to_string(), latency(tokens as f64, &seconds))
    };
    lengths.iter().map(of).collect::<serde_json::Map<_, _>>().into()
}

/// Callers that annotate sentences of 25 tokens at the same time.
fn callers(bench: &Bench) -> Value {
    let (texts, mean) = bench.of_length(25);
    let texts = &texts;
    let of = |count: usize| {
        let start = Instant::now();
        let seconds: Vec<f64> = thread::scope(|scope| {
            let callers: Vec<_> = (0..count)
                .map(|caller| {
                    scope.spawn(move || {
                        times(Duration::from_secs(3), 20, |i| {
                            bench.annotate(texts[(i + caller) % texts.len()], None);
                        })
                    })
                })
                .collect();
            callers.into_iter().flat_map(|c| c.join().expect("a caller")).collect()
        });
        let mut figures = latency(mean, &seconds);
        figures["tokens_per_s"] =
            json!(seconds.len() as f64 * mean / start.elapsed().as_secs_f64());
        (count.to_string(), figures)
    };
    [1, 2, 4, 8, 16, 32, 64].map(of).into_iter().collect::<serde_json::Map<_, _>>().into()
}

/// Resident memory in MB, now and at its peak so far.
fn memory(_: &Bench) -> Value {
    json!({"resident_mb": megabytes("VmRSS:"), "peak_mb": megabytes("VmHWM:")})
}

fn megabytes(name: &str) -> Option<f64> {
    let status = fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find(|l| l.starts_with(name))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}

/// Resident memory over 100,000 annotations of sentences, with a model loaded and freed after each 1,000.
fn flat(bench: &Bench) -> Value {
    let sentences: Vec<&str> = bench.sentences.iter().map(|(_, s)| s.as_str()).collect();
    let mut resident = Vec::new();
    for round in 0..100 {
        for i in 0..1000 {
            bench.annotate(sentences[(round * 1000 + i) % sentences.len()], None);
        }
        let model = load_model(bench.dir.as_deref());
        // SAFETY: the model came from the library.
        unsafe { hmtl_model_free(model.cast_mut()) };
        resident.push(megabytes("VmRSS:"));
    }
    json!({"annotations": 100_000, "loads": 100, "resident_mb": resident})
}

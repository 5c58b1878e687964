//! Training steps a second of each task, through the C API, in one process. Prints one JSON object.
//!
//! ```sh
//! cargo bench --bench train -- DOCUMENT.jsonl MODEL [TASK...]
//! ```
//!
//! A step learns from all of the document, which has annotations of all tasks, going on from the weights of MODEL
//! without dropout, so that the first loss tells whether a peer does the same. `HMTL_BENCH_DEVICE` names a device,
//! `HMTL_BENCH_PACE` is a factor of the time for each figure.

use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr::null_mut;
use std::time::{Duration, Instant};
use std::{env, fs};

use hmtl::ffi::{
    hmtl_error, hmtl_error_message, hmtl_string_free, hmtl_trainer, hmtl_trainer_free,
    hmtl_trainer_new, hmtl_trainer_step,
};
use serde_json::{Value, json};

const TASKS: [&str; 4] = ["ner", "emd", "relation", "coref"];

fn main() {
    let mut arguments = env::args().skip(1).filter(|a| a != "--bench");
    let (Some(data), Some(model)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: train DOCUMENT.jsonl MODEL [TASK...]");
        std::process::exit(2);
    };
    let [data, model] =
        [data, model].map(|p| fs::canonicalize(&p).unwrap_or_else(|e| panic!("{p}: {e}")));
    let wanted: Vec<String> = arguments.collect();
    let tasks = TASKS.iter().filter(|t| wanted.is_empty() || wanted.iter().any(|w| w == *t));
    let results: serde_json::Map<String, Value> =
        tasks.map(|task| ((*task).to_owned(), measure(task, &data, &model))).collect();
    println!("{}", Value::Object(results));
}

fn measure(task: &str, data: &Path, model: &Path) -> Value {
    let config = fs::read_to_string(model.join("config.json")).expect("the model's configuration");
    let mut config: Value = serde_json::from_str(&config).expect("JSON");
    without_dropout(&mut config);
    // Peers know gold mentions alone.
    config["tasks"]["relation"]["near_misses"] = json!(0.0);
    config["tasks"]["relation"]["references"] = json!(false);
    let source = json!([{"format": "jsonl", "path": data}]);
    let run = json!({
        "format": 1,
        "start": model,
        "model": config,
        "training": {
            "seed": 1, "epochs": 1, "threads": 1, "steps_per_epoch": 100_000,
            "device": env::var("HMTL_BENCH_DEVICE").unwrap_or_else(|_| "cpu".into()),
            "sampling": {"type": "proportional"},
            "optimizer": {"type": "adam", "learning_rate": 1e-4},
            "tasks": {task: {"train": source, "batch_size": 100_000}},
        },
    });
    let run = CString::new(run.to_string()).expect("JSON");
    let mut trainer: *mut hmtl_trainer = null_mut();
    // SAFETY: as the header says.
    check(unsafe { hmtl_trainer_new(run.as_ptr(), &mut trainer) });
    let first = step(trainer);
    let mut seconds = Vec::new();
    let start = Instant::now();
    let pace = env::var("HMTL_BENCH_PACE").map_or(1.0, |p| p.parse().expect("a number"));
    while seconds.len() < 8 || start.elapsed() < Duration::from_secs(8).mul_f64(pace) {
        let before = Instant::now();
        step(trainer);
        seconds.push(before.elapsed().as_secs_f64());
    }
    // SAFETY: the trainer came from the library.
    unsafe { hmtl_trainer_free(trainer) };
    seconds.sort_by(f64::total_cmp);
    json!({"first_loss": first, "step_ms": seconds[seconds.len() / 2] * 1e3})
}

fn without_dropout(config: &mut Value) {
    match config {
        Value::Object(map) => {
            for (key, value) in map {
                match key.ends_with("dropout") {
                    true => *value = json!(0.0),
                    false => without_dropout(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(without_dropout),
        _ => {}
    }
}

/// Takes a step; its loss.
fn step(trainer: *mut hmtl_trainer) -> f64 {
    let mut out: *mut c_char = null_mut();
    // SAFETY: as the header says.
    unsafe {
        check(hmtl_trainer_step(trainer, &mut out));
        let step: Value = serde_json::from_slice(CStr::from_ptr(out).to_bytes()).expect("JSON");
        hmtl_string_free(out);
        step["loss"].as_f64().expect("a loss")
    }
}

fn check(error: *mut hmtl_error) {
    if !error.is_null() {
        // SAFETY: the error came from the library.
        panic!("{}", unsafe { CStr::from_ptr(hmtl_error_message(error)) }.to_string_lossy());
    }
}

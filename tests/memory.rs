//! How much memory models and long documents take. Alone in its process: what it measures is the process's.
#![cfg(target_os = "linux")]

mod common;

use hmtl::model::{AnnotateOptions, LoadOptions};
use hmtl::{Cancel, Model};

/// A line of this process's status, in bytes.
fn status(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix(line)).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}

/// One after the other: both measure the process.
#[test]
fn memory_stays_within_bounds() {
    common::one_thread();
    models_come_and_go_in_the_same_memory();
    a_long_document_takes_memory_by_its_tokens();
}

fn default_model() -> Model {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/models/default");
    Model::load(dir.as_ref(), &LoadOptions::default()).unwrap()
}

fn models_come_and_go_in_the_same_memory() {
    let text = include_str!("../examples/demo.txt");
    let load = || {
        for _ in 0..10 {
            default_model().annotate(text, &AnnotateOptions::default()).unwrap();
        }
        status("VmRSS:")
    };
    // What the allocator keeps goes up and down by some megabytes with which worker loads when.
    let most = |times: usize| (0..times).map(|_| load()).max().unwrap();
    let before = most(3);
    most(4);
    let after = (0..3).map(|_| load()).min().unwrap();
    // A model is several times as large, and a hundredth of one a time would be more.
    assert!(after < before + 4_000_000, "{before} to {after}");
}

fn a_long_document_takes_memory_by_its_tokens() {
    let model = default_model();
    let paragraph = include_str!("../examples/demo.txt");
    let annotate = |text: &str| {
        let doc = hmtl::text::tokenize(text);
        let tokens = doc.tokens.len();
        let options = AnnotateOptions::default();
        model.annotate_documents(&[doc], &options, &Cancel::new()).unwrap();
        tokens
    };
    annotate(&paragraph.repeat(50));
    let before = status("VmHWM:");
    let tokens = annotate(&paragraph.repeat(250));
    assert!(tokens > 40_000, "{tokens} tokens");
    // 100,000 tokens fit into 1.5 GB. The blocks in which scores are made are in `before`; every
    // further token may add this much, and no more when there are more of them.
    let used = (status("VmHWM:") - before) / tokens;
    assert!(used < 16_000, "{used} bytes a token");
}

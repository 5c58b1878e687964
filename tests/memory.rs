//! How much memory a long document takes. Alone in its process: what it measures is the process's.
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

#[test]
fn a_long_document_takes_memory_by_its_tokens() {
    common::one_thread();
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/models/default");
    let model = Model::load(dir.as_ref(), &LoadOptions::default()).unwrap();
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

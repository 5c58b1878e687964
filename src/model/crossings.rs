//! How often annotation goes to a device and back, which is what a short text costs there. On the CPU
//! nothing crosses, but it is counted all the same.

use std::path::Path;

use tch::Device;

use super::{AnnotateOptions, Bundle, LoadOptions};
use crate::transfer::{Crossings, crossings};
use crate::{Cancel, Document, engine, text};

const DEMO: &str = include_str!("../../examples/demo.txt");

/// What crosses when the default model annotates texts for some of its tasks.
fn cost(texts: &[&str], tasks: &[&str]) -> Crossings {
    cost_with(texts, tasks, &AnnotateOptions::default())
}

fn cost_with(texts: &[&str], tasks: &[&str], options: &AnnotateOptions) -> Crossings {
    let docs: Vec<Document> = texts.iter().map(|text| text::tokenize(text)).collect();
    let tasks = tasks.iter().map(|task| (*task).to_owned()).collect();
    let options = AnnotateOptions { tasks: Some(tasks), ..options.clone() };
    engine::run(move || {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default");
        let plain = LoadOptions { plain: true, ..LoadOptions::default() };
        let model = Bundle::load(&dir, Device::Cpu, &plain)?;
        let mut annotated = Ok(Vec::new());
        let cost = crossings(|| {
            annotated = model.network().annotate(&docs, &options, &Cancel::new());
        });
        assert!(annotated?.iter().any(|doc| !doc.mentions.is_empty()));
        Ok(cost)
    })
    .unwrap()
}

#[test]
fn a_batch_goes_there_once_and_each_task_comes_back_once() {
    let sentences = ["Marie Curie was born in Warsaw.", "She moved to Paris in 1891."];
    for texts in [&sentences[..1], &sentences[..]] {
        assert_eq!(cost(texts, &["ner"]), Crossings { up: 1, down: 1 });
        // With coreference, which its labels agree with, and with the names that are one to that.
        assert_eq!(cost(texts, &["emd"]), Crossings { up: 2, down: 3 });
        assert_eq!(cost(texts, &["ner", "emd"]), Crossings { up: 2, down: 3 });
        // Without either.
        let independent = AnnotateOptions { independent: true, ..AnnotateOptions::default() };
        assert_eq!(cost_with(texts, &["emd"], &independent), Crossings { up: 1, down: 1 });
    }
}

#[test]
fn what_reads_documents_crosses_once_more_for_all_of_them() {
    let other = "Marie Curie was born in Warsaw, Poland. She moved to Paris in 1891.";
    for texts in [&[DEMO][..], &[DEMO, other, "Oslo."]] {
        // Candidates there, and the scores of all that is kept of them back, beside the names.
        assert_eq!(cost(texts, &["coref"]), Crossings { up: 2, down: 2 });
        // That for what stands for names; these back, which make the pairs; those there, and their logits back.
        assert_eq!(cost(texts, &["relation"]), Crossings { up: 3, down: 3 });
    }
}

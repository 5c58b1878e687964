//! What a GPU does is what a CPU does, but for rounding. Skipped where there is none.

mod common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{slice, thread};

use common::toy;
use hmtl::data::{Dataset, Format, ReadOptions};
use hmtl::model::{AnnotateOptions, Compute, LoadOptions, Precision};
use hmtl::train::{RunConfig, Setup};
use hmtl::{Cancel, Document, Model, Span, device};
use serde_json::json;
use tch::Device;

/// Whether there is a GPU, saying so loudly where there is none.
fn gpu() -> bool {
    let devices = device::list().unwrap();
    let found = devices.as_array().unwrap().iter().any(|d| d["name"] == "cuda:0");
    if !found {
        eprintln!("SKIPPED: needs a GPU with CUDA, which is not here");
    }
    found
}

fn load(dir: &Path, device: &str, compute: Compute) -> Model {
    let device = device.to_owned();
    Model::load(dir, &LoadOptions { device, compute, ..LoadOptions::default() }).unwrap()
}

fn default_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default")
}

fn texts() -> Vec<Document> {
    let demo = include_str!("../examples/demo.txt");
    let texts = [demo, include_str!("../LICENSE-APACHE"), "", "She.", &"x".repeat(300)];
    texts.map(hmtl::text::tokenize).to_vec()
}

/// What was found in each document, with its score.
type Found = HashMap<(usize, String, Span, Span), f32>;

fn found(docs: &[Document]) -> Found {
    let mut found = HashMap::new();
    for (d, doc) in docs.iter().enumerate() {
        let span = |m: usize| Span::new(doc.mentions[m].first_token, doc.mentions[m].last_token);
        for m in 0..doc.mentions.len() {
            for (task, label) in &doc.mentions[m].labels {
                let what = format!("{task} {}", label.label);
                found.insert((d, what, span(m), span(m)), label.score.unwrap());
            }
        }
        for r in &doc.relations {
            let what = format!("{} {}", r.task, r.label);
            found.insert((d, what, span(r.head), span(r.tail)), r.score.unwrap());
        }
        for cluster in &doc.clusters {
            // All pairs of neighbours.
            for pair in cluster.mentions.windows(2) {
                found.insert((d, "coref".into(), span(pair[0]), span(pair[1])), 1.0);
            }
        }
    }
    found
}

/// How much of what either found both did, in percent, and the largest and the mean difference of scores.
fn agreement(a: &Found, b: &Found) -> (f64, f32, f32) {
    let apart: Vec<f32> = a.iter().filter_map(|(k, s)| Some((s - b.get(k)?).abs())).collect();
    let all = a.len() + b.len() - apart.len();
    let largest = apart.iter().copied().fold(0.0, f32::max);
    let mean = apart.iter().sum::<f32>() / apart.len() as f32;
    println!(
        "{} of {all} are the same; scores differ by {mean} on average, {largest} at most",
        apart.len()
    );
    (100.0 * apart.len() as f64 / all as f64, largest, mean)
}

fn annotate(model: &Model, docs: &[Document]) -> Found {
    found(&model.annotate_documents(docs, &AnnotateOptions::default(), &Cancel::new()).unwrap())
}

/// Decisions alike but for those on an edge, of which there should be none in many thousands; scores to 1e-4.
fn compare(dir: &Path, docs: &[Document]) {
    let [cpu, gpu] = ["cpu", "cuda"].map(|device| load(dir, device, Compute::Float32));
    let (cpu, gpu) = (annotate(&cpu, docs), annotate(&gpu, docs));
    assert!(!cpu.is_empty());
    let (same, largest, _) = agreement(&cpu, &gpu);
    assert!(same > 99.98 && largest < 1e-4, "{same} % the same, {largest} apart");
}

#[test]
fn the_default_model_decides_as_on_a_cpu() {
    if gpu() {
        compare(&default_model(), &texts());
    }
}

#[test]
fn the_default_model_decides_as_on_a_cpu_on_all_dev_sets() {
    if !gpu() {
        return;
    }
    let options = ReadOptions { skip_invalid: true, ..ReadOptions::default() };
    let sets = [
        (Format::Gum, "gum/dev"),
        (Format::Litbank, "litbank/dev"),
        (Format::Docred, "redocred/dev_revised.json"),
    ];
    for (format, part) in sets {
        let Some(path) = common::shared(part) else { continue };
        let data = Dataset::open(format, &path, &options).unwrap();
        println!("{part}");
        compare(&default_model(), &data.documents);
    }
}

#[test]
fn a_document_that_workers_share_is_read_as_on_a_cpu() {
    if !gpu() {
        return;
    }
    let demo = hmtl::text::tokenize(include_str!("../examples/demo.txt"));
    let times = 40_000 / demo.tokens.len() + 1;
    let doc = hmtl::text::tokenize(&format!("{}\n\n", demo.text).repeat(times));
    let [cpu, gpu] = ["cpu", "cuda"].map(|device| {
        annotate(&load(&default_model(), device, Compute::Float32), slice::from_ref(&doc))
    });
    // What is said again as it was said before is as good an antecedent as that: a few are ties.
    let (same, largest, _) = agreement(&cpu, &gpu);
    assert!(same > 99.9 && largest < 1e-4, "{same} % the same, {largest} apart");
}

#[test]
fn every_kind_of_head_gives_what_it_gives_on_a_cpu() {
    if gpu() {
        let dir = common::tiny_model();
        compare(&dir.path().join("model"), &texts());
    }
}

#[test]
fn half_the_precision_finds_nearly_the_same() {
    if gpu() {
        let [float, half] = [Compute::Float32, Compute::Bf16]
            .map(|compute| annotate(&load(&default_model(), "cuda", compute), &texts()));
        let (same, _, mean) = agreement(&float, &half);
        assert!(same > 95.0 && mean < 0.02, "{same} % the same, {mean} apart");
    }
}

#[test]
fn callers_share_a_model() {
    if !gpu() {
        return;
    }
    let model = load(&default_model(), "cuda", Compute::Float32);
    let doc = hmtl::text::tokenize(include_str!("../examples/demo.txt"));
    let texts: Vec<&str> = doc.sentences.iter().map(|s| &doc.text[s.start..s.end]).collect();
    let one = |text: &str| found(&[model.annotate(text, &AnnotateOptions::default()).unwrap()]);
    let alone: Vec<Found> = texts.iter().map(|text| one(text)).collect();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for (text, alone) in texts.iter().zip(&alone) {
                    let (same, ..) = agreement(&one(text), alone);
                    assert!(same >= 90.0 || alone.is_empty(), "{text}");
                }
            });
        }
    });
}

#[test]
fn every_head_learns_and_goes_on_on_a_cpu() {
    if !gpu() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut config = toy::run(dir.path());
    config["training"]["device"] = json!("cuda");
    let config = RunConfig::from_json(&config.to_string()).unwrap();
    let mut trainer = Setup::new(config, Device::Cuda(0)).unwrap().build().unwrap();
    trainer.train(&mut |_, _| Ok(()), &Cancel::new()).unwrap();
    for task in ["ner", "emd", "tokens", "relation", "ranking", "coref"] {
        let score = toy::dev_score(&mut trainer, task);
        assert!(score > 0.9, "{task} {score}");
    }
    let saved = dir.path().join("checkpoint");
    trainer.save(&saved).unwrap();
    let mut resumed = Setup::resume(&saved, Some(Device::Cpu)).unwrap().build().unwrap();
    for task in ["ner", "emd", "tokens", "relation", "ranking", "coref"] {
        let score = toy::dev_score(&mut resumed, task);
        assert!(score > 0.9, "{task} {score} after going on elsewhere");
    }
}

#[test]
fn every_kind_of_contextual_embedder_learns_and_gives_what_it_gives_on_a_cpu() {
    if !gpu() {
        return;
    }
    let transformer = json!({"type": "transformer", "mix": true});
    let kinds = [
        (&transformer, "transformer/bert"),
        (&transformer, "transformer/roberta"),
        (&transformer, "transformer/modernbert"),
        (&json!({"type": "elmo"}), "elmo"),
    ];
    for (context, data) in kinds {
        let dir = tempfile::tempdir().unwrap();
        let mut config = toy::run(dir.path());
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(data);
        config["vocabulary"] = json!({context["type"].as_str().unwrap(): folder});
        config["model"]["embedding"] = json!({"context": context});
        let config = RunConfig::from_json(&config.to_string()).unwrap();
        let mut trainer = Setup::new(config, Device::Cuda(0)).unwrap().build().unwrap();
        let losses: Vec<f64> =
            toy::steps(&mut trainer, 200).into_iter().map(|(_, loss)| loss).collect();
        assert!(losses.iter().all(|loss| loss.is_finite()), "{data}: {losses:?}");
        let model = dir.path().join("model");
        trainer.model().unwrap().save(&model, Precision::Float32).unwrap();
        println!("{data}");
        let docs: Vec<Document> = (0..6).map(toy::document).collect();
        compare(&model, &docs);
        let [float, half] = [Compute::Float32, Compute::Bf16]
            .map(|compute| annotate(&load(&model, "cuda", compute), &docs));
        let (_, _, mean) = agreement(&float, &half);
        assert!(mean < 0.05, "{data}: {mean} apart");
    }
}

#[test]
fn nothing_is_printed_but_what_was_asked_for() {
    if gpu() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hmtl"));
        let command =
            command.args(["annotate", "--device", "cuda", "--model"]).arg(default_model());
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo.txt");
        let output = command.arg(demo).output().unwrap();
        let shown = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && shown.is_empty(), "{shown}");
    }
}

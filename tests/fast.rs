//! The library's own layers against LibTorch's: the same decisions, scores but for rounding. And what
//! they give does not depend on what else is annotated with it, not even by a rounding.

mod common;

use std::ffi::{CStr, CString};
use std::path::Path;

use hmtl::data::{Dataset, Format, ReadOptions};
use hmtl::model::{AnnotateOptions, LoadOptions};
use hmtl::{Cancel, Document, Error, Model};

const TOLERANCE: f32 = 1e-4;

fn load(dir: &Path, plain: bool) -> Model {
    Model::load(dir, &LoadOptions { plain, ..LoadOptions::default() }).unwrap()
}

fn default_model() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/default")
}

/// Takes the scores out of a document.
fn scores(doc: &mut Document) -> Vec<f32> {
    let labels = doc.mentions.iter_mut().flat_map(|m| m.labels.values_mut());
    let mut scores: Vec<f32> = labels.filter_map(|l| l.score.take()).collect();
    scores.extend(doc.relations.iter_mut().filter_map(|r| r.score.take()));
    scores
}

/// Annotates with both and compares; the number of decisions.
fn compare(dir: &Path, docs: &[Document]) -> usize {
    let options = AnnotateOptions { singletons: true, ..AnnotateOptions::default() };
    let annotate = |plain| {
        let model = load(dir, plain);
        model.annotate_documents(docs, &options, &Cancel::new()).unwrap()
    };
    let mut decisions = 0;
    for (mut fast, mut plain) in annotate(false).into_iter().zip(annotate(true)) {
        let (of_fast, of_plain) = (scores(&mut fast), scores(&mut plain));
        assert!(fast == plain, "decisions differ");
        for (a, b) in of_fast.iter().zip(&of_plain) {
            assert!((a - b).abs() <= TOLERANCE, "{a} and {b}");
        }
        decisions += of_fast.len() + fast.clusters.len();
    }
    decisions
}

fn texts() -> Vec<Document> {
    let demo = include_str!("../examples/demo.txt");
    // One sentence of many blocks, a word longer than any other, and nothing. (Repeated, a text would have ties.)
    let long = demo.replace(['.', '\n'], ",");
    let texts = [demo, &long, &"x".repeat(300), "", "She.", "Oslo Oslo Oslo , she founded it ."];
    texts.map(hmtl::text::tokenize).to_vec()
}

#[test]
fn a_model_of_every_head_decides_as_with_libtorch() {
    let dir = common::tiny_model();
    assert!(compare(&dir.path().join("model"), &texts()) > 100);
}

#[test]
fn the_default_model_decides_as_with_libtorch() {
    common::one_thread();
    // A text of a thousand words that will not change.
    let long = hmtl::text::tokenize(include_str!("../LICENSE-APACHE"));
    assert!(compare(&default_model(), &[texts(), vec![long]].concat()) > 100);
}

#[test]
fn the_default_model_decides_as_with_libtorch_on_all_dev_sets() {
    common::one_thread();
    let read = |format, part: &str| {
        let options = ReadOptions { skip_invalid: true, ..ReadOptions::default() };
        let data = Dataset::open(format, &common::shared(part)?, &options).unwrap();
        Some(data.documents)
    };
    for (format, part) in [(Format::Gum, "gum/dev"), (Format::Litbank, "litbank/dev")] {
        let Some(docs) = read(format, part) else { return };
        assert!(compare(&default_model(), &docs) > 5000);
    }
    let Some(docs) = read(Format::Docred, "redocred/dev_revised.json") else { return };
    assert!(compare(&default_model(), &docs[450..]) > 1000);
}

#[test]
fn a_document_has_the_same_scores_whatever_its_neighbours() {
    common::one_thread();
    let model = load(&default_model(), false);
    let options = AnnotateOptions::default();
    // Some are worked on in parts when they are alone: one always, one where workers are idle. Of the demo idle
    // workers take pieces.
    let demo = hmtl::text::tokenize(include_str!("../examples/demo.txt"));
    assert!((100..300).contains(&demo.tokens.len()), "{}", demo.tokens.len());
    let long = hmtl::text::tokenize(&include_str!("../examples/demo.txt").repeat(30));
    assert!(long.tokens.len() > 5000);
    let shorter = hmtl::text::tokenize(include_str!("../LICENSE-APACHE"));
    assert!((1000..4000).contains(&shorter.tokens.len()));
    let docs = [texts(), vec![long, shorter]].concat();
    let together = model.annotate_documents(&docs, &options, &Cancel::new()).unwrap();
    for (doc, with_others) in docs.iter().zip(together) {
        let alone = std::slice::from_ref(doc);
        let alone = model.annotate_documents(alone, &options, &Cancel::new()).unwrap().remove(0);
        assert!(alone == with_others);
    }
}

#[test]
fn who_no_longer_wants_a_result_takes_none_from_those_it_waits_with() {
    let dir = common::tiny_model();
    let model = Model::load(&dir.path().join("model"), &LoadOptions::default()).unwrap();
    let texts: Vec<String> = (0..6)
        .map(|i| format!("Maria Keller founded Nordlicht {i} in Oslo. She sold it."))
        .collect();
    let annotate = |text: &str, cancel: &Cancel| {
        model.annotate_batch(&[text], &AnnotateOptions::default(), cancel)
    };
    let alone: Vec<_> = texts.iter().map(|text| annotate(text, &Cancel::new()).unwrap()).collect();
    std::thread::scope(|scope| {
        for (at, (text, alone)) in texts.iter().zip(&alone).enumerate() {
            let annotate = &annotate;
            scope.spawn(move || {
                for round in 0..40 {
                    let cancel = Cancel::new();
                    let gone = (at + round) % 3 == 0;
                    if gone {
                        cancel.trigger();
                    }
                    match annotate(text, &cancel) {
                        Ok(found) => assert!(!gone && found == *alone),
                        Err(error) => assert!(gone && matches!(error, Error::Cancelled), "{error}"),
                    }
                }
            });
        }
    });
}

/// The array of documents that the C API gives for texts.
fn through_c(model: &Path, options: &CStr, texts: &[&str]) -> Vec<Document> {
    use hmtl::ffi::{
        hmtl_model_annotate_batch, hmtl_model_free, hmtl_model_load, hmtl_str, hmtl_string_free,
    };
    let dir = CString::new(model.to_str().unwrap()).unwrap();
    let texts: Vec<hmtl_str> =
        texts.iter().map(|t| hmtl_str { data: t.as_ptr().cast(), len: t.len() }).collect();
    let (mut model, mut json) = (std::ptr::null_mut(), std::ptr::null_mut());
    let no_options = std::ptr::null();
    // SAFETY: as the header says.
    unsafe {
        assert!(hmtl_model_load(dir.as_ptr(), options.as_ptr(), &mut model).is_null());
        let (at, count, cancel) = (texts.as_ptr(), texts.len(), std::ptr::null());
        let error = hmtl_model_annotate_batch(model, at, count, no_options, cancel, &mut json);
        assert!(error.is_null());
        let docs = serde_json::from_slice(CStr::from_ptr(json).to_bytes()).unwrap();
        hmtl_string_free(json);
        hmtl_model_free(model);
        docs
    }
}

#[test]
fn a_batch_that_the_workers_share_is_the_array_of_its_documents() {
    let license = include_str!("../LICENSE-APACHE");
    let mut texts: Vec<&str> = license.split("\n\n").collect();
    texts.extend(["", "She.", ""]);
    let dir = common::tiny_model();
    let dir = dir.path().join("model");
    let model = load(&dir, false);
    let alone = texts.iter().map(|t| model.annotate(t, &AnnotateOptions::default()).unwrap());
    let alone: Vec<Document> = alone.collect();
    let together = through_c(&dir, c"{}", &texts);
    assert!(together == alone, "{} documents of {}", together.len(), alone.len());
    // Through LibTorch workers share them by length, and they come back in their order, but for rounding the same.
    let mut plain = through_c(&dir, cr#"{"plain":true}"#, &texts);
    assert_eq!(plain.len(), alone.len());
    for (plain, mut alone) in plain.iter_mut().zip(alone) {
        assert_eq!(scores(plain).len(), scores(&mut alone).len());
        assert!(*plain == alone, "{:?}", alone.text);
    }
    // None has any.
    assert!(through_c(&dir, c"{}", &[]).is_empty());
}

use std::ffi::c_char;

use serde::Deserialize;

use super::arguments::{Out, free, guard, json, options, path, required, slice, text, texts};
use super::cancel::token;
use super::{hmtl_cancel, hmtl_dataset, hmtl_error, hmtl_str};
use crate::metric::Singletons;
use crate::model::{EvaluateOptions, Precision};
use crate::{Error, Model, Result};

/// A trained model, ready to annotate. Immutable, so threads may share it.
pub struct hmtl_model(pub(super) Model);

/// Loads the model in directory `dir`; NULL is the model that ships with the library: the
/// directory that the environment's HMTL_MODEL names, or else `share/hmtl/models/default` of the
/// installation. Options: `device` ("cpu", "cuda", "cuda:1"), `tasks` (only these are loaded, one at
/// least), `plain` (true: work through LibTorch alone; the library's own layers for CPUs with AVX2 are
/// several times faster and give the same but for rounding), `compute` ("float32", or "bf16": embedders,
/// and encoders where that is on a CPU, compute in half the memory, with scores that differ in the
/// third decimal): `{"device":"cpu","tasks":["ner","coref"]}`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_model_load(
    dir: *const c_char,
    options_json: *const c_char,
    out_model: *mut *mut hmtl_model,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (out, dir, options) = unsafe {
            let dir = if dir.is_null() { None } else { Some(path(dir, "dir")?) };
            (Out::new(out_model, "out_model")?, dir, options(options_json)?)
        };
        let dir = dir.map_or_else(Model::default_dir, |d| Ok(d.to_owned()))?;
        out.give(hmtl_model(Model::load(&dir, &options)?));
        Ok(())
    })
}

/// Describes the model as JSON: `{"device":"cpu","tasks":{"ner":{"kind":"spans","labels":["PER",
/// ...],...}},"encoders":{...},"vocabulary":{"words":20000,"chars":90},"parameters":4000000,
/// "card":{"name":"...","data":[...],"scores":{...},"limits":[...]}}`. Kinds are spans, relations
/// and coreference.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_model_info(
    model: *const hmtl_model,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (model, out) = unsafe { (required(model, "model")?, Out::new(out_json, "out_json")?) };
        out.json(&model.0.info()?)
    })
}

/// Annotates a text of any length. Options: `tasks` (what to look for; absent means all, [] nothing),
/// `min_score` (0 to 1: leaves out less probable labels and relations), `offsets` ("byte", "char"
/// or "utf16": the unit of every start and end), `singletons` (true also reports coreference
/// clusters of one mention), `independent` (true: no task has a say in what another finds, unless that
/// reads its mentions or clusters; what is one thing need not agree, and fewer tasks are run):
/// `{"tasks":["ner"],"min_score":0.5,"offsets":"char"}`.
///
/// `out_json` is a document. Spans are half-open; `first_token` and `last_token` count tokens,
/// relations and clusters name mentions by their index:
///
/// ```json
/// {"format":1,"offsets":"byte","tasks":["ner","relation","coref"],
///  "text":"Ada met Bo. She left.",
///  "sentences":[{"start":0,"end":11,"first_token":0,"last_token":4},...],
///  "tokens":[{"start":0,"end":3},...],
///  "mentions":[{"start":0,"end":3,"first_token":0,"last_token":1,"text":"Ada",
///               "labels":{"ner":{"label":"PER","score":0.99}},"cluster":0},...],
///  "relations":[{"task":"relation","label":"knows","head":0,"tail":1,"score":0.8}],
///  "clusters":[{"mentions":[0,2]}]}
/// ```
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_model_annotate(
    model: *const hmtl_model,
    text: *const c_char,
    text_len: usize,
    options_json: *const c_char,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (model, text, options, out) = unsafe {
            let model = required(model, "model")?;
            let text = self::text(text, text_len, "text")?;
            (model, text, options(options_json)?, Out::new(out_json, "out_json")?)
        };
        out.json(&model.0.annotate(text, &options)?)
    })
}

/// Annotates `count` texts, on all workers at once; `out_json` is an array of documents in their
/// order. But for the rounding of scores, the result for a text does not depend on the others.
/// Options as hmtl_model_annotate.
/// `cancel` may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_model_annotate_batch(
    model: *const hmtl_model,
    texts: *const hmtl_str,
    count: usize,
    options_json: *const c_char,
    cancel: *const hmtl_cancel,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (model, texts, options, cancel, out) = unsafe {
            let model = required(model, "model")?;
            let texts = self::texts(texts, count, "texts")?;
            (model, texts, options(options_json)?, token(cancel), Out::new(out_json, "out_json")?)
        };
        let docs = model.0.annotate_texts(&texts, &options, &cancel, |doc| json(&doc))?;
        out.json_array(&docs)
    })
}

/// Annotates a tokenized document. A token must not be empty; a sentence may. `sentence_ends` holds,
/// for each sentence, the index after its last token; NULL and 0 mean one sentence. Options as hmtl_model_annotate. The text of the
/// document has a space between tokens and a line for each sentence.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_model_annotate_tokens(
    model: *const hmtl_model,
    tokens: *const hmtl_str,
    token_count: usize,
    sentence_ends: *const usize,
    sentence_count: usize,
    options_json: *const c_char,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        let one_sentence = [token_count];
        // SAFETY: as the header says.
        let (model, tokens, ends, options, out) = unsafe {
            let model = required(model, "model")?;
            let tokens = texts(tokens, token_count, "tokens")?;
            let ends = if sentence_ends.is_null() && sentence_count == 0 {
                &one_sentence
            } else {
                slice(sentence_ends, sentence_count, "sentence_ends")?
            };
            (model, tokens, ends, options(options_json)?, Out::new(out_json, "out_json")?)
        };
        out.json(&model.0.annotate_tokens(&sentences(&tokens, ends)?, &options)?)
    })
}

fn sentences<'a>(tokens: &[&'a str], ends: &[usize]) -> Result<Vec<Vec<&'a str>>> {
    if let Some(at) = tokens.iter().position(|t| t.is_empty()) {
        return Err(Error::invalid(format!("tokens[{at}] is empty")));
    }
    let mut start = 0;
    let mut sentences = Vec::with_capacity(ends.len());
    for (at, &end) in ends.iter().enumerate() {
        let Some(sentence) = tokens.get(start..end) else {
            return Err(Error::invalid(format!(
                "sentence_ends[{at}] is {end}: it must be from {start} to {}",
                tokens.len()
            )));
        };
        sentences.push(sentence.to_vec());
        start = end;
    }
    if start != tokens.len() {
        let message = format!("sentence_ends stop at {start} of {} tokens", tokens.len());
        return Err(Error::invalid(message));
    }
    Ok(sentences)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    tasks: Option<Vec<String>>,
    all_labels: bool,
    singletons: Singletons,
    independent: bool,
}

/// Scores the model on a data set. Options: `tasks` (absent means all that the data has gold
/// for), `all_labels` (true counts gold labels that the model does not know as misses, and
/// predicted labels that the data does not have as wrong), `singletons` ("auto", "keep" or "drop"
/// coreference clusters of one mention), `independent` (as of hmtl_model_annotate):
/// `{"tasks":["ner"],"all_labels":true}`. `cancel` may be NULL. `out_json` holds the metrics of
/// each task: `{"ner":{"task":"ner","score":0.81,
/// "documents":50,"layer":"ner","unknown_labels":{},"absent_labels":[],"details":{...}}}`, where `score` is the
/// strict micro F1, or the average of MUC, B3 and CEAFe for coreference.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_model_evaluate(
    model: *const hmtl_model,
    dataset: *const hmtl_dataset,
    options_json: *const c_char,
    cancel: *const hmtl_cancel,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (model, dataset, options, cancel, out) = unsafe {
            let model = &required(model, "model")?.0;
            let dataset = required(dataset, "dataset")?;
            let options: Options = options(options_json)?;
            (model, dataset, options, token(cancel), Out::new(out_json, "out_json")?)
        };
        let docs = &dataset.0.documents;
        let tasks = match options.tasks {
            Some(tasks) => tasks,
            None => model.tasks_with_gold(docs)?,
        };
        let Options { all_labels, singletons, independent, .. } = options;
        let score = EvaluateOptions { all_labels, singletons, independent };
        let evaluate = |task: String| {
            let result = model.evaluate(&task, docs, &score, &cancel)?;
            let result =
                serde_json::to_value(result).map_err(|e| Error::Internal(e.to_string()))?;
            Ok((task, result))
        };
        let scores: serde_json::Map<_, _> =
            tasks.into_iter().map(evaluate).collect::<Result<_>>()?;
        out.json(&scores)
    })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SaveOptions {
    precision: Precision,
}

/// Writes the model as a directory that hmtl_model_load takes, whole or not at all; it replaces an
/// older model there and nothing else. Options: `precision` ("float32", "float16", or "compact":
/// words in one byte a number).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_model_save(
    model: *const hmtl_model,
    dir: *const c_char,
    options_json: *const c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (model, dir, options) = unsafe {
            let options: SaveOptions = options(options_json)?;
            (required(model, "model")?, path(dir, "dir")?, options)
        };
        model.0.save(dir, options.precision)
    })
}

/// Frees the model. No call that uses it may be running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_model_free(model: *mut hmtl_model) {
    // SAFETY: as the header says.
    unsafe { free(model) }
}

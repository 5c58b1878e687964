use std::ffi::c_char;

use super::arguments::{Out, free, guard, options, required, required_str, text};
use super::{arguments, hmtl_error};
use crate::Error;
use crate::data::{self, Dataset, ReadOptions};

/// A read-only collection of annotated documents.
pub struct hmtl_dataset(pub(super) Dataset);

/// Opens the data set at `path`, a file or a folder, with the reader named `format`: conll2003,
/// conll2012, docred, dygie, conll04, gum, litbank, brat, knowledgenet or jsonl. Options:
/// `skip_invalid` (true leaves out what does not follow the format, and counts it), `tag_column`
/// (conll2003: the column of the tag, from 0), `names` and `speakers` (gum: true derives names from
/// proper nouns, writes speakers before their turns): `{"skip_invalid":true}`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_dataset_open(
    format: *const c_char,
    path: *const c_char,
    options_json: *const c_char,
    out_dataset: *mut *mut hmtl_dataset,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (format, path, options, out) = unsafe {
            let (format, path) = (required_str(format, "format")?, arguments::path(path, "path")?);
            (format, path, options(options_json)?, Out::new(out_dataset, "out_dataset")?)
        };
        out.give(hmtl_dataset(Dataset::open(format.parse()?, path, &options)?));
        Ok(())
    })
}

/// Reads a data set from JSON Lines in memory, one document a line, as annotation returns them. An
/// unknown field is an error; `text`, `sentences` and `tokens` must be there.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_dataset_from_jsonl(
    jsonl: *const c_char,
    jsonl_len: usize,
    out_dataset: *mut *mut hmtl_dataset,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (jsonl, out) =
            unsafe { (text(jsonl, jsonl_len, "jsonl")?, Out::new(out_dataset, "out_dataset")?) };
        out.give(hmtl_dataset(Dataset::from_jsonl(jsonl, &ReadOptions::default())?));
        Ok(())
    })
}

/// Describes the data set as JSON: `{"documents":50,"sentences":400,"tokens":9000,
/// "mentions":1200,"clusters":300,"tasks":{"ner":50},"labels":{"ner":{"PER":400}},
/// "relations":{},"skipped":0}`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_dataset_info(
    dataset: *const hmtl_dataset,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (dataset, out) =
            unsafe { (required(dataset, "dataset")?, Out::new(out_json, "out_json")?) };
        out.json(&dataset.0.info())
    })
}

/// Returns the number of documents; 0 when `dataset` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_dataset_len(dataset: *const hmtl_dataset) -> usize {
    // SAFETY: as the header says.
    unsafe { dataset.as_ref() }.map_or(0, |d| d.0.documents.len())
}

/// Writes document `index` as JSON, in the shape that annotation returns.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_dataset_get(
    dataset: *const hmtl_dataset,
    index: usize,
    out_json: *mut *mut c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (dataset, out) =
            unsafe { (required(dataset, "dataset")?, Out::new(out_json, "out_json")?) };
        let documents = &dataset.0.documents;
        let document = documents.get(index).ok_or_else(|| {
            Error::invalid(format!("index {index} of a data set of {} documents", documents.len()))
        })?;
        out.json(document)
    })
}

/// Writes the data set in `format`: jsonl, which holds all of it, conll2003 or conll2012 to the file
/// `path`, brat to the folder `path`. An older file is replaced. What a format has no place for is
/// left out; nested mentions, which conll2003 cannot do without, are an error.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn hmtl_dataset_write(
    dataset: *const hmtl_dataset,
    format: *const c_char,
    path: *const c_char,
) -> *mut hmtl_error {
    guard(|| {
        // SAFETY: as the header says.
        let (dataset, format, path) = unsafe {
            let (format, path) = (required_str(format, "format")?, arguments::path(path, "path")?);
            (required(dataset, "dataset")?, format, path)
        };
        data::write(format.parse()?, &dataset.0.documents, path)
    })
}

/// Frees the data set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn hmtl_dataset_free(dataset: *mut hmtl_dataset) {
    // SAFETY: as the header says.
    unsafe { free(dataset) }
}

//! Files to documents: one reader a format.
//!
//! A reader takes a file or a folder of files, read in name order. What does not follow the
//! format is an error that names file and line; with [`ReadOptions::skip_invalid`] the offending
//! span, relation or document is left out and listed in [`Dataset::skipped`] instead.

mod brat;
mod conll;
mod conll04;
mod conll2003;
mod conll2012;
mod docred;
mod dygie;
mod gum;
mod info;
mod jsonl;
mod knowledgenet;
mod litbank;
mod write;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use write::write;

use crate::{Document, DocumentBuilder, Error, Result, Span};

/// Name of the coreference layer in [`Document::tasks`].
pub const COREF: &str = "coref";
/// Name of the named-entity layer.
pub const NER: &str = "ner";
/// Name of the entity-mention layer.
pub const EMD: &str = "emd";
/// Name of the relation layer.
pub const RELATION: &str = "relation";

/// The formats that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Columns by white space, word first, one tag column: layer `ner`.
    Conll2003,
    /// CoNLL-2011/2012 columns: names (layer `ner`) and coreference.
    Conll2012,
    /// DocRED JSON: names (`ner`), their coreference, document-level relations.
    Docred,
    /// DyGIE JSON lines: mentions (`emd`), relations, coreference.
    Dygie,
    /// The unified JSON of CoNLL04: mentions (`emd`) and relations.
    Conll04,
    /// GUM CoNLL-U: nested mentions (`emd`) and coreference with singletons.
    Gum,
    /// LitBank's nested mention columns (`emd`), with its coreference files.
    Litbank,
    /// brat standoff: mentions (`emd`) and relations.
    Brat,
    /// KnowledgeNet JSON lines: relations, of some properties each passage.
    Knowledgenet,
    /// One [`Document`] a line.
    Jsonl,
}

impl Format {
    pub const ALL: [Self; 10] = [
        Self::Conll2003,
        Self::Conll2012,
        Self::Docred,
        Self::Dygie,
        Self::Conll04,
        Self::Gum,
        Self::Litbank,
        Self::Brat,
        Self::Knowledgenet,
        Self::Jsonl,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Conll2003 => "conll2003",
            Self::Conll2012 => "conll2012",
            Self::Docred => "docred",
            Self::Dygie => "dygie",
            Self::Conll04 => "conll04",
            Self::Gum => "gum",
            Self::Litbank => "litbank",
            Self::Brat => "brat",
            Self::Knowledgenet => "knowledgenet",
            Self::Jsonl => "jsonl",
        }
    }

    /// Extensions of its files in a folder; empty means any.
    fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Conll2003 => &["conll", "txt", "tsv", "iob", "bio"],
            Self::Conll2012 => &["conll", "v4_gold_conll", "v4_auto_conll", "gold_conll"],
            Self::Docred | Self::Conll04 => &["json"],
            Self::Dygie => &["json", "jsonl"],
            Self::Gum => &["conllu"],
            Self::Litbank => &["tsv"],
            Self::Brat => &["ann"],
            Self::Knowledgenet | Self::Jsonl => &["jsonl"],
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|f| f.name()).collect();
            Error::invalid(format!("unknown format `{name}`; there are {}", names.join(", ")))
        })
    }
}

/// How to read a data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadOptions {
    /// Leaves out what is invalid and lists it, instead of failing.
    pub skip_invalid: bool,
    /// conll2003: the column of the tag, from 0; absent means the last that holds tags.
    pub tag_column: Option<usize>,
    /// gum: derives the layer `ner` from the mentions that proper nouns head.
    pub names: bool,
    /// gum: writes the speaker's name before each turn of a conversation, as transcripts do.
    pub speakers: bool,
}

/// Annotated documents.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    pub documents: Vec<Document>,
    /// What was left out, and why.
    pub skipped: Vec<Skip>,
}

/// Something that a reader left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skip {
    pub path: PathBuf,
    /// From 1; 0 when the format has no lines.
    pub line: usize,
    pub message: String,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

impl Dataset {
    /// Reads a file or a folder.
    pub fn open(format: Format, path: &Path, options: &ReadOptions) -> Result<Self> {
        let mut dataset = Self::default();
        let files = match format {
            Format::Litbank => litbank::files(path)?,
            _ => files(path, format.extensions())?,
        };
        for file in files {
            let text = read_text(&file)?;
            let mut source = Source { path: &file, options, skipped: &mut dataset.skipped };
            let documents = match format {
                Format::Conll2003 => conll2003::read(&text, &mut source),
                Format::Conll2012 => conll2012::read(&text, &mut source),
                Format::Docred => docred::read(&text, &mut source),
                Format::Dygie => dygie::read(&text, &mut source),
                Format::Conll04 => conll04::read(&text, &mut source),
                Format::Gum => gum::read(&text, &mut source),
                Format::Litbank => litbank::read(&text, &mut source),
                Format::Brat => brat::read(&text, &mut source),
                Format::Knowledgenet => knowledgenet::read(&text, &mut source),
                Format::Jsonl => jsonl::read(&text, &mut source),
            }?;
            dataset.documents.extend(documents);
        }
        Ok(dataset)
    }

    /// Reads JSON lines from memory.
    pub fn from_jsonl(text: &str, options: &ReadOptions) -> Result<Self> {
        let mut dataset = Self::default();
        let path = Path::new("jsonl");
        let mut source = Source { path, options, skipped: &mut dataset.skipped };
        dataset.documents = jsonl::read(text, &mut source)?;
        Ok(dataset)
    }

    /// Counts of documents, sentences, tokens, labels, clusters and skips.
    pub fn info(&self) -> serde_json::Value {
        info::info(self)
    }

    /// The mention layers that some document has.
    pub fn mention_layers(&self) -> Vec<String> {
        let mut layers: Vec<String> = self
            .documents
            .iter()
            .flat_map(|d| &d.tasks)
            .filter(|t| *t != COREF && *t != RELATION)
            .cloned()
            .collect();
        layers.sort();
        layers.dedup();
        layers
    }
}

/// The file being read, and what to do about its mistakes.
struct Source<'a> {
    path: &'a Path,
    options: &'a ReadOptions,
    skipped: &'a mut Vec<Skip>,
}

impl Source<'_> {
    fn error(&self, line: usize, message: impl Into<String>) -> Error {
        Error::data(self.path, line, message)
    }

    /// Something invalid that can be left out: an error unless the options allow it.
    fn invalid(&mut self, line: usize, message: impl Into<String>) -> Result<()> {
        if !self.options.skip_invalid {
            return Err(self.error(line, message));
        }
        self.left_out(line, message);
        Ok(())
    }

    /// Something that is valid but has no place in a document: always left out and listed.
    fn left_out(&mut self, line: usize, message: impl Into<String>) {
        let (path, message) = (self.path.to_owned(), message.into());
        self.skipped.push(Skip { path, line, message });
    }

    /// Parses JSON; the error names the line inside the file.
    fn json<T: serde::de::DeserializeOwned>(&self, text: &str, line: usize) -> Result<T> {
        serde_json::from_str(text)
            .map_err(|e| self.error(line + e.line().saturating_sub(1), e.to_string()))
    }

    /// Labels a span whose layer may already have one: then the first label stays.
    fn label(
        &mut self,
        line: usize,
        build: &mut DocumentBuilder,
        span: Span,
        layer: &str,
        label: &str,
    ) {
        if !build.label(span, layer, label, None) {
            let doc = build.document();
            let text = &doc.text[doc.tokens[span.first].start..doc.tokens[span.last - 1].end];
            self.left_out(line, format!("second `{layer}` label `{label}` of {text:?}"));
        }
    }

    /// The name of a document that its file does not name.
    fn stem(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The files of a data set, in name order.
fn files(path: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let io = |e| Error::io(path, e);
    if !fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let file = entry.map_err(io)?.path();
        let extension = file.extension().unwrap_or_default().to_string_lossy();
        if file.is_file() && extensions.contains(&&*extension) {
            found.push(file);
        }
    }
    if found.is_empty() {
        let message = format!("the folder has no file named *.{}", extensions.join(" or *."));
        return Err(Error::data(path, 0, message));
    }
    found.sort();
    Ok(found)
}

/// A file's text, without a byte-order mark.
fn read_text(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        Error::data(path, line, "is not valid UTF-8")
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

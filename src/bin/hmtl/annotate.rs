//! `hmtl annotate`: texts in, documents out.

use std::fs;
use std::io::{IsTerminal as _, Read as _, Write as _, stderr, stdin, stdout};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hmtl::data::{self, Dataset, ReadOptions};
use hmtl::model::AnnotateOptions;
use hmtl::{Cancel, Document, Error, OffsetUnit, Result};
use indicatif::ProgressBar;

use super::convert::report_skips;
use super::{ModelArguments, html, listing};

/// Files read ahead: what is annotated together.
const GROUP: usize = 32;

#[derive(clap::Args)]
pub struct Arguments {
    /// UTF-8 texts; standard input when there is none, or for `-`.
    files: Vec<PathBuf>,
    /// The files are data of this format, whose sentences and tokens are taken as they are and
    /// whose annotations are dropped: conll2003, conll2012, docred, dygie, conll04, gum, litbank,
    /// brat, knowledgenet or jsonl.
    #[arg(long, value_name = "FORMAT")]
    from: Option<data::Format>,
    #[command(flatten)]
    model: ModelArguments,
    /// What to look for, such as ner,coref; all tasks of the model when absent.
    #[arg(long, value_delimiter = ',')]
    tasks: Option<Vec<String>>,
    /// How to show the result.
    #[arg(long, default_value = "json")]
    format: Format,
    /// Unit of positions in JSON.
    #[arg(long, default_value = "byte")]
    offsets: Offsets,
    /// Leaves out labels and relations of a lower probability, 0 to 1.
    #[arg(long, value_name = "X")]
    min_score: Option<f32>,
    /// Shows coreference clusters of one mention, too.
    #[arg(long)]
    singletons: bool,
    /// No task has a say in what another finds, unless that reads its mentions or clusters: fewer tasks are run.
    #[arg(long)]
    independent: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// Indented; an array when there are several files, and of data.
    Json,
    /// A document a line.
    Jsonl,
    /// For reading: mentions in brackets, relations, clusters.
    Text,
    /// A page that needs nothing else.
    Html,
}

#[derive(Clone, Copy, ValueEnum)]
enum Offsets {
    Byte,
    Char,
    Utf16,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Arguments {
        mut files,
        from,
        model,
        tasks,
        format,
        offsets,
        min_score,
        singletons,
        independent,
    } = arguments;
    if files.is_empty() {
        files.push("-".into());
    }
    // Before the model is loaded, which takes longer.
    for file in files.iter().filter(|file| !is_stdin(file)) {
        fs::metadata(file).map_err(|e| Error::io(file, e))?;
    }
    let data = from.map(|from| read_data(from, &files)).transpose()?;
    let model = model.load(tasks)?;
    let options = AnnotateOptions {
        min_score,
        singletons,
        independent,
        offsets: match (format, offsets) {
            // These show text, not positions.
            (Format::Text | Format::Html, _) | (_, Offsets::Byte) => OffsetUnit::Byte,
            (_, Offsets::Char) => OffsetUnit::Char,
            (_, Offsets::Utf16) => OffsetUnit::Utf16,
        },
        ..AnnotateOptions::default()
    };
    let count = data.as_ref().map_or(files.len(), Vec::len);
    let mut writer = Writer { format, many: data.is_some() || files.len() > 1, written: 0 };
    let bar = (count > GROUP && stderr().is_terminal()).then(|| ProgressBar::new(count as u64));
    let done = |n: usize| bar.iter().for_each(|bar| bar.inc(n as u64));
    writer.begin()?;
    if let Some(data) = &data {
        for group in data.chunks(GROUP) {
            let docs = model.annotate_documents(group, &options, &Cancel::new())?;
            docs.iter().try_for_each(|doc| writer.document(doc))?;
            done(group.len());
        }
    } else {
        for group in files.chunks(GROUP) {
            let texts = group.iter().map(|f| read(f)).collect::<Result<Vec<_>>>()?;
            let docs = model.annotate_batch(&texts, &options, &Cancel::new())?;
            for (file, mut doc) in group.iter().zip(docs) {
                doc.id = (!is_stdin(file)).then(|| file.display().to_string());
                writer.document(&doc)?;
            }
            done(group.len());
        }
    }
    writer.end()
}

/// The documents of data sets.
fn read_data(format: data::Format, files: &[PathBuf]) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for file in files {
        if is_stdin(file) {
            return Err(Error::invalid("data is read from files: name one after --from"));
        }
        let dataset = Dataset::open(format, file, &ReadOptions::default())?;
        report_skips(&dataset);
        documents.extend(dataset.documents);
    }
    Ok(documents)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read(path: &Path) -> Result<String> {
    let bytes = if is_stdin(path) {
        let mut bytes = Vec::new();
        stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = bytes.map_err(|e| Error::io(path, e))?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::invalid(format!("{} is not UTF-8 text: see byte {at}", path.display()))
    })
}

struct Writer {
    format: Format,
    many: bool,
    written: usize,
}

impl Writer {
    fn begin(&self) -> Result<()> {
        match self.format {
            Format::Json if self.many => put("[\n"),
            Format::Html => put(html::HEAD),
            _ => Ok(()),
        }
    }

    fn document(&mut self, doc: &Document) -> Result<()> {
        let internal = |e: serde_json::Error| Error::Internal(e.to_string());
        let separator = match self.format {
            Format::Json if self.written > 0 => ",\n",
            Format::Text if self.written > 0 => "\n",
            _ => "",
        };
        self.written += 1;
        let text = match self.format {
            Format::Json => serde_json::to_string_pretty(doc).map_err(internal)?,
            Format::Jsonl => serde_json::to_string(doc).map_err(internal)? + "\n",
            Format::Text => listing::listing(doc),
            Format::Html => html::section(doc),
        };
        put(separator)?;
        put(&text)
    }

    fn end(&self) -> Result<()> {
        match self.format {
            Format::Json if self.many => put("\n]\n"),
            Format::Json => put("\n"),
            Format::Html => put(html::TAIL),
            _ => Ok(()),
        }
    }
}

fn put(text: &str) -> Result<()> {
    stdout().write_all(text.as_bytes()).map_err(|e| Error::io("standard output", e))
}

//! `hmtl annotate`: texts in, annotations out.

use std::fs;
use std::io::{Read as _, stdin};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use hmtl::model::{AnnotateOptions, LoadOptions};
use hmtl::{Cancel, Document, Error, OffsetUnit, Result};

use crate::{listing, load, page};

#[derive(clap::Args)]
pub struct Arguments {
    /// Text files; standard input when there are none.
    files: Vec<PathBuf>,
    /// Model directory; the model that ships with hmtl when absent.
    #[arg(long)]
    model: Option<PathBuf>,
    /// Tasks to run, such as ner,coref; all when absent.
    #[arg(long, value_delimiter = ',')]
    tasks: Option<Vec<String>>,
    /// cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    #[arg(long, value_enum, default_value = "json")]
    format: Output,
    /// Unit of positions: byte, char or utf16.
    #[arg(long, default_value = "byte", value_parser = offset_unit)]
    offsets: OffsetUnit,
    /// Leaves out labels and relations of a lower probability.
    #[arg(long)]
    min_score: Option<f32>,
    /// Shows coreference mentions that nothing refers to as clusters of one.
    #[arg(long)]
    singletons: bool,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Output {
    /// One text: an object; several: an array. Indented.
    Json,
    /// A line for each text.
    Jsonl,
    /// A listing to read.
    Text,
    /// A page to look at.
    Html,
}

fn offset_unit(name: &str) -> Result<OffsetUnit, String> {
    serde_json::from_value(name.into()).map_err(|_| "not byte, char or utf16".into())
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let texts = texts(&arguments.files)?;
    let device = arguments.device.clone();
    let options = LoadOptions { device, tasks: arguments.tasks.clone() };
    let model = load(arguments.model.as_deref(), &options)?;
    let options = AnnotateOptions {
        tasks: arguments.tasks.clone(),
        min_score: arguments.min_score,
        singletons: arguments.singletons,
        offsets: arguments.offsets,
    };
    // The listing and the page cut the text, which is in bytes.
    let readable = matches!(arguments.format, Output::Text | Output::Html);
    let options =
        if readable { AnnotateOptions { offsets: OffsetUnit::Byte, ..options } } else { options };
    let mut docs = model.annotate_batch(&texts, &options, &Cancel::new())?;
    for (doc, file) in docs.iter_mut().zip(&arguments.files) {
        doc.id = Some(file.display().to_string());
    }
    print!("{}", show(&docs, arguments.format)?);
    Ok(())
}

fn texts(files: &[PathBuf]) -> Result<Vec<String>> {
    if files.is_empty() {
        let mut bytes = Vec::new();
        let input = Path::new("standard input");
        stdin().read_to_end(&mut bytes).map_err(|e| Error::io(input, e))?;
        return Ok(vec![text(input, bytes)?]);
    }
    let read = |file: &PathBuf| text(file, fs::read(file).map_err(|e| Error::io(file, e))?);
    files.iter().map(read).collect()
}

fn text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::invalid(format!("{}: is not valid UTF-8 at byte {at}", path.display()))
    })
}

fn show(docs: &[Document], format: Output) -> Result<String> {
    let json = |e: serde_json::Error| Error::Internal(e.to_string());
    Ok(match (format, docs) {
        (Output::Json, [doc]) => serde_json::to_string_pretty(doc).map_err(json)? + "\n",
        (Output::Json, docs) => serde_json::to_string_pretty(docs).map_err(json)? + "\n",
        (Output::Jsonl, docs) => {
            let lines = docs.iter().map(|d| serde_json::to_string(d).map_err(json));
            lines.collect::<Result<Vec<_>>>()?.join("\n") + "\n"
        }
        (Output::Text, docs) => docs.iter().map(listing::listing).collect::<Vec<_>>().join("\n"),
        (Output::Html, docs) => page::page(docs),
    })
}

//! `hmtl convert`: a data set in another format.

use std::io::Write as _;
use std::path::PathBuf;

use hmtl::data::{self, Dataset, Format, ReadOptions};
use hmtl::{Error, Result};

/// Skips that are listed one by one.
const LISTED: usize = 5;

#[derive(clap::Args)]
pub struct Arguments {
    /// conll2003, conll2012, docred, dygie, conll04, gum, litbank, brat, knowledgenet or jsonl.
    #[arg(long, value_name = "FORMAT")]
    from: Format,
    /// jsonl, conll2003, conll2012 or brat.
    #[arg(long, value_name = "FORMAT")]
    to: Format,
    /// A file or a folder.
    input: PathBuf,
    /// A file, or for brat a folder; standard output when absent.
    output: Option<PathBuf>,
    /// Leaves out what does not follow the format, instead of failing.
    #[arg(long)]
    skip_invalid: bool,
    /// gum: derives names from the mentions that proper nouns head.
    #[arg(long)]
    names: bool,
    /// gum: writes the speaker's name before each turn of a conversation.
    #[arg(long)]
    speakers: bool,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Arguments { from, to, input, output, skip_invalid, names, speakers } = arguments;
    let read = ReadOptions { skip_invalid, names, speakers, ..ReadOptions::default() };
    let dataset = Dataset::open(from, &input, &read)?;
    report_skips(&dataset);
    if let Some(path) = output {
        return data::write(to, &dataset.documents, &path);
    }
    if to == Format::Brat {
        return Err(Error::invalid("brat is a folder of files: name an output folder"));
    }
    let io = |e| Error::io("standard output", e);
    let file = tempfile::NamedTempFile::new().map_err(io)?;
    data::write(to, &dataset.documents, file.path())?;
    let text = std::fs::read(file.path()).map_err(io)?;
    std::io::stdout().write_all(&text).map_err(io)
}

/// Says on standard error what the reader left out.
pub fn report_skips(dataset: &Dataset) {
    for skip in dataset.skipped.iter().take(LISTED) {
        eprintln!("hmtl: left out: {skip}");
    }
    if dataset.skipped.len() > LISTED {
        eprintln!("hmtl: left out: {} more", dataset.skipped.len() - LISTED);
    }
}

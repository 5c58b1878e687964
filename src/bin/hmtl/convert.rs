//! `hmtl convert`: annotated data from one format to another.

use std::path::PathBuf;

use hmtl::Result;
use hmtl::data::{Dataset, Format, ReadOptions, write};

#[derive(clap::Args)]
pub struct Arguments {
    /// Format of the input: conll2003, conll2012, docred, dygie, conll04, gum, litbank, brat, jsonl.
    #[arg(long)]
    from: Format,
    /// Format of the output: jsonl, conll2003, conll2012, brat.
    #[arg(long)]
    to: Format,
    /// File or folder to read.
    input: PathBuf,
    /// File to write; for brat a folder. Standard output when absent.
    #[arg(default_value = "/dev/stdout")]
    output: PathBuf,
    /// Leaves invalid parts of the data out, with a warning, instead of failing.
    #[arg(long)]
    skip_invalid: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let options = ReadOptions { skip_invalid: arguments.skip_invalid, ..ReadOptions::default() };
    let data = Dataset::open(arguments.from, &arguments.input, &options)?;
    for skip in &data.skipped {
        eprintln!("hmtl: left out: {skip}");
    }
    write(arguments.to, &data.documents, &arguments.output)
}

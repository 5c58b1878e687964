//! The command line: exit code 0, or 1 with one line on standard error that says what to do.

mod annotate;
mod convert;
mod evaluate;
mod inspect;
mod listing;
mod page;
mod train;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hmtl::model::LoadOptions;
use hmtl::{Model, Result};

/// Entities, mentions, relations and coreference from text.
#[derive(Parser)]
#[command(name = "hmtl", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Annotates texts.
    Annotate(annotate::Arguments),
    /// Trains a model.
    Train(train::Arguments),
    /// Scores a model on annotated data.
    Evaluate(evaluate::Arguments),
    /// Converts annotated data between formats.
    Convert(convert::Arguments),
    /// Describes a model.
    Inspect(inspect::Arguments),
}

fn main() -> ExitCode {
    // `hmtl ... | head` ends quietly, as other tools do, instead of failing to print.
    // SAFETY: called before any other thread exists.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let result = match Arguments::parse().command {
        Command::Annotate(arguments) => annotate::run(&arguments),
        Command::Train(arguments) => train::run(arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Convert(arguments) => convert::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hmtl: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Loads the named model, or the one that ships with the library.
fn load(dir: Option<&Path>, options: &LoadOptions) -> Result<Model> {
    let dir = dir.map_or_else(Model::default_dir, |d| Ok(PathBuf::from(d)))?;
    Model::load(&dir, options)
}

//! The command line.

mod train;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Entities, mentions, relations and coreference from text.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Trains a model.
    Train(train::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Train(arguments) => train::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hmtl: {error}");
            ExitCode::FAILURE
        }
    }
}

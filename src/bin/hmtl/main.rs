//! The command line.

mod annotate;
mod bench;
mod convert;
mod errors;
mod evaluate;
mod html;
mod inspect;
mod listing;
mod pieces;
mod train;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use hmtl::model::{Compute, LoadOptions};
use hmtl::{Model, Result};
use indicatif::ProgressBar;

/// Entities, mentions, relations and coreference from text.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
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
    /// Scores a model on a data set.
    Evaluate(evaluate::Arguments),
    /// Converts a data set to another format.
    Convert(convert::Arguments),
    /// Describes a model.
    Inspect(inspect::Arguments),
    /// Measures how fast a model is on this machine.
    Bench(bench::Arguments),
}

/// The model to use.
#[derive(clap::Args)]
struct ModelArguments {
    /// Model directory; the model that ships with the library when absent.
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Work through LibTorch alone, for comparison.
    #[arg(long)]
    plain: bool,
    /// float32 or bf16: what embedders and encoders compute in.
    #[arg(long, default_value = "float32", value_parser = compute)]
    compute: Compute,
}

impl ModelArguments {
    fn load(self, tasks: Option<Vec<String>>) -> Result<Model> {
        let dir = self.model.map_or_else(Model::default_dir, Ok)?;
        Model::load(
            &dir,
            &LoadOptions { device: self.device, tasks, plain: self.plain, compute: self.compute },
        )
    }
}

fn compute(name: &str) -> Result<Compute, String> {
    let unknown = |_| "it is float32 or bf16".to_owned();
    serde_json::from_value(name.into()).map_err(unknown)
}

fn main() -> ExitCode {
    set_up_process();
    set_up_log();
    let result = match Arguments::parse().command {
        Command::Annotate(arguments) => annotate::run(arguments),
        Command::Train(arguments) => train::run(arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
        Command::Convert(arguments) => convert::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hmtl: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a program may do with its process, and a library may not.
fn set_up_process() {
    // SAFETY: the default action, before any thread is there: `hmtl ... | head` ends quietly.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    // Tensors come and go: giving their memory back to the system each time, as glibc does with
    // large pieces, takes up to a third of the time.
    #[cfg(target_env = "gnu")]
    // SAFETY: settings of the allocator, before any thread is there.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
}

/// Warnings of the library go to standard error; RUST_LOG asks for more.
fn set_up_log() {
    use std::io::Write as _;
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .parse_default_env()
        .format(|out, record| writeln!(out, "hmtl: {}", record.args()))
        .init();
}

/// A sign of life on standard error, where a terminal watches.
fn spinner(message: String) -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new_spinner().with_message(message);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    })
}

//! `hmtl train`: a run from its description, with progress on standard error.

use std::fs::{self, OpenOptions};
use std::io::{IsTerminal as _, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmtl::model::{Card, Precision, save};
use hmtl::train::{Event, RunConfig, Trainer};
use hmtl::{Cancel, Error, Result, device};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

#[derive(clap::Args)]
pub struct Arguments {
    /// Description of the run, such as configs/small.json.
    config: PathBuf,
    /// Folder for the models `best` and `last` and for metrics.jsonl.
    #[arg(long)]
    out: PathBuf,
    /// Number of epochs, instead of the description's.
    #[arg(long)]
    epochs: Option<usize>,
    /// Seed, instead of the description's.
    #[arg(long)]
    seed: Option<u64>,
    /// Another value of the description, such as training.optimizer.learning_rate=0.002;
    /// can be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,
    /// cpu, cuda or cuda:N.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// How weights are stored: float32, float16 or compact.
    #[arg(long, default_value = "float32", value_parser = precision)]
    precision: Precision,
}

fn precision(name: &str) -> Result<Precision, String> {
    serde_json::from_value(json!(name)).map_err(|_| "not float32, float16 or compact".into())
}

pub fn run(arguments: Arguments) -> Result<()> {
    let mut config = RunConfig::read_with(&arguments.config, &arguments.assignments)?;
    config.training.epochs = arguments.epochs.unwrap_or(config.training.epochs);
    config.training.seed = arguments.seed.unwrap_or(config.training.seed);
    fs::create_dir_all(&arguments.out).map_err(|e| Error::io(&arguments.out, e))?;
    let mut trainer = Trainer::new(config, device::parse(&arguments.device)?)?;
    let mut progress = Progress::new();
    let mut on_event = |event: &Event, trainer: &Trainer| {
        progress.show(event);
        if let Event::Epoch { epoch, best, .. } = event {
            append(&arguments.out.join("metrics.jsonl"), event, *epoch == 1)?;
            write(trainer, event, &arguments.out.join("last"), arguments.precision)?;
            if *best {
                write(trainer, event, &arguments.out.join("best"), arguments.precision)?;
            }
        }
        Ok(())
    };
    trainer.train(&mut on_event, &Cancel::new())
}

/// Adds a line; those of an earlier run in the same folder go, as its models do.
fn append(path: &Path, event: &Event, first: bool) -> Result<()> {
    let mut line = serde_json::to_string(event).map_err(|e| Error::Internal(e.to_string()))?;
    line.push('\n');
    let mut options = OpenOptions::new();
    let options = if first { options.write(true).truncate(true) } else { options.append(true) };
    let file = options.create(true).open(path);
    file.and_then(|mut f| f.write_all(line.as_bytes())).map_err(|e| Error::io(path, e))
}

/// Writes the model as it stands, with its scores and recipe on the card.
fn write(trainer: &Trainer, event: &Event, dir: &Path, precision: Precision) -> Result<()> {
    let config = trainer.config();
    let mut card: Card = serde_json::from_value(Value::Object(config.card.clone()))
        .map_err(|e| Error::config(format!("card: {e}")))?;
    if let Event::Epoch { tasks, epoch, .. } = event {
        for (task, values) in tasks {
            if let Some(score) = values.score {
                let score = (score * 1e4).round() / 1e4;
                card.scores.entry(task.clone()).or_insert_with(|| json!({}))["dev"] = json!(score);
            }
        }
        let version = env!("CARGO_PKG_VERSION");
        card.recipe = json!({"hmtl": version, "epoch": epoch, "training": config.training});
        strip_paths(&mut card.recipe);
    }
    save(dir, &config.model, trainer.vocab(), &trainer.weights(), &card, precision)
}

/// A card says which files a model was trained on, not where they lay.
fn strip_paths(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(path)) = map.get_mut("path") {
                let parts: Vec<&str> = path.rsplit('/').take(2).collect();
                *path = parts.into_iter().rev().collect::<Vec<_>>().join("/");
            }
            map.values_mut().for_each(strip_paths);
        }
        Value::Array(values) => values.iter_mut().for_each(strip_paths),
        _ => {}
    }
}

/// A bar where a terminal watches, a line an epoch elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    loss: f64,
}

impl Progress {
    fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, loss: 0.0 }
    }

    fn show(&mut self, event: &Event) {
        match (event, &self.bar) {
            (Event::Step { step, steps, epoch, task, loss }, Some(bar)) => {
                self.loss = if *step == 1 { *loss } else { 0.98 * self.loss + 0.02 * loss };
                bar.set_length(*steps as u64);
                bar.set_position(*step as u64);
                bar.set_prefix(format!("epoch {epoch}"));
                bar.set_message(format!("{task} loss {:.2}", self.loss));
            }
            (Event::Evaluating { task }, Some(bar)) => bar.set_message(format!("dev {task}")),
            (Event::Epoch { epoch, seconds, tasks, mean, best, .. }, bar) => {
                let mut line = format!("epoch {epoch}  {seconds:.0} s");
                for (task, values) in tasks {
                    let score = values.score.map_or("-".into(), |s| format!("{s:.4}"));
                    line += &format!("  {task} {score} (loss {:.3})", values.loss);
                }
                line += &format!("  mean {mean:.4}{}", if *best { " best" } else { "" });
                match bar {
                    Some(bar) => bar.println(line),
                    None => eprintln!("{line}"),
                }
            }
            _ => {}
        }
    }
}

//! `hmtl train`: a run from its description, with progress on standard error.
//!
//! ```text
//! OUT/best        the model of the best epoch      OUT/best-TASK   that of the best epoch of a task
//! OUT/last        the model of the last epoch      OUT/checkpoint  all that a run needs to go on
//! OUT/metrics.jsonl   one line an epoch            OUT/curves.svg  losses, scores, shares of steps
//! OUT/tensorboard     event files for TensorBoard
//! ```

mod curves;
mod progress;
#[cfg(feature = "tensorboard")]
mod tensorboard;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use hmtl::model::{Parts, Precision};
use hmtl::train::{Event, Run, RunConfig, Trainer};
use hmtl::{Cancel, Error, Result};
use serde_json::{Value, json};

use self::progress::Progress;

#[derive(clap::Args)]
pub struct Arguments {
    /// Description of the run, such as configs/small.json.
    config: PathBuf,
    /// Folder for models, checkpoint, metrics and curves.
    #[arg(long)]
    out: PathBuf,
    /// Goes on from the checkpoint in the folder; begins where there is none.
    #[arg(long)]
    resume: bool,
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
    /// cpu, cuda or cuda:N, instead of the description's.
    #[arg(long)]
    device: Option<String>,
    /// How weights are stored: float32, float16 or compact.
    #[arg(long, default_value = "float32", value_parser = precision)]
    precision: Precision,
}

fn precision(name: &str) -> Result<Precision, String> {
    serde_json::from_value(json!(name)).map_err(|_| "not float32, float16 or compact".into())
}

/// Set by an interrupt: the run stops after the step, and is saved.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn interrupt(_: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
    // A second interrupt ends the process at once.
    // SAFETY: what a signal handler may call.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}

pub fn run(arguments: Arguments) -> Result<()> {
    let mut config = RunConfig::read_with(&arguments.config, &arguments.assignments)?;
    config.training.epochs = arguments.epochs.unwrap_or(config.training.epochs);
    config.training.seed = arguments.seed.unwrap_or(config.training.seed);
    let device = arguments.device.as_deref();
    if let Some(device) = device {
        device.clone_into(&mut config.training.device);
    }
    let out = &arguments.out;
    if out.exists() && !out.is_dir() {
        let message = format!("--out {}: it is a file, not a folder", out.display());
        return Err(Error::invalid(message));
    }
    fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
    let checkpoint = out.join("checkpoint");
    let resumed = arguments.resume.then(|| Run::resume(&checkpoint, device, Some(&config)));
    let run = match resumed {
        Some(Ok(run)) => run,
        Some(Err(error)) if checkpoint.exists() => return Err(error),
        // There is none yet.
        _ => Run::new(config)?,
    };
    let info = run.with(|trainer| {
        // Before hours of training rather than after them.
        Trainer::check_place(&checkpoint)?;
        Parts::check_place(&out.join(BEST))?;
        Parts::check_place(&out.join(LAST))?;
        trainer.tasks().try_for_each(|task| Parts::check_place(&out.join(best_of(task))))?;
        Ok(trainer.info())
    })?;
    let mut outputs = Outputs::new(out, arguments.precision, &info)?;
    let mut progress = Progress::new();
    // SAFETY: the handler only stores a flag and resets itself.
    unsafe { libc::signal(libc::SIGINT, interrupt as extern "C" fn(libc::c_int) as usize) };
    let cancel = Cancel::new();
    while let Some(event) = run.advance(&cancel)? {
        progress.show(&event);
        run.with(|trainer| outputs.take(&event, trainer))?;
        if INTERRUPTED.load(Ordering::Relaxed) {
            run.with(|trainer| trainer.save(&checkpoint))?;
            progress.say("interrupted; --resume goes on from here");
            return Err(Error::Cancelled);
        }
    }
    Ok(())
}

const BEST: &str = "best";
const LAST: &str = "last";

fn best_of(task: &str) -> String {
    format!("{BEST}-{task}")
}

/// Writes a file that is there whole or as it was before.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let part = path.with_extension("part");
    let written = fs::write(&part, text).and_then(|()| fs::rename(&part, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&part);
        Error::io(path, error)
    })
}

/// What a run leaves in its folder.
struct Outputs<'a> {
    dir: &'a Path,
    precision: Precision,
    /// Lines of metrics.jsonl.
    metrics: Vec<Value>,
    #[cfg(feature = "tensorboard")]
    tensorboard: tensorboard::Writer,
}

impl<'a> Outputs<'a> {
    /// Keeps the metrics of what `info` says is done; those of an earlier run in the folder go, as
    /// its models do.
    fn new(dir: &'a Path, precision: Precision, info: &Value) -> Result<Self> {
        let epochs = info["epoch"].as_u64().unwrap_or(0);
        let is_done = |line: &Value| match line["epoch"].as_u64() {
            Some(epoch) => epoch <= epochs,
            None => !info["finished"].is_null(),
        };
        let path = dir.join("metrics.jsonl");
        let text =
            if epochs > 0 { fs::read_to_string(&path).unwrap_or_default() } else { "".into() };
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let metrics: Vec<Value> = lines.filter(is_done).collect();
        let kept: String = metrics.iter().map(|v| format!("{v}\n")).collect();
        write_whole(&path, &kept)?;
        Ok(Self {
            dir,
            precision,
            metrics,
            #[cfg(feature = "tensorboard")]
            tensorboard: tensorboard::Writer::new(&dir.join("tensorboard"))?,
        })
    }

    fn take(&mut self, event: &Event, trainer: &Trainer) -> Result<()> {
        #[cfg(feature = "tensorboard")]
        self.tensorboard.take(event)?;
        match event {
            Event::Epoch { tasks, best, .. } => {
                self.append(event)?;
                let model = trainer.current_model()?;
                model.save(&self.dir.join(LAST), self.precision)?;
                if *best {
                    model.save(&self.dir.join(BEST), self.precision)?;
                }
                let of_one_task = tasks.len() == 1;
                for (name, _) in tasks.iter().filter(|(_, t)| t.best && !of_one_task) {
                    model.save(&self.dir.join(best_of(name)), self.precision)?;
                }
                curves::draw(&self.metrics, &self.dir.join("curves.svg"))?;
                self.save(trainer)
            }
            Event::Finished { .. } => {
                self.append(event)?;
                self.save(trainer)
            }
            _ => Ok(()),
        }
    }

    fn save(&self, trainer: &Trainer) -> Result<()> {
        trainer.save(&self.dir.join("checkpoint"))
    }

    fn append(&mut self, event: &Event) -> Result<()> {
        let value = serde_json::to_value(event).map_err(|e| Error::Internal(e.to_string()))?;
        let path = self.dir.join("metrics.jsonl");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let line = format!("{value}\n");
        file.and_then(|mut f| f.write_all(line.as_bytes())).map_err(|e| Error::io(&path, e))?;
        self.metrics.push(value);
        Ok(())
    }
}

//! Event files for TensorBoard.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::SystemTime;

use hmtl::train::Event;
use hmtl::{Error, Result};
use tfrecord::{EventMeta, EventWriter, EventWriterConfig};

/// Steps between two points of a training loss.
const EVERY: usize = 10;

pub struct Writer {
    writer: EventWriter<BufWriter<File>>,
}

impl Writer {
    /// A new event file in a folder, beside those of the parts of the run before.
    pub fn new(dir: &Path) -> Result<Self> {
        let prefix = format!("{}/hmtl", dir.display());
        let config = EventWriterConfig { auto_flush: false };
        let writer = EventWriter::from_prefix(prefix, "", config).map_err(failed)?;
        Ok(Self { writer })
    }

    pub fn take(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Step { step, task, loss, along, learning_rate, total, .. } => {
                if step % EVERY == 0 {
                    for (task, loss) in along.iter().chain([(task, loss)]) {
                        self.scalar(&format!("loss/{task}"), *total, *loss)?;
                    }
                    self.scalar("learning_rate", *total, *learning_rate)?;
                }
            }
            Event::Epoch { step, tasks, mean, .. } => {
                let all = tasks.values().map(|t| t.steps).sum::<usize>().max(1);
                for (task, values) in tasks {
                    if let Some(score) = values.score {
                        self.scalar(&format!("dev/{task}"), *step, score)?;
                    }
                    let share = values.steps as f64 / all as f64;
                    self.scalar(&format!("share/{task}"), *step, share)?;
                }
                if let Some(mean) = mean {
                    self.scalar("dev/mean", *step, *mean)?;
                }
                self.writer.flush().map_err(failed)?;
            }
            Event::Finished { steps, test, .. } => {
                for (task, score) in test {
                    self.scalar(&format!("test/{task}"), *steps, score.score)?;
                }
                self.writer.flush().map_err(failed)?;
            }
            Event::Evaluating { .. } | Event::Evaluated { .. } => {}
        }
        Ok(())
    }

    fn scalar(&mut self, tag: &str, step: usize, value: f64) -> Result<()> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let meta = EventMeta::new(step as i64, now.as_secs_f64());
        self.writer.write_scalar(tag, meta, value as f32).map_err(failed)
    }
}

fn failed(error: tfrecord::Error) -> Error {
    Error::Internal(format!("cannot write an event file: {error}"))
}

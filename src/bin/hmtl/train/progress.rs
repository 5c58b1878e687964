//! Progress of a run on standard error: a bar where a terminal watches, a line an epoch elsewhere.

use std::io::{IsTerminal as _, stderr};
use std::time::Duration;

use hmtl::train::Event;
use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    bar: Option<ProgressBar>,
    loss: Option<f64>,
}

impl Progress {
    pub fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {eta} {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, loss: None }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Step { step, steps, epoch, task, loss, .. } => {
                let mean = self.loss.map_or(*loss, |mean| 0.98 * mean + 0.02 * loss);
                self.loss = Some(mean);
                if let Some(bar) = &self.bar {
                    bar.set_length(*steps as u64);
                    bar.set_position(*step as u64);
                    bar.set_prefix(format!("epoch {epoch}"));
                    bar.set_message(format!("{task} loss {mean:.2}"));
                }
            }
            Event::Evaluating { task, split } => {
                if let Some(bar) = &self.bar {
                    bar.set_message(format!("{split} {task}"));
                }
            }
            Event::Epoch { epoch, seconds, tasks, mean, best, .. } => {
                let mut line = format!("epoch {epoch}  {seconds:.0} s");
                for (task, values) in tasks {
                    let score = values.score.map_or("-".into(), |s| format!("{s:.4}"));
                    let loss = values.loss.map_or("rested".into(), |l| format!("loss {l:.3}"));
                    line += &format!("  {task} {score} ({loss})");
                }
                if let Some(mean) = mean {
                    line += &format!("  mean {mean:.4}{}", if *best { " best" } else { "" });
                }
                self.say(&line);
            }
            Event::Finished { reason, best_epoch, test, .. } => {
                let reason = serde_json::to_value(reason).unwrap_or_default();
                let mut line = format!("finished ({})", reason.as_str().unwrap_or_default());
                if let Some(epoch) = best_epoch {
                    line += &format!("  best epoch {epoch}");
                }
                for (task, score) in test {
                    line += &format!("  test {task} {:.4}", score.score);
                }
                self.say(&line);
            }
            Event::Evaluated { .. } => {}
        }
    }
}

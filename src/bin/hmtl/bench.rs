//! `hmtl bench`: how fast a model is on this machine.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hmtl::model::AnnotateOptions;
use hmtl::text::tokenize;
use hmtl::{Cancel, Document, Error, Result};
use serde_json::json;

use super::ModelArguments;

/// What is annotated when no file is given.
const TEXT: &str = include_str!("../../../examples/demo.txt");

#[derive(clap::Args)]
pub struct Arguments {
    /// Texts to measure with; a paragraph of news when absent.
    files: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    /// Tasks to run, separated by commas; all when absent.
    #[arg(long, value_delimiter = ',')]
    tasks: Option<Vec<String>>,
    /// No task has a say in what another finds, unless that reads its mentions or clusters: fewer tasks are run.
    #[arg(long)]
    independent: bool,
    /// Seconds for each figure.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: Arguments) -> Result<()> {
    let time = Duration::try_from_secs_f64(arguments.seconds)
        .map_err(|e| Error::invalid(format!("--seconds {}: {e}", arguments.seconds)))?;
    let texts: Vec<String> = match arguments.files.as_slice() {
        [] => vec![TEXT.to_owned()],
        files => files
            .iter()
            .map(|file| fs::read_to_string(file).map_err(|e| Error::io(file, e)))
            .collect::<Result<_>>()?,
    };
    let docs: Vec<Document> = texts.iter().map(|text| tokenize(text)).collect();
    let sentences: Vec<String> = docs
        .iter()
        .flat_map(|doc| doc.sentences.iter().map(|s| doc.text[s.start..s.end].to_owned()))
        .collect();
    if sentences.is_empty() {
        return Err(Error::invalid("there is nothing to annotate: the texts are empty"));
    }
    let tokens: usize = docs.iter().map(|doc| doc.tokens.len()).sum();
    let start = Instant::now();
    let model = arguments.model.load(None)?;
    let load = start.elapsed();
    let Arguments { tasks, independent, .. } = arguments;
    let options = AnnotateOptions { tasks, independent, ..AnnotateOptions::default() };

    let one_by_one = measure(time, |i| {
        let sentence = &sentences[i % sentences.len()];
        model.annotate(sentence, &options).map(|doc| doc.tokens.len())
    })?;
    let together = measure(time, |_| {
        let docs = model.annotate_batch(&sentences, &options, &Cancel::new())?;
        Ok(docs.iter().map(|doc| doc.tokens.len()).sum())
    })?;
    let whole = measure(time, |_| {
        let docs = model.annotate_batch(&texts, &options, &Cancel::new())?;
        Ok(docs.iter().map(|doc| doc.tokens.len()).sum())
    })?;
    let figures = json!({
        "model": model.card()?.name,
        "tasks": options.tasks.as_deref().unwrap_or(model.tasks()), "independent": independent,
        "texts": texts.len(), "sentences": sentences.len(), "tokens": tokens,
        "load_ms": load.as_secs_f64() * 1e3,
        "sentence": {"p50_ms": one_by_one.quantile(0.5), "p99_ms": one_by_one.quantile(0.99),
                     "tokens_per_s": one_by_one.speed()},
        "sentences_together": {"tokens_per_s": together.speed()},
        "texts_together": {"tokens_per_s": whole.speed()},
    });
    if arguments.json {
        println!("{figures}");
        return Ok(());
    }
    let line = |what: &str, figure: String| format!("{what:<24}{figure}\n");
    let rows = [
        line("load", format!("{:.0} ms", load.as_secs_f64() * 1e3)),
        line(
            "one sentence",
            format!(
                "p50 {:.2} ms, p99 {:.2} ms, {:.0} tokens/s",
                one_by_one.quantile(0.5),
                one_by_one.quantile(0.99),
                one_by_one.speed()
            ),
        ),
        line("all sentences at once", format!("{:.0} tokens/s", together.speed())),
        line("all texts at once", format!("{:.0} tokens/s", whole.speed())),
    ];
    print!("{}", rows.concat());
    Ok(())
}

/// Seconds of each call and the tokens of all.
struct Times {
    seconds: Vec<f64>,
    tokens: usize,
}

/// Calls `f` with 0, 1, 2 and so on for `time` and at least five times, once before to warm up; it returns tokens.
fn measure(time: Duration, f: impl Fn(usize) -> Result<usize>) -> Result<Times> {
    f(0)?;
    let start = Instant::now();
    let mut times = Times { seconds: Vec::new(), tokens: 0 };
    while times.seconds.len() < 5 || start.elapsed() < time {
        let before = Instant::now();
        times.tokens += f(times.seconds.len())?;
        times.seconds.push(before.elapsed().as_secs_f64());
    }
    times.seconds.sort_by(f64::total_cmp);
    Ok(times)
}

impl Times {
    /// Milliseconds.
    fn quantile(&self, q: f64) -> f64 {
        self.seconds[((self.seconds.len() - 1) as f64 * q).round() as usize] * 1e3
    }

    fn speed(&self) -> f64 {
        self.tokens as f64 / self.seconds.iter().sum::<f64>()
    }
}

//! `hmtl evaluate`: the score of a task on a data set.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use hmtl::data::{Dataset, Format, ReadOptions};
use hmtl::metric::Singletons;
use hmtl::model::{EvaluateOptions, Evaluation};
use hmtl::{Cancel, Error, Result};
use serde_json::{Value, json};

use super::{ModelArguments, convert, errors, spinner};

#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The task of the model to score.
    #[arg(long)]
    task: String,
    /// conll2003, conll2012, docred, dygie, conll04, gum, litbank, brat, knowledgenet or jsonl.
    #[arg(long)]
    format: Format,
    /// A file or a folder.
    #[arg(long, value_name = "PATH")]
    data: PathBuf,
    /// Prints one JSON object, whose `score` is the main figure, 0 to 1.
    #[arg(long)]
    json: bool,
    /// Counts gold labels that the model does not know as misses, and predicted labels that the
    /// data does not have as wrong.
    #[arg(long)]
    all_labels: bool,
    /// Coreference clusters of one mention: auto (as the gold has them), keep or drop.
    #[arg(long, default_value = "auto", value_parser = singletons)]
    singletons: Singletons,
    /// No task has a say in what another finds, unless that reads its mentions or clusters.
    #[arg(long)]
    independent: bool,
    /// Leaves out what does not follow the format, instead of failing.
    #[arg(long)]
    skip_invalid: bool,
    /// Writes a page of what is missed, made up and mistaken, in tables and one by one.
    #[arg(long, value_name = "HTML")]
    errors: Option<PathBuf>,
}

fn singletons(name: &str) -> Result<Singletons, String> {
    serde_json::from_value(json!(name)).map_err(|_| "not auto, keep or drop".into())
}

pub fn run(arguments: Arguments) -> Result<()> {
    let Arguments {
        model,
        task,
        format,
        data,
        json,
        all_labels,
        singletons,
        independent,
        skip_invalid,
        errors,
    } = arguments;
    let model = model.load(Some(vec![task.clone()]))?;
    let read = ReadOptions { skip_invalid, ..ReadOptions::default() };
    let dataset = Dataset::open(format, &data, &read)?;
    convert::report_skips(&dataset);
    let bar = spinner(format!("annotating {} documents", dataset.documents.len()));
    let options = EvaluateOptions { all_labels, singletons, independent };
    let comparison = model.compare(&task, &dataset.documents, &options, &Cancel::new());
    bar.iter().for_each(|b| b.finish_and_clear());
    let comparison = comparison?;
    let evaluation = comparison.evaluation()?;
    if let Some(path) = errors {
        let page = errors::page(&comparison, &evaluation);
        fs::write(&path, page).map_err(|source| Error::Io { path, source })?;
    }
    if evaluation.layer != task {
        eprintln!("hmtl: the gold is the data's layer `{}`", evaluation.layer);
    }
    let unknown: usize = evaluation.unknown_labels.values().sum();
    if unknown > 0 {
        let labels: Vec<&str> = evaluation.unknown_labels.keys().map(String::as_str).collect();
        let what = if all_labels {
            "count as misses"
        } else {
            "are left out (--all-labels counts them as misses)"
        };
        eprintln!(
            "hmtl: {unknown} gold items {what}, as the model does not know their labels: {}",
            labels.join(", ")
        );
    }
    let absent: u64 = evaluation.details["ignored_predictions"]
        .as_object()
        .map_or(0, |labels| labels.values().filter_map(Value::as_u64).sum());
    if absent > 0 {
        eprintln!(
            "hmtl: {absent} predictions are left out (--all-labels counts them as wrong), as the data lacks their labels: {}",
            evaluation.absent_labels.join(", ")
        );
    }
    if json {
        let json = serde_json::to_string(&evaluation);
        println!("{}", json.map_err(|e| Error::Internal(e.to_string()))?);
    } else {
        print!("{}", table(&evaluation));
    }
    Ok(())
}

/// The main figure, then a row for each figure that has precision, recall and F1.
fn table(result: &Evaluation) -> String {
    let mut out =
        format!("{}  {:.4}  on {} documents\n\n", result.task, result.score, result.documents);
    let _ =
        writeln!(out, "{:<48} {:>9} {:>9} {:>9} {:>8}", "", "precision", "recall", "f1", "gold");
    let row = |out: &mut String, name: &str, value: &Value| {
        let share = |key: &str| value[key].as_f64().unwrap_or_default();
        let gold = value["gold"].as_u64().map(|n| n.to_string()).unwrap_or_default();
        let (precision, recall) = (share("precision"), share("recall"));
        let f1 = share("f1");
        let _ = writeln!(out, "{name:<48} {precision:>9.4} {recall:>9.4} {f1:>9.4} {gold:>8}");
    };
    for (name, value) in result.details.as_object().into_iter().flatten() {
        if value["f1"].is_number() {
            row(&mut out, name, value);
        }
    }
    if let Some(f1) = result.details["macro_f1"].as_f64() {
        let _ = writeln!(out, "{:<48} {:>9} {:>9} {f1:>9.4}", "macro", "", "");
    }
    let calibration = &result.details["calibration"];
    if let Some(error) = calibration["error"].as_f64() {
        let of = |key: &str| calibration[key].as_f64().unwrap_or_default();
        let (scale, shift) = (of("scale"), of("shift"));
        let _ = writeln!(
            out,
            "scores are off by {error:.4} on average; scale {scale:.3} and shift {shift:.3} of their logits fit best"
        );
    }
    for (label, value) in result.details["labels"].as_object().into_iter().flatten() {
        row(&mut out, &format!("  {label}"), value);
    }
    out
}

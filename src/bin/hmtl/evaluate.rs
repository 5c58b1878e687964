//! `hmtl evaluate`: a model's score on annotated data.

use std::path::PathBuf;

use hmtl::data::{Dataset, Format, ReadOptions};
use hmtl::metric::Singletons;
use hmtl::model::{EvaluateOptions, Evaluation, LoadOptions};
use hmtl::{Cancel, Error, Result};
use serde_json::Value;

use crate::load;

#[derive(clap::Args)]
pub struct Arguments {
    /// Model directory; the model that ships with hmtl when absent.
    #[arg(long)]
    model: Option<PathBuf>,
    /// The task to score, such as ner.
    #[arg(long)]
    task: String,
    /// Format of the data: conll2003, conll2012, docred, dygie, conll04, gum, litbank, brat, jsonl.
    #[arg(long)]
    format: Format,
    /// File or folder of annotated data.
    #[arg(long)]
    data: PathBuf,
    /// Prints one JSON object whose `score` is the main figure.
    #[arg(long)]
    json: bool,
    /// Counts labels that the model does not know as misses.
    #[arg(long)]
    all_labels: bool,
    /// Clusters of one mention: auto (as the data has them), keep or drop.
    #[arg(long, default_value = "auto", value_parser = singletons)]
    singletons: Singletons,
    /// Leaves invalid parts of the data out, with a warning, instead of failing.
    #[arg(long)]
    skip_invalid: bool,
    /// cpu, cuda or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
}

fn singletons(name: &str) -> Result<Singletons, String> {
    serde_json::from_value(name.into()).map_err(|_| "not auto, keep or drop".into())
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let options = ReadOptions { skip_invalid: arguments.skip_invalid, ..ReadOptions::default() };
    let data = Dataset::open(arguments.format, &arguments.data, &options)?;
    if !data.skipped.is_empty() {
        eprintln!(
            "hmtl: left out {} parts of the data, first {}",
            data.skipped.len(),
            data.skipped[0]
        );
    }
    let tasks = Some(vec![arguments.task.clone()]);
    let load_options = LoadOptions { device: arguments.device.clone(), tasks };
    let model = load(arguments.model.as_deref(), &load_options)?;
    let options =
        EvaluateOptions { all_labels: arguments.all_labels, singletons: arguments.singletons };
    let result = model.evaluate(&arguments.task, &data.documents, &options, &Cancel::new())?;
    if !result.unknown_labels.is_empty() {
        let labels: Vec<String> =
            result.unknown_labels.iter().map(|(l, n)| format!("{l} ({n})")).collect();
        let how = if arguments.all_labels { "count as misses" } else { "are left out" };
        eprintln!("hmtl: labels that the model does not know {how}: {}", labels.join(", "));
    }
    if result.layer != arguments.task {
        eprintln!("hmtl: the gold of task {} is the layer {}", arguments.task, result.layer);
    }
    if arguments.json {
        let json = serde_json::to_string(&result).map_err(|e| Error::Internal(e.to_string()))?;
        println!("{json}");
    } else {
        print_table(&result);
    }
    Ok(())
}

fn print_table(result: &Evaluation) {
    println!("{}  {:.4}  on {} documents", result.task, result.score, result.documents);
    let row = |name: &str, value: &Value| {
        let share = |key: &str| value[key].as_f64().unwrap_or_default();
        let count = value["gold"].as_u64().map(|n| format!("{n:>8}")).unwrap_or_default();
        println!(
            "  {name:<44} {:>9.4} {:>9.4} {:>9.4} {count}",
            share("precision"),
            share("recall"),
            share("f1")
        );
    };
    println!("  {:<44} {:>9} {:>9} {:>9} {:>8}", "", "precision", "recall", "f1", "gold");
    let Some(details) = result.details.as_object() else { return };
    for (name, value) in details.iter().filter(|(_, v)| v["f1"].is_number()) {
        row(name, value);
    }
    for (label, value) in details.get("labels").and_then(Value::as_object).into_iter().flatten() {
        row(&format!("  {label}"), value);
    }
}

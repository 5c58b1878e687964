//! `hmtl inspect`: what a model is and knows.

use std::path::PathBuf;

use hmtl::model::LoadOptions;
use hmtl::{Error, Result};

use crate::load;

#[derive(clap::Args)]
pub struct Arguments {
    /// Model directory; the model that ships with hmtl when absent.
    model: Option<PathBuf>,
    /// Prints one line of JSON instead of indented JSON.
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let info = load(arguments.model.as_deref(), &LoadOptions::default())?.info()?;
    let text = if arguments.json {
        serde_json::to_string(&info)
    } else {
        serde_json::to_string_pretty(&info)
    };
    println!("{}", text.map_err(|e| Error::Internal(e.to_string()))?);
    Ok(())
}

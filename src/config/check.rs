//! What a configuration must not say.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::{
    AgreementConfig, Between, CONFIG_FORMAT, CalibrationConfig, CharsConfig, ContextConfig,
    EMBEDDING, EmbeddingConfig, EncoderConfig, HeadConfig, ModelConfig, NamesConfig, TaskConfig,
    TaskKind, WordsConfig,
};
use crate::{Error, Result};

impl ModelConfig {
    /// Refuses cycles, unknown names, unused encoders and impossible numbers, by name.
    pub fn check(&self) -> Result<()> {
        if self.format > CONFIG_FORMAT {
            return Err(Error::config(format!(
                "format {} is newer than this library reads ({CONFIG_FORMAT})",
                self.format
            )));
        }
        if self.tasks.is_empty() {
            return Err(Error::config("a model needs at least one task"));
        }
        self.embedding.check()?;
        if self.passage_tokens == Some(0) {
            return Err(Error::config("passage_tokens must be positive"));
        }
        for (name, encoder) in &self.encoders {
            self.check_encoder(name, encoder)?;
        }
        for name in self.encoders.keys() {
            self.check_acyclic(name, &mut Vec::new())?;
        }
        let mut used = BTreeSet::new();
        for (name, task) in &self.tasks {
            self.check_task(name, task)?;
            used.extend(self.encoder_order([name.as_str()]));
        }
        if let Some(unused) = self.encoders.keys().find(|n| !used.contains(n.as_str())) {
            return Err(Error::config(format!("encoder `{unused}` is used by no task")));
        }
        Ok(())
    }

    /// Refuses labels of the configuration that a task does not have. Apart from
    /// [`Self::check`], since the labels come from the data.
    pub fn check_labels(&self, labels: &IndexMap<String, Vec<String>>) -> Result<()> {
        for (name, task) in &self.tasks {
            let known = |task: &str| labels.get(task).map_or(&[][..], Vec::as_slice);
            let named = task.head.labels_named().into_iter().map(|(option, l)| (option, name, l));
            let names = task.head.names();
            let names =
                names.flat_map(|(option, n)| n.labels.iter().map(move |l| (option, &n.task, l)));
            let mut named = named.chain(names);
            if let Some((option, of, unknown)) = named.find(|(_, of, l)| !known(of).contains(l)) {
                return Err(Error::config(format!(
                    "task `{name}`: {option} names the label `{unknown}`, which the task `{of}` does not have; it has {}",
                    known(of).join(", ")
                )));
            }
        }
        Ok(())
    }

    fn check_encoder(&self, name: &str, encoder: &EncoderConfig) -> Result<()> {
        let inputs = encoder.inputs();
        if name == EMBEDDING {
            return Err(Error::config(format!("`{EMBEDDING}` is not a name for an encoder")));
        }
        if inputs.is_empty() {
            return Err(Error::config(format!("encoder `{name}` has no inputs")));
        }
        for input in inputs {
            if input != EMBEDDING && !self.encoders.contains_key(input) {
                return Err(Error::config(format!(
                    "encoder `{name}` reads the unknown encoder `{input}`"
                )));
            }
        }
        match encoder {
            EncoderConfig::Lstm { hidden, layers, dropout, .. } => {
                positive(&format!("encoder `{name}`: hidden"), *hidden)?;
                positive(&format!("encoder `{name}`: layers"), *layers)?;
                probability(&format!("encoder `{name}`: dropout"), *dropout)
            }
            EncoderConfig::Mix { size, .. } => positive(&format!("encoder `{name}`: size"), *size),
        }
    }

    fn check_acyclic<'a>(&'a self, name: &'a str, path: &mut Vec<&'a str>) -> Result<()> {
        if name == EMBEDDING {
            return Ok(());
        }
        if path.contains(&name) {
            path.push(name);
            return Err(Error::config(format!("encoders form a cycle: {}", path.join(" -> "))));
        }
        path.push(name);
        for input in self.encoders[name].inputs() {
            self.check_acyclic(input, path)?;
        }
        path.pop();
        Ok(())
    }

    fn check_task(&self, name: &str, task: &TaskConfig) -> Result<()> {
        if !self.encoders.contains_key(&task.on) {
            return Err(Error::config(format!(
                "task `{name}` hangs on the unknown encoder `{}`",
                task.on
            )));
        }
        probability(&format!("task `{name}`: dropout"), task.dropout)?;
        probability(&format!("task `{name}`: input_dropout"), task.input_dropout)?;
        if let Some(arguments) = task.head.arguments() {
            match self.tasks.get(arguments).map(|t| &t.head) {
                Some(HeadConfig::CrfTagger { .. } | HeadConfig::Biaffine { .. }) => {}
                Some(_) => {
                    return Err(Error::config(format!(
                        "task `{name}`: arguments `{arguments}` finds no mentions"
                    )));
                }
                None => {
                    return Err(Error::config(format!(
                        "task `{name}`: arguments `{arguments}` is not a task"
                    )));
                }
            }
        }
        if let Some(entities) = task.head.entities() {
            if task.head.between() == Between::Mentions {
                return Err(Error::config(format!(
                    "task `{name}`: entities are of no use to relations between mentions"
                )));
            }
            let kind = self.tasks.get(entities).map(|t| t.head.kind());
            if kind != Some(TaskKind::Coreference) {
                return Err(Error::config(format!(
                    "task `{name}`: entities `{entities}` is no coreference task of the model"
                )));
            }
        }
        if let Some(agreement) = task.head.agreement() {
            self.check_agreement(name, agreement)?;
        }
        let natural =
            |c: CalibrationConfig| c.scale > 0.0 && c.scale.is_finite() && c.shift.is_finite();
        if !task.head.calibration().is_none_or(natural) {
            return Err(Error::config(format!(
                "task `{name}`: calibration.scale must be positive"
            )));
        }
        match &task.head {
            HeadConfig::CrfTagger { .. } => Ok(()),
            HeadConfig::Biaffine { hidden, .. } => {
                positive(&format!("task `{name}`: hidden"), *hidden)
            }
            HeadConfig::MentionPairs {
                hidden,
                threshold,
                thresholds,
                rivalry,
                rivalries,
                feedforward_dropout,
                reader_hidden,
                word_match,
                near_misses,
                references,
                entities,
                ..
            } => {
                if *references && entities.is_none() {
                    return Err(Error::config(format!(
                        "task `{name}`: references need `entities`, the task that finds them"
                    )));
                }
                positive(&format!("task `{name}`: hidden"), *hidden)?;
                positive(&format!("task `{name}`: reader_hidden"), reader_hidden.unwrap_or(1))?;
                positive(&format!("task `{name}`: word_match"), word_match.unwrap_or(1))?;
                if !(*near_misses >= 0.0 && near_misses.is_finite()) {
                    return Err(Error::config(format!(
                        "task `{name}`: near_misses must not be negative"
                    )));
                }
                probability(&format!("task `{name}`: rivalry"), *rivalry)?;
                probability(&format!("task `{name}`: feedforward_dropout"), *feedforward_dropout)?;
                for (label, threshold) in thresholds {
                    probability(&format!("task `{name}`: threshold of `{label}`"), *threshold)?;
                }
                for (label, rivalry) in rivalries {
                    probability(&format!("task `{name}`: rivalry of `{label}`"), *rivalry)?;
                }
                probability(&format!("task `{name}`: threshold"), *threshold)
            }
            HeadConfig::HeadSelection { hidden, threshold, .. } => {
                positive(&format!("task `{name}`: hidden"), *hidden)?;
                probability(&format!("task `{name}`: threshold"), *threshold)
            }
            HeadConfig::MentionRanking(c) => {
                positive(&format!("task `{name}`: max_span_width"), c.max_span_width as i64)?;
                positive(&format!("task `{name}`: max_antecedents"), c.max_antecedents as i64)?;
                positive(&format!("task `{name}`: hidden"), c.hidden)?;
                positive(&format!("task `{name}`: feature_size"), c.feature_size)?;
                positive(&format!("task `{name}`: projection"), c.projection.unwrap_or(1))?;
                positive(&format!("task `{name}`: genre_size"), c.genre_size.unwrap_or(1))?;
                if !(c.spans_per_word > 0.0 && c.spans_per_word.is_finite()) {
                    return Err(Error::config(format!(
                        "task `{name}`: spans_per_word must be positive"
                    )));
                }
                probability(&format!("task `{name}`: feedforward_dropout"), c.feedforward_dropout)?;
                let kind = |task: &String| self.tasks.get(task).map(|t| t.head.kind());
                let is_of_spans = |names: &NamesConfig| kind(&names.task) == Some(TaskKind::Spans);
                match task.head.names().find(|(_, names)| !is_of_spans(names)) {
                    Some((option, names)) => Err(Error::config(format!(
                        "task `{name}`: {option}.task `{}` is no task of spans of the model",
                        names.task
                    ))),
                    None if c.other_names.is_some() && c.projection.is_none() => {
                        Err(Error::config(format!("task `{name}`: other_names needs projection")))
                    }
                    None => Ok(()),
                }
            }
        }
    }

    fn check_agreement(&self, name: &str, agreement: &AgreementConfig) -> Result<()> {
        let AgreementConfig { names, last_tokens, clusters, sure } = agreement;
        if names.is_empty() && clusters.is_none() {
            return Err(Error::config(format!("task `{name}`: agreement needs names or clusters")));
        }
        if let Some(label) = last_tokens.iter().find(|label| !names.contains(label)) {
            return Err(Error::config(format!(
                "task `{name}`: agreement.last_tokens has `{label}`, which agreement.names has not"
            )));
        }
        let kind = |task: &String| self.tasks.get(task).map(|t| t.head.kind());
        if let Some(clusters) = clusters.as_ref().filter(|c| kind(c) != Some(TaskKind::Coreference))
        {
            return Err(Error::config(format!(
                "task `{name}`: agreement.clusters `{clusters}` is no coreference task of the model"
            )));
        }
        if !(0.0..=1.0).contains(sure) {
            return Err(Error::config(format!(
                "task `{name}`: agreement.sure must be from 0 to 1, not {sure}"
            )));
        }
        Ok(())
    }
}

impl EmbeddingConfig {
    fn check(&self) -> Result<()> {
        if self.context.is_none() && self.chars.is_none() && self.words.is_none() {
            return Err(Error::config("embedding needs context, chars or words"));
        }
        let dropout = match &self.context {
            Some(ContextConfig::Transformer(config)) => config.dropout,
            Some(ContextConfig::Elmo(config)) => config.dropout,
            None => 0.0,
        };
        probability("embedding.context.dropout", dropout)?;
        if let Some(WordsConfig::Table { size, dropout, .. }) = &self.words {
            positive("embedding.words.size", *size)?;
            probability("embedding.words.dropout", *dropout)?;
        }
        if let Some(CharsConfig::Cnn { size, filters, widths, dropout, .. }) = &self.chars {
            positive("embedding.chars.size", *size)?;
            positive("embedding.chars.filters", *filters)?;
            probability("embedding.chars.dropout", *dropout)?;
            if widths.is_empty() {
                return Err(Error::config("embedding.chars.widths is empty"));
            }
            for width in widths {
                positive("embedding.chars.widths", *width)?;
            }
        }
        Ok(())
    }
}

/// Sizes past this are typing errors; they would end in an allocation failure.
const MAX_SIZE: i64 = 1 << 20;

fn positive(name: &str, value: i64) -> Result<()> {
    if (1..=MAX_SIZE).contains(&value) {
        return Ok(());
    }
    Err(Error::config(format!("{name} must be between 1 and {MAX_SIZE}, not {value}")))
}

fn probability(name: &str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::config(format!("{name} must be at least 0 and below 1, not {value}")))
}

//! The model directory.
//!
//! ```text
//! manifest.json            format version, library version, SHA-256 of every other file
//! config.json              the ModelConfig
//! vocabulary/words.txt     a lower-cased word a line; each ends with a line feed
//! vocabulary/chars.txt     a character a line, anything but a line feed
//! vocabulary/labels.json   labels by task
//! transformer/             config.json and tokenizer.json of a transformer, if there is one
//! elmo/                    options.json of an ELMo, if there is one
//! weights.safetensors      every tensor by name
//! card.json                data, licences, scores, recipe, limits
//! ```
//!
//! It is written beside its place and renamed. Loading refuses, by name, what is missing, altered,
//! of another shape or too new.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use indexmap::IndexMap;
use memmap2::MmapMut;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tch::{Device, Kind, Tensor};

use super::file_bytes::FileBytes;
use super::{Card, Compute, LoadOptions, Network, Precision, weights};
use crate::config::{CONFIG_FORMAT, ContextConfig, ElmoOptions, ModelConfig};
use crate::embed::WORD_TABLE;
use crate::feature::{Pieces, Vocab, Vocabularies};
use crate::params::{Params, ROW_SCALES};
use crate::{Error, Result, atomic};

/// Version of the layout that this build writes, and the newest that it reads.
pub const MODEL_FORMAT: u32 = 1;

const MANIFEST: &str = "manifest.json";
const CONFIG: &str = "config.json";
const WORDS: &str = "vocabulary/words.txt";
const CHARS: &str = "vocabulary/chars.txt";
const LABELS: &str = "vocabulary/labels.json";
const WEIGHTS: &str = "weights.safetensors";
const CARD: &str = "card.json";
const TRANSFORMER: &str = "transformer/config.json";
const TOKENIZER: &str = "transformer/tokenizer.json";
const ELMO: &str = "elmo/options.json";
const FILES: [&str; 6] = [CONFIG, WORDS, CHARS, LABELS, WEIGHTS, CARD];

/// The files of a model.
fn files(config: &ModelConfig) -> impl Iterator<Item = &'static str> {
    let context: &[&str] = match &config.embedding.context {
        Some(ContextConfig::Transformer(_)) => &[TRANSFORMER, TOKENIZER],
        Some(ContextConfig::Elmo(_)) => &[ELMO],
        None => &[],
    };
    FILES.into_iter().chain(context.iter().copied())
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: u32,
    library: String,
    sha256: BTreeMap<String, String>,
}

/// A model in parts, as its directory holds it.
#[derive(Debug)]
pub struct Parts {
    pub config: ModelConfig,
    pub vocab: Vocabularies,
    pub card: Card,
    pub tensors: BTreeMap<String, Tensor>,
}

/// What a model directory holds, ready to run.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// Stays here: its tensors may lie in `_memory`.
    network: Network,
    pub card: Card,
    /// Numbers in all tensors of the model, loaded or not.
    pub parameters: usize,
    /// Whether results are the same bit by bit whatever else is in a batch.
    exact: bool,
    /// Those of the network, which shares their memory.
    tensors: BTreeMap<String, Tensor>,
    /// Where the tensors lie that were not copied: the last to go.
    _memory: (Option<FileBytes>, Option<MmapMut>),
}

impl Parts {
    /// Refuses a place where [`Parts::save`] would refuse to write.
    pub fn check_place(dir: &Path) -> Result<()> {
        // Many a folder has a manifest.json: ours lists hashes.
        let is_ours = read(&dir.join(MANIFEST))
            .and_then(|bytes| parse::<Manifest>(&dir.join(MANIFEST), &bytes))
            .is_ok();
        let is_empty = fs::read_dir(dir).map(|mut d| d.next().is_none()).unwrap_or(!dir.exists());
        if !is_ours && !is_empty {
            let message = "exists and is no model directory; it is left alone";
            return Err(Error::format(dir, message));
        }
        Ok(())
    }

    /// Writes a model directory, replacing an older model there but nothing else.
    pub fn save(&self, dir: &Path, precision: Precision) -> Result<()> {
        Self::check_place(dir)?;
        atomic::replace(dir, |new| self.write(new, precision))
    }

    /// Writes the files of a model into an empty folder.
    pub(crate) fn write(&self, dir: &Path, precision: Precision) -> Result<()> {
        let mut sha256 = BTreeMap::new();
        for name in files(&self.config) {
            let path = dir.join(name);
            let folder = path.parent().unwrap_or(dir);
            fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
            let pieces = || self.vocab.pieces.as_ref().ok_or_else(|| no_transformer(&path));
            let elmo = || self.vocab.elmo.as_ref().ok_or_else(|| no_elmo(&path));
            let text = match name {
                CONFIG => json(&self.config)?,
                WORDS => lines(&self.vocab.words, &path)?,
                CHARS => lines(&self.vocab.chars, &path)?,
                LABELS => json(&self.vocab.labels)?,
                CARD => json(&self.card)?,
                TRANSFORMER => pieces()?.config().to_owned(),
                TOKENIZER => pieces()?.tokenizer().to_owned(),
                ELMO => elmo()?.text().to_owned(),
                _ => {
                    weights::write(&path, &self.tensors, precision)?;
                    atomic::sync(&path)?;
                    let bytes = fs::read(&path).map_err(|e| Error::io(&path, e))?;
                    sha256.insert(name.to_owned(), hash(&bytes));
                    continue;
                }
            };
            sha256.insert(name.to_owned(), hash(text.as_bytes()));
            atomic::write(&path, text.as_bytes())?;
        }
        let library = env!("CARGO_PKG_VERSION").to_owned();
        let manifest = Manifest { format: MODEL_FORMAT, library, sha256 };
        atomic::write(&dir.join(MANIFEST), json(&manifest)?.as_bytes())
    }
}

fn no_transformer(path: &Path) -> Error {
    Error::format(path, "is missing: the model's context has no transformer")
}

fn no_elmo(path: &Path) -> Error {
    Error::format(path, "is missing: the model's context has no ELMo")
}

fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::Internal(e.to_string()))?;
    Ok(text + "\n")
}

fn lines(vocab: &Vocab, path: &Path) -> Result<String> {
    let mut text = String::new();
    for name in vocab.names() {
        if name.contains('\n') {
            return Err(Error::format(path, format!("{name:?} cannot stand on a line")));
        }
        text.push_str(name);
        text.push('\n');
    }
    Ok(text)
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

impl Parts {
    /// Reads and checks a model directory, but for the shapes of its tensors.
    pub fn read(dir: &Path) -> Result<Self> {
        let floats = |path: &Path, bytes: &[u8]| Ok((weights::read(path, bytes)?, ()));
        Self::read_with(dir, floats).map(|(parts, ..)| parts)
    }

    /// `weights` makes tensors of the bytes of their file, which come along, in what memory it says.
    fn read_with<M>(
        dir: &Path,
        weights: impl FnOnce(&Path, &[u8]) -> Result<(BTreeMap<String, Tensor>, M)>,
    ) -> Result<(Self, FileBytes, M)> {
        fs::read_dir(dir).map_err(|e| Error::io(dir, e))?;
        let path = dir.join(MANIFEST);
        let manifest: Manifest = parse(&path, &read(&path)?)?;
        if manifest.format > MODEL_FORMAT {
            let message = format!(
                "model format {} is newer than this library reads ({MODEL_FORMAT}); it was made by hmtl {}",
                manifest.format, manifest.library
            );
            return Err(Error::format(&path, message));
        }
        let checked = |name: &str| {
            let file = dir.join(name);
            let bytes = read(&file)?;
            match manifest.sha256.get(name) {
                Some(expected) if *expected == hash(&bytes) => Ok(bytes),
                Some(_) => Err(Error::format(&file, "was altered: its hash is not the manifest's")),
                None => Err(Error::format(&path, format!("does not list {name}"))),
            }
        };
        let at = |name: &str| dir.join(name);
        let config: ModelConfig = parse(&at(CONFIG), &checked(CONFIG)?)?;
        let mut files = BTreeMap::new();
        for name in self::files(&config) {
            files.insert(name, checked(name)?);
        }
        if config.format > CONFIG_FORMAT {
            let message = format!("format {} is newer than this library reads", config.format);
            return Err(Error::format(at(CONFIG), message));
        }
        config.check().map_err(|e| match e {
            Error::Config(message) => Error::format(at(CONFIG), message),
            other => other,
        })?;
        let labels: IndexMap<String, Vec<String>> = parse(&at(LABELS), &files[LABELS])?;
        check_labels(&config, &labels).map_err(|m| Error::format(at(LABELS), m))?;
        config.check_labels(&labels).map_err(|e| match e {
            Error::Config(message) => Error::format(at(CONFIG), message),
            other => other,
        })?;
        let vocab = Vocabularies {
            words: vocabulary(&at(WORDS), &files[WORDS])?,
            chars: vocabulary(&at(CHARS), &files[CHARS])?,
            labels,
            pieces: match config.embedding.context {
                Some(ContextConfig::Transformer(_)) => Some(pieces(&at(TOKENIZER), &files)?),
                _ => None,
            },
            elmo: match config.embedding.context {
                Some(ContextConfig::Elmo(_)) => Some(elmo(&at(ELMO), &files[ELMO])?),
                _ => None,
            },
        };
        let card = parse(&at(CARD), &files[CARD])?;
        let file = files.remove(WEIGHTS).unwrap_or_default();
        let (tensors, memory) = weights(&at(WEIGHTS), &file)?;
        Ok((Self { config, vocab, card, tensors }, file, memory))
    }
}

impl Bundle {
    /// Loads and checks a model directory, with all tasks or with `tasks` and what they need.
    pub(crate) fn load(dir: &Path, device: Device, options: &LoadOptions) -> Result<Self> {
        // SAFETY: both memories become part of the bundle, whose tensors go first; nobody else is given tensors, but
        // by `parts`, to write them.
        let borrow = |path: &Path, bytes: &[u8]| unsafe { weights::borrow(path, bytes) };
        let (parts, file, floats) = Parts::read_with(dir, borrow)?;
        // The file is of no use where its table was not one of bytes.
        let table = parts.tensors.get(WORD_TABLE);
        let is_borrowed = table.is_some_and(|table| table.kind() == Kind::Int8);
        let file = is_borrowed.then_some(file);
        let bundle = Self::new(parts, device, options).map_err(|e| match e {
            Error::Config(message) => Error::format(dir.join(WEIGHTS), message),
            other => other,
        })?;
        Ok(Self { _memory: (file, floats), ..bundle })
    }

    /// Makes a network of the parts of a model.
    pub(crate) fn new(parts: Parts, device: Device, options: &LoadOptions) -> Result<Self> {
        let Parts { config, vocab, card, tensors } = parts;
        let is_number = |name: &&String| {
            let of = name.strip_suffix(ROW_SCALES).and_then(|of| tensors.get(of));
            of.is_none_or(|of| of.kind() != Kind::Int8)
        };
        let parameters = tensors.keys().filter(is_number).map(|name| tensors[name].numel()).sum();
        let mut params = Params::loaded(tensors, device);
        if options.plain {
            params = params.plain();
        }
        if options.compute == Compute::Bf16 {
            params = params.in_bf16();
        }
        // A context embedder always goes through LibTorch.
        let exact = params.is_fast() && config.embedding.context.is_none();
        let mut network = Network::new(&config, &vocab, &mut params)?;
        params.check_all_used()?;
        if let Some(tasks) = &options.tasks {
            // Checked as a whole, kept in part: what no task needs is freed.
            params.forget_use();
            network = Network::new(&config.restrict(tasks)?, &vocab, &mut params)?;
        }
        Ok(Self {
            network,
            card,
            parameters,
            exact,
            tensors: params.into_used(),
            _memory: (None, None),
        })
    }

    /// Whether the requests of several callers may be one batch: it makes no difference to their results, or, on a
    /// GPU, one of rounding that is worth it.
    pub(crate) fn gathers(&self) -> bool {
        self.exact || self.network.device() != Device::Cpu
    }

    /// Whether LibTorch reads texts, filled up to the longest of a batch.
    pub(crate) fn pads(&self) -> bool {
        !self.exact
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// The model in parts, as floats.
    pub(crate) fn parts(&self) -> Result<Parts> {
        let config = self.network.config().clone();
        let mut vocab = self.network.vocab().clone();
        vocab.labels.retain(|task, _| config.tasks.contains_key(task));
        let tensor = |(name, tensor): (&String, &Tensor)| (name.clone(), tensor.shallow_clone());
        let mut tensors = self.tensors.iter().map(tensor).collect();
        weights::to_floats(&mut tensors)?;
        Ok(Parts { config, vocab, card: self.card.clone(), tensors })
    }
}

fn pieces(path: &Path, files: &BTreeMap<&str, FileBytes>) -> Result<Pieces> {
    let text = |name| String::from_utf8(files[name].to_vec());
    let (Ok(config), Ok(tokenizer)) = (text(TRANSFORMER), text(TOKENIZER)) else {
        return Err(Error::format(path, "or config.json beside it is not valid UTF-8"));
    };
    Pieces::new(config, tokenizer).map_err(|e| match e {
        Error::Config(message) => Error::format(path, message),
        other => other,
    })
}

fn elmo(path: &Path, bytes: &[u8]) -> Result<ElmoOptions> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::format(path, "is not valid UTF-8"))?;
    ElmoOptions::parse(text.to_owned()).map_err(|e| match e {
        Error::Config(message) => Error::format(path, message),
        other => other,
    })
}

fn check_labels(
    config: &ModelConfig,
    labels: &IndexMap<String, Vec<String>>,
) -> Result<(), String> {
    for (task, labels) in labels {
        if !config.tasks.contains_key(task) {
            return Err(format!("lists labels of `{task}`, which is not a task of the model"));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = labels.iter().find(|l| !seen.insert(l.as_str())) {
            return Err(format!("lists the label {twice:?} of `{task}` twice"));
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<FileBytes> {
    FileBytes::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Error::format(path, "is missing from the model directory"),
        _ => Error::io(path, e),
    })
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| Error::format(path, e.to_string()))
}

fn vocabulary(path: &Path, bytes: &[u8]) -> Result<Vocab> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::format(path, "is not valid UTF-8"))?;
    Vocab::new(text.split_terminator('\n')).map_err(|e| match e {
        Error::Config(message) => Error::format(path, message),
        other => other,
    })
}

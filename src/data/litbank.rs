//! LitBank: a token a line with four columns of nested mentions (`entities/*.tsv`), and where it
//! lies beside them, coreference of the same text (`coref/*.conll`).

use std::path::{Path, PathBuf};

use super::conll::{parse_tag, spans_of_tags};
use super::{COREF, EMD, ReadOptions, Source, conll2012, read_text};
use crate::{Document, DocumentBuilder, Result};

/// The mention files of a folder of LitBank, of its `entities` folder, or the one file.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let entities = path.join("entities");
    super::files(if entities.is_dir() { &entities } else { path }, &["tsv"])
}

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    let mut sentences: Vec<Vec<&str>> = vec![Vec::new()];
    let mut layers: Vec<Vec<Vec<(char, &str)>>> = vec![Vec::new()]; // sentence, column, token
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            sentences.push(Vec::new());
            layers.push(Vec::new());
            continue;
        }
        let mut fields = line.split('\t').map(str::trim).filter(|f| !f.is_empty());
        let (Some(word), Some(sentence), Some(columns)) =
            (fields.next(), sentences.last_mut(), layers.last_mut())
        else {
            continue;
        };
        sentence.push(word);
        for (c, tag) in fields.enumerate() {
            let tag = match parse_tag(tag) {
                Some(tag) => tag,
                None => {
                    source.invalid(at + 1, format!("`{tag}` is not a tag"))?;
                    ('O', "")
                }
            };
            if columns.len() <= c {
                columns.resize(c + 1, vec![('O', ""); sentence.len() - 1]);
            }
            columns[c].push(tag);
        }
        for column in columns.iter_mut() {
            column.resize(sentence.len(), ('O', ""));
        }
    }
    if sentences.iter().all(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let mut build = DocumentBuilder::new(Document::from_sentences(&sentences));
    build.layer(EMD);
    let mut first = 0;
    for (words, columns) in sentences.iter().zip(&layers) {
        for (span, label) in columns.iter().flat_map(|tags| spans_of_tags(tags, first)) {
            source.label(0, &mut build, span, EMD, label);
        }
        first += words.len();
    }
    add_coreference(&mut build, source)?;
    let mut doc = build.finish();
    doc.id = Some(source.stem());
    Ok(vec![doc])
}

/// Takes the clusters of `../coref/NAME.conll`, if there is such a file over the same tokens.
fn add_coreference(build: &mut DocumentBuilder, source: &mut Source) -> Result<()> {
    let folder = source.path.parent().and_then(Path::parent);
    let Some(path) = folder.map(|f| f.join("coref").join(source.stem() + ".conll")) else {
        return Ok(());
    };
    if !path.is_file() {
        return Ok(());
    }
    let options = ReadOptions { skip_invalid: source.options.skip_invalid, ..Default::default() };
    let text = read_text(&path)?;
    let mut coref = Source { path: &path, options: &options, skipped: source.skipped };
    let documents = conll2012::read(&text, &mut coref)?;
    let tokens = |d: &Document| -> Vec<String> {
        (0..d.tokens.len()).map(|t| d.token_text(t).to_owned()).collect()
    };
    let same = documents.len() == 1 && tokens(&documents[0]) == tokens(build.document());
    if !same {
        return coref.invalid(0, "is not over the tokens of the mention file beside it");
    }
    build.layer(COREF);
    for cluster in documents[0].cluster_spans() {
        build.cluster(cluster);
    }
    Ok(())
}

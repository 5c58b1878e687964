//! GUM CoNLL-U: text with exact white space, nested mentions and coreference in the `Entity` key
//! of the last column, as the `# global.Entity` line lays it out.
//!
//! Every entity is a cluster, of one mention if it is mentioned once. A document whose words were
//! replaced by underscores (GUM's forum texts, which may not be redistributed) is left out.

mod names;
mod speakers;

use std::collections::{BTreeMap, HashMap};

use self::names::Word;
use self::speakers::Speakers;
use super::{COREF, EMD, NER, Source};
use crate::{Document, DocumentBuilder, Result, Sentence, Span, Token};

/// The document being read.
struct Draft {
    id: String,
    doc: Document,
    /// Position of the entity type among the fields of an opening bracket.
    type_field: usize,
    /// What stands between the last token and the next.
    gap: &'static str,
    open: HashMap<String, Vec<(usize, String, usize)>>, // token, type, line
    mentions: Vec<(Span, String, usize)>,
    clusters: BTreeMap<String, Vec<Span>>,
    /// Last number and spacing of a multiword token being read.
    multiword: Option<(usize, &'static str)>,
    /// One a token.
    words: Vec<Word>,
    speakers: Speakers,
}

impl Draft {
    fn new(id: String) -> Self {
        Self {
            id,
            doc: Document::new(String::new(), Vec::new(), Vec::new()),
            type_field: 1,
            gap: "",
            open: HashMap::new(),
            mentions: Vec::new(),
            clusters: BTreeMap::new(),
            multiword: None,
            words: Vec::new(),
            speakers: Speakers::default(),
        }
    }

    /// Adds a word. `head` counts the words of its sentence from 1, as CoNLL-U does; 0 is none.
    fn word(&mut self, word: &str, number: usize, tag: &str, head: usize) {
        let first = (self.doc.tokens.len() + 1).saturating_sub(number); // token of word 1
        let head = head.checked_sub(1).map(|h| first + h);
        self.words.push(Word { tag: tag.to_owned(), head });
        self.push(word);
    }

    /// Writes the name of the speaker, if the turn is now theirs.
    fn begin_sentence(&mut self, capitals: bool) {
        let Some(words) = self.speakers.begin_sentence(self.doc.tokens.len(), capitals) else {
            return;
        };
        if !self.doc.tokens.is_empty() {
            self.gap = "\n";
        }
        for word in words {
            if word == ":" {
                self.gap = "";
            }
            self.words.push(Word { tag: "X".to_owned(), head: None });
            self.push(&word);
            self.gap = " ";
        }
    }

    fn push(&mut self, word: &str) {
        self.doc.text.push_str(self.gap);
        let start = self.doc.text.len();
        self.doc.text.push_str(word);
        self.doc.tokens.push(Token { start, end: self.doc.text.len() });
    }

    fn end_sentence(&mut self) {
        let first_token = self.doc.sentences.last().map_or(0, |s| s.last_token);
        if let (Some(first), Some(last)) =
            (self.doc.tokens.get(first_token), self.doc.tokens.last())
        {
            self.doc.sentences.push(Sentence {
                start: first.start,
                end: last.end,
                first_token,
                last_token: self.doc.tokens.len(),
            });
            if self.gap.is_empty() {
                self.gap = " ";
            }
        }
    }

    /// Reads the brackets of the last token: `(12-person-new...`, `(12-person-new...)`, `12)`.
    fn entities(&mut self, cell: &str, line: usize) -> Result<(), String> {
        let token = self.doc.tokens.len() - 1;
        let mut rest = cell;
        while !rest.is_empty() {
            let opens = rest.starts_with('(');
            rest = rest.strip_prefix('(').unwrap_or(rest);
            let end = rest.find(['(', ')']).unwrap_or(rest.len());
            let (fields, after) = rest.split_at(end);
            let closes = after.starts_with(')');
            rest = if closes { &after[1..] } else { after };
            let mut fields_of = fields.split('-');
            let id = fields_of.clone().next().unwrap_or_default().to_owned();
            if id.is_empty() || !(opens || closes) {
                return Err(format!("`{cell}` is not an entity bracket"));
            }
            if id.contains('[') {
                return Err(format!("`{cell}` is a discontinuous mention, which has no span"));
            }
            if opens {
                let label = fields_of.nth(self.type_field).filter(|l| !l.is_empty());
                let label = label.ok_or_else(|| format!("`{cell}` has no entity type"))?;
                self.open.entry(id.clone()).or_default().push((token, label.to_owned(), line));
            }
            if closes {
                let Some((first, label, line)) = self.open.get_mut(&id).and_then(Vec::pop) else {
                    return Err(format!("entity {id} is closed but not open"));
                };
                let span = Span::new(first, token + 1);
                self.mentions.push((span, label, line));
                self.clusters.entry(id).or_default().push(span);
            }
        }
        Ok(())
    }

    fn finish(mut self, source: &mut Source, line: usize) -> Result<Option<Document>> {
        self.end_sentence();
        if self.doc.tokens.is_empty() {
            return Ok(None);
        }
        let blank = |t: &Token| self.doc.text[t.start..t.end].bytes().all(|b| b == b'_');
        if self.doc.tokens.iter().all(blank) {
            source.left_out(line, format!("document {} has underscores for words", self.id));
            return Ok(None);
        }
        let mut build = DocumentBuilder::new(self.doc);
        build.layer(EMD);
        build.layer(COREF);
        let token = |t: usize| build.document().token_text(t);
        let speakers: Vec<(Span, Option<String>)> = self
            .speakers
            .names(&self.clusters, token)
            .into_iter()
            .map(|(span, entity)| (span, entity.map(str::to_owned)))
            .collect();
        for (id, open) in self.open {
            for (_, _, line) in open {
                source.invalid(line, format!("entity {id} is opened but never closed"))?;
            }
        }
        for (span, label, line) in self.mentions {
            let doc = build.document();
            let sentence = doc.sentences.partition_point(|s| s.last_token <= span.first);
            if span.last > doc.sentences[sentence].last_token {
                source.invalid(line, "a mention crosses the end of its sentence")?;
                for cluster in self.clusters.values_mut() {
                    cluster.retain(|s| *s != span);
                }
                continue;
            }
            source.label(line, &mut build, span, EMD, &label);
        }
        if source.options.names {
            let labelled: Vec<(Span, String)> =
                build.labelled(EMD).map(|(s, l)| (s, l.label.clone())).collect();
            let mentions: Vec<(Span, &str)> =
                labelled.iter().map(|(s, l)| (*s, l.as_str())).collect();
            names::add(&mut build, &mentions, &self.words);
        }
        for (span, entity) in speakers {
            build.label(span, EMD, "person", None);
            if source.options.names {
                build.label(span, NER, "PER", None);
            }
            let id = entity.unwrap_or_else(|| {
                let doc = build.document();
                let words = (span.first..span.last).map(|t| doc.token_text(t));
                format!("speaker {}", words.collect::<String>())
            });
            self.clusters.entry(id).or_default().push(span);
        }
        for cluster in self.clusters.into_values().filter(|c| !c.is_empty()) {
            build.cluster(cluster);
        }
        let mut doc = build.finish();
        doc.id = Some(self.id);
        Ok(Some(doc))
    }
}

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    let mut draft = Draft::new(source.stem());
    let mut started = 1;
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        if let Some(comment) = line.strip_prefix('#') {
            let (key, value) = comment.split_once('=').unwrap_or((comment, ""));
            match key.trim() {
                "newdoc id" => {
                    let next = Draft::new(value.trim().to_owned());
                    let done = std::mem::replace(&mut draft, next);
                    documents.extend(done.finish(source, started)?);
                    started = number;
                }
                "speaker" if source.options.speakers => draft.speakers.set(value.trim()),
                "newpar" if !draft.doc.tokens.is_empty() => draft.gap = "\n",
                "global.Entity" => {
                    let field = value.trim().split('-').position(|f| f == "etype");
                    draft.type_field =
                        field.ok_or_else(|| source.error(number, "global.Entity has no etype"))?;
                }
                _ => {}
            }
            continue;
        }
        if line.trim().is_empty() {
            draft.end_sentence();
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let &[number_field, word, .., misc] = fields.as_slice() else {
            source.invalid(number, "has no tab-separated columns")?;
            continue;
        };
        if fields.len() != 10 {
            source.invalid(number, format!("has {} columns, CoNLL-U has 10", fields.len()))?;
            continue;
        }
        let gap = if misc.split('|').any(|m| m == "SpaceAfter=No") { "" } else { " " };
        if let Some((_, last)) = number_field.split_once('-') {
            // `1-2 don't` before `1 do` and `2 n't`, which stand without a space.
            draft.multiword = last.parse().ok().map(|last| (last, gap));
            continue;
        }
        let Ok(word_number) = number_field.parse::<usize>() else {
            continue; // an empty node, such as 8.1
        };
        if word_number == 1 {
            draft.begin_sentence(documents.len() % 2 == 0);
        }
        // Columns 4 and 7 of ten: part of speech, head.
        draft.word(word, word_number, fields[3], fields[6].parse().unwrap_or(0));
        draft.gap = match draft.multiword {
            Some((last, after)) if word_number >= last => {
                draft.multiword = None;
                after
            }
            Some(_) => "",
            None => gap,
        };
        for cell in misc.split('|').filter_map(|m| m.strip_prefix("Entity=")) {
            if let Err(message) = draft.entities(cell, number) {
                source.invalid(number, message)?;
            }
        }
    }
    documents.extend(draft.finish(source, started)?);
    Ok(documents)
}

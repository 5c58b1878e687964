//! Texts as people type them: some sentences in capitals or in small letters, some names in capitals.
//!
//! Edited texts have few of them, so that a model takes any word in capitals for an organization
//! and sees no names in small letters. What is changed depends on the text alone and is the same in
//! every epoch and every task.

use std::ops::Range;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Document, Sentence, Token};

/// Which shares of a data set are written in other letters; each 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recase {
    /// Of the sentences, in capitals.
    pub upper: f64,
    /// Of the sentences, in small letters.
    pub lower: f64,
    /// Of the runs of capitalized words in the other sentences, in capitals: "OSLO, Norway".
    pub upper_names: f64,
}

impl Recase {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let shares = [self.upper, self.lower, self.upper_names];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return Err("recase: shares are 0 to 1");
        }
        if self.upper + self.lower > 1.0 {
            return Err("recase: upper and lower together are at most 1");
        }
        Ok(())
    }

    /// The document with its letters changed; bytes and tokens stay where they are.
    pub(super) fn apply(&self, doc: &Document) -> Document {
        let mut rng = ChaCha8Rng::from_seed(Sha256::digest(&doc.text).into());
        let mut text = doc.text.clone().into_bytes();
        for sentence in &doc.sentences {
            let draw = rng.random::<f64>();
            let bytes = &mut text[sentence.start..sentence.end];
            if draw < self.upper {
                rewrite(bytes, char::to_uppercase);
            } else if draw < self.upper + self.lower {
                rewrite(bytes, char::to_lowercase);
            } else {
                for name in capitalized(doc, sentence) {
                    if rng.random::<f64>() < self.upper_names {
                        rewrite(&mut text[name], char::to_uppercase);
                    }
                }
            }
        }
        let mut doc = doc.clone();
        // Letters were replaced by letters of as many bytes.
        doc.text = String::from_utf8_lossy(&text).into_owned();
        for mention in &mut doc.mentions {
            mention.text = doc.text[mention.start..mention.end].to_owned();
        }
        doc
    }
}

/// The bytes of each run of words that begin with a capital letter.
fn capitalized(doc: &Document, sentence: &Sentence) -> Vec<Range<usize>> {
    let tokens = &doc.tokens[sentence.first_token..sentence.last_token];
    let capital = |t: &Token| doc.text[t.start..t.end].starts_with(char::is_uppercase);
    let runs = tokens.chunk_by(|a, b| capital(a) == capital(b)).filter(|run| capital(&run[0]));
    runs.map(|run| run[0].start..run[run.len() - 1].end).collect()
}

/// Replaces the letters of a text by others where these take as many bytes.
fn rewrite<I: Iterator<Item = char>>(text: &mut [u8], letter: impl Fn(char) -> I) {
    let Ok(old) = std::str::from_utf8(text) else { return };
    let new: String = old
        .chars()
        .map(|c| {
            let mut letters = letter(c);
            let only = letters.next().filter(|_| letters.next().is_none());
            only.filter(|new| new.len_utf8() == c.len_utf8()).unwrap_or(c)
        })
        .collect();
    text.copy_from_slice(new.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DocumentBuilder, Span};

    fn document() -> Document {
        let sentence = vec!["then", "Zürich", "Maß", "is", "ıdle"];
        let mut build = DocumentBuilder::new(Document::from_sentences(&vec![sentence; 40]));
        build.label(Span::new(1, 2), "ner", "LOC", None);
        build.finish()
    }

    #[test]
    fn everything_or_nothing() {
        let doc = document();
        assert_eq!(Recase::default().apply(&doc), doc);
        let upper = Recase { upper: 1.0, ..Recase::default() }.apply(&doc);
        assert!(upper.text.starts_with("THEN ZÜRICH MAß IS ıDLE\nTHEN"), "{}", upper.text);
        assert_eq!((upper.mentions[0].text.as_str(), upper.mentions[0].start), ("ZÜRICH", 5));
        let lower = Recase { lower: 1.0, ..Recase::default() }.apply(&doc);
        assert!(lower.text.starts_with("then zürich maß is ıdle\nthen"), "{}", lower.text);
        let names = Recase { upper_names: 1.0, ..Recase::default() }.apply(&doc);
        assert!(names.text.starts_with("then ZÜRICH MAß is ıdle\nthen"), "{}", names.text);
    }

    #[test]
    fn shares_are_those_asked_for_and_the_same_again() {
        let doc = document();
        let recase = Recase { upper: 0.3, lower: 0.3, upper_names: 0.5 };
        let changed = recase.apply(&doc);
        assert_eq!(changed, recase.apply(&doc));
        let count = |opening: &str| changed.text.lines().filter(|l| l.starts_with(opening)).count();
        let counts = ["THEN ZÜRICH", "then zürich", "then ZÜRICH", "then Zürich"].map(count);
        assert_eq!(counts.iter().sum::<usize>(), 40);
        assert!(counts.iter().all(|n| (3..=20).contains(n)), "{counts:?}");
    }

    #[test]
    fn shares_are_checked() {
        assert!(Recase { upper: 1.2, ..Recase::default() }.check().is_err());
        assert!(Recase { lower: f64::NAN, ..Recase::default() }.check().is_err());
        assert!(Recase { upper: 0.6, lower: 0.6, ..Recase::default() }.check().is_err());
        assert!(Recase { upper: 0.5, lower: 0.5, upper_names: 1.0 }.check().is_ok());
    }
}

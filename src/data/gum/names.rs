//! Names, which GUM does not mark, from its mentions whose head is a proper noun.
//!
//! They are right about people, places and organizations, mostly, and say nothing about dates and
//! numbers; what is a name of unknown kind (an adjective of nationality, the name of a pet) is
//! labelled as such.

use super::super::NER;
use crate::{Document, DocumentBuilder, Span};

/// A label that no task knows: here is a name, of some kind.
const SOME_NAME: &str = "NAME";
/// The labels of which absence means something.
const COVERED: [&str; 3] = ["PER", "ORG", "LOC"];

/// Part of speech and syntactic head of a token.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) tag: String,
    /// Absent at the root.
    pub(super) head: Option<usize>,
}

fn name_label(mention_label: &str) -> &'static str {
    match mention_label {
        "person" => "PER",
        "place" => "LOC",
        "organization" => "ORG",
        "event" | "object" | "abstract" => "MISC",
        _ => SOME_NAME,
    }
}

/// Adds the layer `ner`, given GUM's mentions and a [`Word`] for each token.
pub(super) fn add(build: &mut DocumentBuilder, mentions: &[(Span, &str)], words: &[Word]) {
    let covered = COVERED.iter().map(|&l| l.to_owned()).collect();
    build.cover(NER, covered);
    let mut names: Vec<(Span, &str)> = mentions
        .iter()
        .filter_map(|&(mention, label)| {
            let inside = |h: usize| mention.first <= h && h < mention.last;
            let mut tokens = mention.first..mention.last;
            let head = tokens.find(|&t| words[t].head.is_none_or(|h| !inside(h)))?;
            let name = name_around(build, head, mention, label, words)?;
            // "the President", "the Park": perhaps no name at all.
            let generic = name.last == name.first + 1 && words[mention.first].tag == "DET";
            Some((name, if generic { SOME_NAME } else { name_label(label) }))
        })
        .collect();
    // The longest of nested names stays: "University of Oslo", not "Oslo".
    names.sort_by_key(|(s, _)| (std::cmp::Reverse(s.last - s.first), s.first));
    let mut taken = vec![false; words.len()];
    for (name, label) in names {
        if taken[name.first..name.last].iter().any(|t| *t) {
            continue;
        }
        taken[name.first..name.last].fill(true);
        build.label(name, NER, label, None);
    }
    for sentence in build.document().sentences.clone() {
        let is_name = |t: usize| {
            let adjective = words[t].tag == "ADJ" && t > sentence.first_token;
            let capital = || build.document().token_text(t).starts_with(char::is_uppercase);
            !taken[t] && (words[t].tag == "PROPN" || adjective && capital())
        };
        let mut runs: Vec<Span> = Vec::new();
        for t in (sentence.first_token..sentence.last_token).filter(|&t| is_name(t)) {
            match runs.last_mut() {
                Some(run) if run.last == t => run.last += 1,
                _ => runs.push(Span::new(t, t + 1)),
            }
        }
        for run in runs {
            build.label(run, NER, SOME_NAME, None);
        }
    }
}

/// The proper nouns around the head of a mention, over a hyphen, and but for people over "of" and
/// the like: "Jean-Claude Roy", "Ministry of the Interior".
fn name_around(
    build: &DocumentBuilder,
    head: usize,
    mention: Span,
    label: &str,
    words: &[Word],
) -> Option<Span> {
    if words[head].tag != "PROPN" {
        return None;
    }
    let doc = build.document();
    let starts: Vec<usize> = doc.sentences.iter().map(|s| s.first_token).collect();
    let proper = |t: usize| t < mention.last && is_name_part(doc, t, &words[t], &starts);
    let tag_is = |t: usize, tag: &str| t < mention.last && words[t].tag == tag;
    let is_hyphen = |t: usize| t < mention.last && doc.token_text(t) == "-";
    let (mut first, mut last) = (head, head + 1);
    loop {
        if proper(last) || tag_is(last, "NUM") {
            last += 1;
        } else if (is_hyphen(last) || label != "person" && tag_is(last, "ADP")) && proper(last + 1)
        {
            last += 2;
        } else if label != "person"
            && tag_is(last, "ADP")
            && tag_is(last + 1, "DET")
            && proper(last + 2)
        {
            last += 3;
        } else {
            break;
        }
    }
    loop {
        if first > mention.first && proper(first - 1) {
            first -= 1;
        } else if first > mention.first + 1 && is_hyphen(first - 1) && proper(first - 2) {
            first -= 2;
        } else {
            break;
        }
    }
    Some(Span::new(first, last))
}

/// A proper noun, or another word of weight that is written like one: "United/ADJ Nations/PROPN".
fn is_name_part(doc: &Document, token: usize, word: &Word, sentence_starts: &[usize]) -> bool {
    let text = doc.token_text(token);
    match word.tag.as_str() {
        "PROPN" => !text.contains("://") && !text.starts_with(['#', '@']),
        "ADJ" | "NOUN" | "VERB" | "NUM" => {
            text.starts_with(char::is_uppercase) && sentence_starts.binary_search(&token).is_err()
        }
        _ => false,
    }
}

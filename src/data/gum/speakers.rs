//! The speakers of a conversation, written into the text as a transcript has them: "ANNA: Well, I
//! never." The name is a mention of its own, and of the entity that the speaker's "I" refers to.

use std::collections::BTreeMap;

use crate::Span;

const FIRST_PERSON: [&str; 5] = ["i", "me", "my", "mine", "myself"];

/// Who speaks, sentence by sentence, and where the names were written.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    /// The speaker of the sentence being read.
    now: Option<String>,
    /// The speaker of the sentence before.
    before: Option<String>,
    /// First token of each sentence, and its speaker.
    sentences: Vec<(usize, String)>,
    names: Vec<(Span, String)>,
}

impl Speakers {
    /// The sentence that follows is by `name`.
    pub(super) fn set(&mut self, name: &str) {
        self.now = Some(name.to_owned());
    }

    /// Called at the first word of a sentence, token `at`: what to write before it, if its speaker
    /// has not just spoken.
    pub(super) fn begin_sentence(&mut self, at: usize, capitals: bool) -> Option<Vec<String>> {
        let speaker = self.now.take();
        let changed = speaker != self.before;
        self.before.clone_from(&speaker);
        let speaker = speaker?;
        self.sentences.push((at, speaker.clone()));
        if !changed {
            return None;
        }
        let mut words = parts(&speaker);
        if capitals {
            words.iter_mut().for_each(|w| *w = w.to_uppercase());
        }
        self.names.push((Span::new(at, at + words.len()), speaker));
        words.push(":".to_owned());
        Some(words)
    }

    /// The names that were written, by entity where the speaker says "I".
    pub(super) fn names<'a>(
        self,
        clusters: &'a BTreeMap<String, Vec<Span>>,
        word: impl Fn(usize) -> &'a str,
    ) -> Vec<(Span, Option<&'a str>)> {
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (id, spans) in clusters {
            for span in spans.iter().filter(|s| s.last == s.first + 1) {
                if !FIRST_PERSON.contains(&word(span.first).to_lowercase().as_str()) {
                    continue;
                }
                let sentence = self.sentences.partition_point(|(at, _)| *at <= span.first);
                if let Some((_, speaker)) = sentence.checked_sub(1).map(|s| &self.sentences[s]) {
                    *counts.entry((speaker, id)).or_default() += 1;
                }
            }
        }
        let entity = |speaker: &str| {
            let own = counts.iter().filter(|((s, _), _)| *s == speaker);
            own.max_by_key(|(_, n)| **n).map(|((_, id), _)| *id)
        };
        let names: Vec<(Span, Option<&str>)> =
            self.names.iter().map(|(span, speaker)| (*span, entity(speaker))).collect();
        names
    }
}

/// "DonaldTrump" in two words.
fn parts(name: &str) -> Vec<String> {
    let mut spaced = String::new();
    for c in name.chars() {
        if c.is_uppercase() && spaced.ends_with(char::is_lowercase) {
            spaced.push(' ');
        }
        spaced.push(c);
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_begins_with_the_name_and_i_is_its_bearer() {
        let mut speakers = Speakers::default();
        let mut say = |name: &str, at: usize| {
            speakers.set(name);
            speakers.begin_sentence(at, true)
        };
        let words = |w: &[&str]| Some(w.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(say("AnnaBerg", 0), words(&["ANNA", "BERG", ":"]));
        assert_eq!(say("AnnaBerg", 5), None);
        assert_eq!(say("Ben", 8), words(&["BEN", ":"]));
        let tokens = ["ANNA", "BERG", ":", "I", "go", "I", "stay", ".", "BEN", ":", "You", "go"];
        let span = |at: usize| Span::new(at, at + 1);
        let clusters = BTreeMap::from([("7".to_owned(), vec![span(3), span(5), span(10)])]);
        let names = speakers.names(&clusters, |t| tokens[t]);
        assert_eq!(names, [(Span::new(0, 2), Some("7")), (Span::new(8, 9), None)]);
    }
}

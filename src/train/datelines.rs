//! Texts as news agencies send them: some begin with a place, a day, an agency and a dash.
//!
//! Corpora that are free to train on hold little of that, so that a model takes "BERLIN" for a
//! company, or what follows it for a part of its name. What a text begins with depends on the text
//! alone and is the same in every epoch and every task.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Document, DocumentBuilder, Span};

/// Where news is sent from.
const PLACES: &str = "Amsterdam, Ankara, Athens, Baghdad, Bangkok, Beijing, Beirut, Berlin, Bogota, Boston, \
    Brussels, Bucharest, Budapest, Buenos Aires, Cairo, Caracas, Chicago, Colombo, \
    Copenhagen, Dakar, Delhi, Dublin, Edinburgh, Frankfurt, Geneva, Hanoi, Harare, Havana, \
    Helsinki, Hong Kong, Islamabad, Istanbul, Jakarta, Jerusalem, Johannesburg, Kabul, \
    Kiev, Lagos, Lima, Lisbon, London, Los Angeles, Madrid, Manila, Mexico City, Milan, \
    Moscow, Mumbai, Nairobi, New York, Oslo, Paris, Prague, Rome, San Francisco, Seoul, \
    Stockholm, Tokyo, Vienna, Washington";
const AGENCIES: [&str; 6] = ["Reuters", "AP", "AFP", "dpa", "Xinhua", "Bloomberg"];
const MONTHS: &str = "January, February, March, April, May, June, July, August, September, October, November, \
    December";
const MARKS: [&str; 4] = ["-", "–", "—", "--"];

fn names(list: &'static str) -> Vec<&'static str> {
    list.split(", ").collect()
}

/// Which share of a data set begins with a dateline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Datelines {
    /// Of the documents, 0 to 1.
    pub share: f64,
    /// By layer, the labels of the place, the day and the agency.
    pub labels: BTreeMap<String, [String; 3]>,
}

/// What stands before a text: words, and which of them are the place, the day and the agency.
#[derive(Default)]
struct Opening {
    text: String,
    words: Vec<(usize, usize)>,
    named: Vec<(Span, usize)>,
}

impl Opening {
    fn add(&mut self, word: &str, spaced: bool) {
        if spaced && !self.text.is_empty() {
            self.text.push(' ');
        }
        let start = self.text.len();
        self.text.push_str(word);
        self.words.push((start, self.text.len()));
    }

    fn name(&mut self, words: &str, kind: usize, mut spaced: bool) {
        let first = self.words.len();
        for word in words.split(' ') {
            self.add(word, spaced);
            spaced = true;
        }
        self.named.push((Span::new(first, self.words.len()), kind));
    }

    /// Of a place that the text does not speak of.
    fn draw(text: &str, rng: &mut ChaCha8Rng) -> Option<Self> {
        let text = text.to_lowercase();
        let place = *names(PLACES).choose(rng)?;
        if text.contains(&place.to_lowercase()) {
            return None;
        }
        let mut opening = Self::default();
        let place = if rng.random_bool(0.7) { place.to_uppercase() } else { place.to_owned() };
        opening.name(&place, 0, true);
        if rng.random_bool(0.6) {
            let month = *names(MONTHS).choose(rng)?;
            let month = if rng.random_bool(0.3) { &month[..3] } else { month };
            opening.add(",", false);
            opening.name(&format!("{month} {}", rng.random_range(1..=31)), 1, true);
        }
        if rng.random_bool(0.4) {
            opening.add("(", true);
            opening.name(AGENCIES.choose(rng)?, 2, false);
            opening.add(")", false);
        }
        opening.add(MARKS.choose(rng)?, true);
        opening.text.push(' ');
        Some(opening)
    }
}

impl Datelines {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match (0.0..=1.0).contains(&self.share) {
            true => Ok(()),
            false => Err("datelines: share is 0 to 1"),
        }
    }

    /// The document, or one that begins with a dateline.
    pub(super) fn apply(&self, doc: &Document) -> Document {
        let mut rng = ChaCha8Rng::from_seed(Sha256::digest(format!("{}\n", doc.text)).into());
        let opening =
            (rng.random::<f64>() < self.share).then(|| Opening::draw(&doc.text, &mut rng));
        match opening.flatten() {
            Some(opening) if !doc.sentences.is_empty() => self.opened(doc, &opening),
            _ => doc.clone(),
        }
    }

    fn opened(&self, doc: &Document, opening: &Opening) -> Document {
        let (bytes, words) = (opening.text.len(), opening.words.len());
        let mut new = doc.clone();
        new.text.insert_str(0, &opening.text);
        for token in &mut new.tokens {
            (token.start, token.end) = (token.start + bytes, token.end + bytes);
        }
        let own = opening.words.iter().map(|&(start, end)| crate::Token { start, end });
        new.tokens.splice(..0, own);
        for (at, sentence) in new.sentences.iter_mut().enumerate() {
            sentence.end += bytes;
            sentence.last_token += words;
            if at > 0 {
                sentence.start += bytes;
                sentence.first_token += words;
            }
        }
        let later = |span: Span| Span::new(span.first + words, span.last + words);
        let mut build = DocumentBuilder::new(new);
        build.copy(doc, later);
        for cluster in doc.cluster_spans() {
            build.cluster(cluster.into_iter().map(later).collect());
        }
        let has = |layer: &str| doc.tasks.iter().any(|t| t == layer);
        for &(span, kind) in &opening.named {
            for (layer, labels) in self.labels.iter().filter(|(layer, _)| has(layer)) {
                build.label(span, layer, &labels[kind], None);
            }
            if has("coref") {
                build.cluster(vec![span]);
            }
        }
        build.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(n: usize) -> Document {
        let word = format!("Orbit{n}");
        let sentences = [vec![word.as_str(), "fell", "."], vec!["It", "rose", "in", "Rome", "."]];
        let mut build = DocumentBuilder::new(Document::from_sentences(&sentences));
        build.label(Span::new(0, 1), "ner", "ORG", None);
        build.label(Span::new(6, 7), "ner", "LOC", None);
        build.relation("relation", "in", Span::new(0, 1), Span::new(6, 7), None);
        build.cluster(vec![Span::new(0, 1), Span::new(3, 4)]);
        build.layer("coref");
        build.finish()
    }

    fn datelines(share: f64) -> Datelines {
        let labels = ["LOC", "TIME", "ORG"].map(str::to_owned);
        let of = |layer: &str| (layer.to_owned(), labels.clone());
        Datelines { share, labels: [of("ner"), of("emd")].into() }
    }

    #[test]
    fn what_stood_in_a_text_stands_in_it_still() {
        for n in 0..60 {
            let old = document(n);
            let new = datelines(1.0).apply(&old);
            if new == old {
                continue;
            }
            assert!(new.text.ends_with(&old.text) && !new.text.to_lowercase().starts_with("rome"));
            let (words, bytes) =
                (new.tokens.len() - old.tokens.len(), new.text.len() - old.text.len());
            assert_eq!(
                new.sentences[0].start..new.sentences[0].end,
                0..old.sentences[0].end + bytes
            );
            assert_eq!(new.sentence_tokens(1), 3 + words..8 + words);
            assert_eq!(new.tasks, old.tasks);
            // Tokens are what stands between spaces, but for marks beside words.
            let tokens: Vec<&str> = (0..new.tokens.len()).map(|t| new.token_text(t)).collect();
            let joined = tokens.concat();
            assert_eq!(joined, new.text.split_whitespace().collect::<String>());
            let named: Vec<(&str, &str)> = new
                .mentions
                .iter()
                .filter_map(|m| Some((m.text.as_str(), m.labels.get("ner")?.label.as_str())))
                .collect();
            assert_eq!(named[0].1, "LOC");
            assert!(names(PLACES).iter().any(|p| p.to_uppercase() == named[0].0.to_uppercase()));
            let orbit = named.iter().position(|m| m.0.starts_with("Orbit")).unwrap();
            assert!((1..=3).contains(&orbit) && named[orbit..].len() == 2, "{named:?}");
            let relation = &new.relations[0];
            assert_eq!(new.mentions[relation.head].text, format!("Orbit{n}"));
            assert_eq!(new.mentions[relation.tail].text, "Rome");
            let joined = new.cluster_spans().into_iter().find(|c| c.len() == 2).unwrap();
            assert_eq!(joined, [Span::new(words, words + 1), Span::new(words + 3, words + 4)]);
            assert_eq!(new.clusters.len(), 1 + orbit);
            assert!(new.mentions.iter().all(|m| !m.labels.contains_key("emd")));
        }
    }

    #[test]
    fn as_many_begin_so_as_are_asked_for_and_the_same_again() {
        let begin = |share: f64| {
            let new = (0..300).map(|n| datelines(share).apply(&document(n)));
            new.filter(|d| !d.text.starts_with("Orbit")).count()
        };
        assert_eq!(begin(0.0), 0);
        assert!((50..=130).contains(&begin(0.3)), "{}", begin(0.3));
        // But for those that speak of Rome, which this text does.
        assert!((280..300).contains(&begin(1.0)), "{}", begin(1.0));
        let once = datelines(0.5).apply(&document(7));
        assert_eq!(once, datelines(0.5).apply(&document(7)));
        assert!(datelines(1.5).check().is_err() && datelines(f64::NAN).check().is_err());
        assert!(datelines(1.0).check().is_ok());
    }
}

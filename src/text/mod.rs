//! Text to sentences and tokens.
//!
//! Tokens follow the conventions of the English treebanks: clitics, punctuation and symbols stand
//! alone, abbreviations keep their period, and hyphens between letters split words, as in the
//! corpora the shipped model is trained on. White space is what Unicode calls so; every other
//! character, control and zero-width ones too, is part of exactly one token.

mod abbreviation;
mod offset;
mod sentence;
mod token;

pub use offset::{to_bytes, to_unit};

use crate::{Document, Sentence, Token};

/// Splits a text of any content and length into sentences and tokens, in time linear in it.
///
/// ```
/// let doc = hmtl::text::tokenize("Dr. Keller didn't sell it. It cost $4.5 million!");
/// let words: Vec<&str> = (0..doc.tokens.len()).map(|t| doc.token_text(t)).collect();
/// assert_eq!(words, ["Dr.", "Keller", "did", "n't", "sell", "it", ".",
///                    "It", "cost", "$", "4.5", "million", "!"]);
/// assert_eq!(doc.sentences.len(), 2);
/// ```
pub fn tokenize(text: &str) -> Document {
    let mut tokens: Vec<Token> = Vec::new();
    let mut sentences = Vec::new();
    for range in sentence::split(text) {
        let mut first_token = tokens.len();
        token::split(text, range, &mut tokens);
        for last_token in first_token + 1..=tokens.len() {
            if last_token == tokens.len()
                || ends_inside(text, &tokens[first_token..], last_token - first_token)
            {
                sentences.push(Sentence {
                    start: tokens[first_token].start,
                    end: tokens[last_token - 1].end,
                    first_token,
                    last_token,
                });
                first_token = last_token;
            }
        }
    }
    Document::new(text.to_owned(), sentences, tokens)
}

/// Whether a sentence ends before token `at` of what was taken for one sentence: after a period
/// that stands alone, so is no abbreviation's, between a word in small letters and a capital.
fn ends_inside(text: &str, tokens: &[Token], at: usize) -> bool {
    let word = |t: usize| &text[tokens[t].start..tokens[t].end];
    at >= 2
        && word(at - 1) == "."
        && tokens[at - 1].end < tokens[at].start
        && word(at).starts_with(char::is_uppercase)
        && word(at - 2).chars().count() > 1
        && word(at - 2).chars().all(char::is_lowercase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) {
        let doc = tokenize(text);
        let mut end = 0;
        for token in &doc.tokens {
            assert!(token.start >= end && token.start < token.end, "{text:?}: {token:?}");
            assert!(text[end..token.start].chars().all(char::is_whitespace), "{text:?}: {token:?}");
            assert!(
                !text[token.start..token.end].contains(char::is_whitespace),
                "{text:?}: {token:?}"
            );
            end = token.end;
        }
        assert!(text[end..].chars().all(char::is_whitespace), "{text:?}: rest");
        let mut next = 0;
        for sentence in &doc.sentences {
            assert_eq!(sentence.first_token, next);
            assert!(sentence.last_token > next);
            assert_eq!(sentence.start, doc.tokens[next].start);
            next = sentence.last_token;
            assert_eq!(sentence.end, doc.tokens[next - 1].end);
        }
        assert_eq!(next, doc.tokens.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn tokens_are_their_slices_in_order_with_only_white_space_between(text in "\\PC{0,80}") {
            check(&text);
        }

        #[test]
        fn punctuation_soup_keeps_every_character(text in "[a-cA-C0-2.,:;'’\"“”!?()$%&@#/\\-–—_ \n\t\u{200d}\u{301}🙂]{0,60}") {
            check(&text);
        }

        #[test]
        fn any_characters_at_all_are_kept(chars in prop::collection::vec(any::<char>(), 0..60)) {
            check(&chars.into_iter().collect::<String>());
        }
    }

    #[test]
    fn long_texts_of_one_thing_are_done_in_linear_time() {
        for piece in
            ["a", " ", "\"", ".", "a.", "'", "a-", "\n", "(", "1,", "🙂", "http://", "a\n\n"]
        {
            check(&piece.repeat(200_000 / piece.len()));
        }
    }

    #[test]
    fn nothing_gives_nothing() {
        for text in ["", " \n\t ", "\u{a0}"] {
            let doc = tokenize(text);
            assert!(doc.tokens.is_empty() && doc.sentences.is_empty());
        }
    }
}

//! Tokens of a sentence.
//!
//! A piece between white space is read from left to right: an address is one token, a word runs as
//! long as its characters and the marks between them allow, anything else is a symbol.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use super::abbreviation::keeps_period;
use crate::Token;

/// What may follow an apostrophe as a word of its own.
const CLITICS: &[&str] = &["s", "re", "ve", "ll", "d", "m"];
/// Words written as one: where they split.
const CONTRACTIONS: &[(&str, usize)] = &[("cannot", 3), ("gonna", 3), ("gotta", 3), ("wanna", 3)];
/// Prefixes that their hyphen does not part from the word.
const PREFIXES: &[&str] = &[
    "anti", "co", "counter", "cross", "cyber", "de", "e", "ex", "inter", "intra", "mega", "micro",
    "mid", "mini", "multi", "non", "pan", "post", "pre", "pro", "pseudo", "quasi", "re", "semi",
    "sub", "super", "trans", "ultra", "un", "vice",
];
const SMILEYS: &[&str] = &[
    ":)", ":-)", ":(", ":-(", ";)", ";-)", ":D", ":-D", ":P", ":-P", ":p", ":/", ":-/", ":'(",
    ":o", ":O", ":|", "xD", "XD", "<3", "</3", "^^", "^_^", "-_-", "o_O", "O_o", ":3", "=)", "=(",
    ":]", ":[",
];
/// Endings of names of hosts, where the scheme is left out.
const HOSTS: &[&str] = &["com", "org", "net", "edu", "gov", "io", "uk", "de", "info", "co"];

/// Appends the tokens of `text[range]`.
pub(super) fn split(text: &str, range: Range<usize>, tokens: &mut Vec<Token>) {
    let end = range.end;
    let mut at = range.start;
    while at < end {
        let rest = &text[at..end];
        let Some(start) = rest.find(|c: char| !c.is_whitespace()) else { return };
        let piece = &rest[start..];
        let length = piece.find(char::is_whitespace).unwrap_or(piece.len());
        let start = at + start;
        let next = text[start + length..].trim_start().chars().next();
        Piece { text: &text[start..start + length], start, next }.split(tokens);
        at = start + length;
    }
}

/// What stands between white space.
struct Piece<'a> {
    text: &'a str,
    start: usize,
    /// The first character after the white space behind it.
    next: Option<char>,
}

impl Piece<'_> {
    fn push(&self, from: usize, to: usize, tokens: &mut Vec<Token>) {
        if from < to {
            tokens.push(Token { start: self.start + from, end: self.start + to });
        }
    }

    fn split(&self, tokens: &mut Vec<Token>) {
        if SMILEYS.contains(&self.text) || is_clitic(self.text) {
            return self.push(0, self.text.len(), tokens);
        }
        // An address keeps its marks, but not the quotes and stops around it.
        let core_start = self.text.find(|c| !"\"'“‘(<[{«".contains(c)).unwrap_or(0);
        let core = self.text[core_start..].trim_end_matches(|c| "\"'”’)>]}».,;:!?".contains(c));
        if is_address(core) {
            self.scan(0, core_start, tokens);
            self.push(core_start, core_start + core.len(), tokens);
            return self.scan(core_start + core.len(), self.text.len(), tokens);
        }
        self.scan(0, self.text.len(), tokens);
    }

    /// Splits `from..to` into words and symbols.
    fn scan(&self, from: usize, to: usize, tokens: &mut Vec<Token>) {
        let text = &self.text[from..to];
        // Position and class of each grapheme, so that no cluster is ever cut.
        let graphemes: Vec<(usize, &str)> = text.grapheme_indices(true).collect();
        let mut at = 0;
        while at < graphemes.len() {
            let (start, grapheme) = graphemes[at];
            let end = match class(grapheme) {
                Class::Word => self.word_end(text, &graphemes, at),
                Class::Ideograph => at + 1,
                Class::Symbol => symbol_end(&graphemes, at),
            };
            let stop = graphemes.get(end).map_or(text.len(), |g| g.0);
            self.push_word(from + start, from + stop, tokens);
            at = end;
        }
    }

    /// Pushes a word, split before its clitic.
    fn push_word(&self, from: usize, to: usize, tokens: &mut Vec<Token>) {
        let cut = from + clitic_start(&self.text[from..to]);
        self.push(from, cut, tokens);
        self.push(cut, to, tokens);
    }

    /// Index of the grapheme after the word that begins at `at`.
    fn word_end(&self, text: &str, graphemes: &[(usize, &str)], at: usize) -> usize {
        let class_at = |i: usize| graphemes.get(i).map(|g| class(g.1));
        let is_word = |i: usize| class_at(i) == Some(Class::Word);
        let mut end = at;
        // Where the part since the last mark began.
        let mut part = at;
        while end < graphemes.len() {
            if is_word(end) {
                end += 1;
                continue;
            }
            let position = |i: usize| graphemes.get(i).map_or(text.len(), |g| g.0);
            let slice = |from: usize, to: usize| &text[position(from)..position(to)];
            let mut after = end + 1;
            while is_word(after) && after - end <= MAX_PART {
                after += 1;
            }
            let (word, mark) = (slice(at, end), graphemes[end].1);
            let (left, right) = (slice(part, end), slice(end + 1, after));
            if !right.is_empty()
                && joins(
                    word,
                    left,
                    mark,
                    right,
                    class_at(after),
                    slice_from(text, graphemes, after),
                )
            {
                part = end + 1;
                end = after;
                continue;
            }
            if mark == "." && self.keeps(word, left, text, graphemes, end) {
                end += 1;
            }
            break;
        }
        end
    }

    /// Whether the period at `dot`, with no word right behind it, belongs to the word before it.
    fn keeps(
        &self,
        word: &str,
        left: &str,
        text: &str,
        graphemes: &[(usize, &str)],
        dot: usize,
    ) -> bool {
        let after = slice_from(text, graphemes, dot + 1);
        if after.starts_with('.') {
            return false; // an ellipsis
        }
        // "U.S." and "a.m.", whose letters have periods between them.
        let acronym = word.len() <= MAX_ACRONYM
            && word.contains('.')
            && word.split('.').all(|p| p.chars().count() <= 2)
            && is_letters(left);
        let next = after.chars().find(|c| c.is_alphanumeric()).or(self.next);
        acronym || keeps_period(word, next)
    }
}

/// Longer words are no acronyms: bounds what is looked back at.
const MAX_ACRONYM: usize = 24;
/// Longer parts of a word are joined whatever stands between them would say: bounds look-ahead.
const MAX_PART: usize = 64;

fn slice_from<'a>(text: &'a str, graphemes: &[(usize, &str)], at: usize) -> &'a str {
    graphemes.get(at).map_or("", |g| &text[g.0..])
}

/// Whether `mark` joins the parts of a word beside it, `left` and `right`; `word` is all that
/// stands before it, `after` what follows.
fn joins(
    word: &str,
    left: &str,
    mark: &str,
    right: &str,
    after_class: Option<Class>,
    after: &str,
) -> bool {
    let numbers =
        left.ends_with(|c: char| c.is_numeric()) && right.starts_with(|c: char| c.is_numeric());
    let letters = left.ends_with(char::is_alphabetic) && right.starts_with(char::is_alphabetic);
    match mark {
        "," | ":" => numbers,
        "." => {
            let lower = right.to_lowercase();
            let host = left.ends_with(char::is_alphanumeric)
                && HOSTS.contains(&lower.as_str())
                && after_class != Some(Class::Word);
            let initials = letters
                && word.len() <= MAX_ACRONYM
                && word.split('.').all(|p| p.chars().count() <= 2)
                && (right.chars().count() == 1
                    || (right.chars().count() == 2 && after.starts_with('.')))
                && (after.starts_with('.') || word.contains('.') || left.chars().count() == 1);
            numbers || host || initials
        }
        "/" => {
            let short = |p: &str| p.chars().count() <= 3;
            numbers
                || (letters
                    && short(left)
                    && short(right)
                    && word.len() <= MAX_ACRONYM
                    && word.chars().all(char::is_lowercase))
        }
        "'" | "’" => letters,
        "&" => left.chars().all(char::is_uppercase) && right.chars().all(char::is_uppercase),
        "-" | "\u{2010}" | "\u{2011}" => {
            if numbers {
                return false; // a range
            }
            !letters || PREFIXES.contains(&left.to_lowercase().as_str())
        }
        _ => false,
    }
}

/// Index of the grapheme after the symbol that begins at `at`: runs of one mark stay together.
fn symbol_end(graphemes: &[(usize, &str)], at: usize) -> usize {
    let mark = graphemes[at].1;
    let next_is_word = graphemes.get(at + 1).is_some_and(|g| class(g.1) == Class::Word);
    let run =
        |marks: fn(&str) -> bool| at + graphemes[at..].iter().take_while(|g| marks(g.1)).count();
    match mark {
        // "@handle", "#topic" and "'90s" at the beginning of a piece
        "@" | "#" if at == 0 && next_is_word => word_run(graphemes, 1),
        "'" | "’" if at == 0 && next_is_word => {
            let end = word_run(graphemes, 1);
            let year = graphemes[1].1.starts_with(|c: char| c.is_ascii_digit());
            let word: String = graphemes[1..end].iter().map(|g| g.1).collect();
            let short = matches!(
                word.to_lowercase().as_str(),
                "em" | "til" | "tis" | "twas" | "cause" | "n"
            );
            if year || short { end } else { 1 }
        }
        "." => run(|g| g == "."),
        "-" => run(|g| g == "-"),
        "*" => run(|g| g == "*"),
        "=" => run(|g| g == "="),
        "~" => run(|g| g == "~"),
        "!" | "?" => run(|g| g == "!" || g == "?"),
        "`" => run(|g| g == "`"),
        "'" => run(|g| g == "'"),
        _ => at + 1,
    }
}

/// Index of the grapheme after the run of word characters from `at`.
fn word_run(graphemes: &[(usize, &str)], at: usize) -> usize {
    at + graphemes[at..].iter().take_while(|g| class(g.1) == Class::Word).count()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Letters, digits and underscores.
    Word,
    /// Scripts without spaces between words: a token each.
    Ideograph,
    Symbol,
}

fn class(grapheme: &str) -> Class {
    match grapheme.chars().next() {
        Some(
            '\u{2e80}'..='\u{2fdf}'
            | '\u{3040}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}',
        ) => Class::Ideograph,
        Some(c) if c.is_alphanumeric() || c == '_' => Class::Word,
        _ => Class::Symbol,
    }
}

fn is_letters(text: &str) -> bool {
    !text.is_empty() && text.chars().all(char::is_alphabetic)
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '’')
}

/// "'s" or "n't" alone, as tokenized text has them.
fn is_clitic(piece: &str) -> bool {
    let lower = piece.to_lowercase().replace('’', "'");
    lower == "n't" || lower.strip_prefix('\'').is_some_and(|c| CLITICS.contains(&c))
}

/// Where the clitic of a word begins; its length when it has none.
fn clitic_start(word: &str) -> usize {
    if let Some((_, cut)) = CONTRACTIONS.iter().find(|(w, _)| word.eq_ignore_ascii_case(w)) {
        return *cut;
    }
    let Some((at, apostrophe)) = word.char_indices().rev().find(|(_, c)| is_apostrophe(*c)) else {
        return word.len();
    };
    let (before, after) = (&word[..at], word[at + apostrophe.len_utf8()..].to_lowercase());
    if after == "t" && before.len() > 1 && before.ends_with(['n', 'N']) {
        return at - 1;
    }
    if !before.is_empty() && CLITICS.contains(&after.as_str()) { at } else { word.len() }
}

/// URLs, host names with a path, and mail addresses.
fn is_address(text: &str) -> bool {
    let lower = text.get(..12.min(text.len())).unwrap_or(text).to_lowercase();
    if ["http://", "https://", "ftp://", "www."].iter().any(|p| lower.starts_with(p)) {
        return text.len() > 8;
    }
    let host = |host: &str| {
        host.split('.').count() > 1
            && host
                .split('.')
                .all(|p| !p.is_empty() && p.chars().all(|c| c.is_alphanumeric() || c == '-'))
    };
    if let Some((user, domain)) = text.split_once('@') {
        let plain = |c: char| c.is_alphanumeric() || "._-+%".contains(c);
        return !user.is_empty() && user.chars().all(plain) && host(domain);
    }
    text.split_once('/').is_some_and(|(name, _)| {
        host(name)
            && name.rsplit('.').next().is_some_and(|h| HOSTS.contains(&h.to_lowercase().as_str()))
    })
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;

//! Sentences: the crate `sentencex` inside paragraphs, and lines where lines mean something.
//!
//! A blank line always ends a sentence. A single line break does where the line before it ends one,
//! or where a list item, a speaker or a heading shows that the lines are not one paragraph; a
//! hard-wrapped paragraph stays whole.

use std::ops::Range;

/// Words of a line that can be a heading.
const HEADING_WORDS: usize = 8;
/// Words before the colon of a speaker, "ANNA:".
const SPEAKER_WORDS: usize = 3;

/// Byte ranges of the sentences, in order; they leave out only white space.
pub(super) fn split(text: &str) -> Vec<Range<usize>> {
    let mut sentences = Vec::new();
    for block in blocks(text) {
        let mut start = block.start;
        let parts = sentencex::segment("en", &text[block.clone()]);
        for part in parts {
            let end = start + part.len();
            // Should the parts not add up to the block, the rest of it is one sentence.
            if text.get(start..end) != Some(part) {
                break;
            }
            if !part.trim().is_empty() {
                sentences.push(start..end);
            }
            start = end;
        }
        if !text[start..block.end].trim().is_empty() {
            sentences.push(start..block.end);
        }
    }
    mend(text, sentences)
}

/// Joins a piece that cannot be a sentence of its own to the one before it: closing quotes and
/// brackets, and what goes on in lower case on the same line.
fn mend(text: &str, sentences: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut mended: Vec<Range<usize>> = Vec::with_capacity(sentences.len());
    for sentence in sentences {
        let piece = text[sentence.clone()].trim();
        let only_closing = piece.chars().all(|c| "\"'”’»)]}.!?".contains(c));
        match mended.last_mut() {
            Some(last)
                if !text[last.start..sentence.start].trim_end_matches(' ').ends_with('\n') =>
            {
                let goes_on = piece.starts_with(|c: char| c.is_lowercase());
                if only_closing || goes_on {
                    last.end = sentence.end;
                } else {
                    mended.push(sentence);
                }
            }
            _ => mended.push(sentence),
        }
    }
    mended
}

/// Runs of lines that belong together.
fn blocks(text: &str) -> Vec<Range<usize>> {
    let mut blocks: Vec<Range<usize>> = Vec::new();
    let mut previous: Option<&str> = None;
    let mut at = 0;
    for line in text.split_inclusive(['\n', '\r', '\u{2028}', '\u{2029}']) {
        let range = at..at + line.len();
        at = range.end;
        let trimmed = line.trim();
        if trimmed.is_empty() {
            // "\r\n" is one break, not a blank line.
            if !(line == "\n" && text[..range.start].ends_with('\r')) {
                previous = None;
            }
            continue;
        }
        match (previous, blocks.last_mut()) {
            (Some(before), Some(block)) if !breaks(before, trimmed) => block.end = range.end,
            _ => blocks.push(range),
        }
        previous = Some(trimmed);
    }
    blocks
}

/// Whether two lines are not parts of one paragraph.
fn breaks(before: &str, after: &str) -> bool {
    let ends = before.trim_end_matches(['"', '\'', '”', '’', ')', ']']);
    if ends.ends_with(['.', '!', '?', ':', '…']) && !after.starts_with(char::is_lowercase) {
        return true;
    }
    if is_item(after) || is_speech(after) {
        return true;
    }
    // A short line before a long one is a heading.
    before.split_whitespace().count() <= HEADING_WORDS
        && !before.ends_with([',', ';', '-', '–', '—'])
        && after.starts_with(|c: char| c.is_uppercase() || c.is_numeric())
        && before.chars().count() * 2 < after.chars().count()
}

/// "- item", "• item", "3. item", "b) item"
fn is_item(line: &str) -> bool {
    let Some((mark, _)) = line.split_once(char::is_whitespace) else {
        return false;
    };
    if matches!(mark, "-" | "*" | "•" | "–" | "—" | "+" | "·") {
        return true;
    }
    let number = mark.trim_start_matches('(').trim_end_matches(['.', ')']);
    number.len() < mark.len()
        && (1..=3).contains(&number.len())
        && (number.bytes().all(|b| b.is_ascii_digit())
            || (number.len() == 1 && mark.ends_with(')')))
}

/// "ANNA: Where are you?"
fn is_speech(line: &str) -> bool {
    line.split_once(':').is_some_and(|(name, said)| {
        said.starts_with(' ')
            && name.split(' ').count() <= SPEAKER_WORDS
            && name.split(' ').all(|w| w.starts_with(char::is_uppercase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(text: &str) -> Vec<String> {
        split(text).into_iter().map(|r| text[r].trim().replace('\n', " ")).collect()
    }

    #[test]
    fn abbreviations_do_not_end_sentences() {
        let text = "Dr. Smith met J. K. Rowling on Jan. 5 at 10:30 a.m. in the U.S. Senate. He paid $4.5 million.";
        assert_eq!(sentences(text).len(), 2);
    }

    #[test]
    fn quotes_stay_with_what_they_close() {
        assert_eq!(
            sentences("\"Stop!\" he said. \"Why?\" She left."),
            ["\"Stop!\" he said.", "\"Why?\"", "She left."]
        );
    }

    #[test]
    fn a_wrapped_paragraph_is_not_broken_at_its_lines() {
        let text = "This paragraph was wrapped by hand at some\ncolumn, as people do in mail. And it\ngoes on.";
        assert_eq!(sentences(text).len(), 2);
    }

    #[test]
    fn lists_speakers_headings_and_blank_lines_break() {
        let text = "Ingredients\nTake these things out of the cupboard:\n- two eggs\n- some flour\n\nANNA: Where is it?\nBEN: Here";
        assert_eq!(
            sentences(text),
            [
                "Ingredients",
                "Take these things out of the cupboard:",
                "- two eggs",
                "- some flour",
                "ANNA: Where is it?",
                "BEN: Here"
            ]
        );
    }
}

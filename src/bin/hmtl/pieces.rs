//! A text cut at its mentions, for showing them in place.

use std::ops::Range;

use hmtl::{Document, Mention};

/// What comes next in the text.
#[derive(Debug, PartialEq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// A mention begins; `Close` ends the one that began last.
    Open(&'a Mention),
    Close(&'a Mention),
}

/// The text of `range` with its mentions, properly nested, and the mentions that cross others and
/// so have no place there.
pub fn pieces(doc: &Document, range: Range<usize>) -> (Vec<Piece<'_>>, Vec<&Mention>) {
    let inside = |m: &&Mention| range.start <= m.start && m.end <= range.end;
    let mut mentions: Vec<&Mention> = doc.mentions.iter().filter(inside).collect();
    mentions.sort_by_key(|m| (m.start, std::cmp::Reverse(m.end)));
    let mut walk = Walk { doc, at: range.start, open: Vec::new(), pieces: Vec::new() };
    let mut crossing = Vec::new();
    for mention in mentions {
        walk.close_until(mention.start);
        if walk.open.last().is_some_and(|outer| outer.end < mention.end) {
            crossing.push(mention);
            continue;
        }
        walk.text_until(mention.start);
        walk.pieces.push(Piece::Open(mention));
        walk.open.push(mention);
    }
    walk.close_until(range.end);
    walk.text_until(range.end);
    (walk.pieces, crossing)
}

struct Walk<'a> {
    doc: &'a Document,
    at: usize,
    open: Vec<&'a Mention>,
    pieces: Vec<Piece<'a>>,
}

impl Walk<'_> {
    fn text_until(&mut self, end: usize) {
        if self.at < end {
            self.pieces.push(Piece::Text(&self.doc.text[self.at..end]));
            self.at = end;
        }
    }

    /// Closes the mentions that end at or before `position`.
    fn close_until(&mut self, position: usize) {
        while let Some(mention) = self.open.pop_if(|m| m.end <= position) {
            self.text_until(mention.end);
            self.pieces.push(Piece::Close(mention));
        }
    }
}

/// The labels of a mention, each once, and the number of its cluster, from 1.
pub fn tags(mention: &Mention) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for label in mention.labels.values() {
        if !tags.contains(&label.label) {
            tags.push(label.label.clone());
        }
    }
    tags.extend(mention.cluster.map(|c| format!("#{}", c + 1)));
    tags
}

#[cfg(test)]
mod tests {
    use hmtl::{DocumentBuilder, Span};

    use super::*;

    fn show(spans: &[(usize, usize)]) -> (String, usize) {
        let mut build =
            DocumentBuilder::new(Document::from_sentences(&[vec!["a", "b", "c", "d", "e"]]));
        for &(first, last) in spans {
            build.mention(Span::new(first, last));
        }
        let doc = build.finish();
        let (pieces, crossing) = pieces(&doc, 0..doc.text.len());
        let text = pieces.iter().map(|p| match p {
            Piece::Text(text) => text,
            Piece::Open(_) => "[",
            Piece::Close(_) => "]",
        });
        (text.collect(), crossing.len())
    }

    #[test]
    fn nested_mentions_nest() {
        assert_eq!(show(&[(0, 3), (0, 1), (1, 3), (2, 3)]), ("[[a] [b [c]]] d e".into(), 0));
        assert_eq!(show(&[(0, 1), (1, 2), (4, 5)]), ("[a] [b] c d [e]".into(), 0));
        assert_eq!(show(&[]), ("a b c d e".into(), 0));
    }

    #[test]
    fn crossing_mentions_are_told_apart() {
        assert_eq!(show(&[(0, 3), (2, 5), (4, 5)]), ("[a b c] d [e]".into(), 1));
    }
}

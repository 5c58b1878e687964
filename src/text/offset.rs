//! Positions in bytes, code points and UTF-16 units.

use crate::{Document, Error, OffsetUnit, Result};

/// The document with every `start` and `end` in `unit`; it must have bytes.
pub fn to_unit(doc: &Document, unit: OffsetUnit) -> Document {
    if unit == OffsetUnit::Byte || doc.offsets != OffsetUnit::Byte {
        return doc.clone();
    }
    // Position of each byte that begins a character, and of the end of the text.
    let mut units = vec![usize::MAX; doc.text.len() + 1];
    let mut at = 0;
    for (byte, c) in doc.text.char_indices() {
        units[byte] = at;
        at += width(c, unit);
    }
    units[doc.text.len()] = at;
    let mut converted = doc.clone();
    converted.offsets = unit;
    for position in positions(&mut converted) {
        *position = units[*position];
    }
    converted
}

/// The document with every `start` and `end` in bytes; an error on a position outside the text
/// or inside a character.
pub fn to_bytes(doc: &Document) -> Result<Document> {
    let mut converted = doc.clone();
    converted.offsets = OffsetUnit::Byte;
    // The byte at which each unit begins; units inside a character have none.
    let mut bytes = Vec::with_capacity(doc.text.len() + 1);
    for (byte, c) in doc.text.char_indices() {
        bytes.push(Some(byte));
        let width = width(c, doc.offsets);
        bytes.extend(std::iter::repeat_n(None, width - 1));
    }
    bytes.push(Some(doc.text.len()));
    for position in positions(&mut converted) {
        *position = bytes.get(*position).copied().flatten().ok_or_else(|| {
            Error::invalid(format!("position {position} is outside the text or inside a character"))
        })?;
    }
    Ok(converted)
}

fn width(c: char, unit: OffsetUnit) -> usize {
    match unit {
        OffsetUnit::Byte => c.len_utf8(),
        OffsetUnit::Char => 1,
        OffsetUnit::Utf16 => c.len_utf16(),
    }
}

fn positions(doc: &mut Document) -> impl Iterator<Item = &mut usize> {
    let sentences = doc.sentences.iter_mut().flat_map(|s| [&mut s.start, &mut s.end]);
    let tokens = doc.tokens.iter_mut().flat_map(|t| [&mut t.start, &mut t.end]);
    let mentions = doc.mentions.iter_mut().flat_map(|m| [&mut m.start, &mut m.end]);
    sentences.chain(tokens).chain(mentions)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_emoji_is_four_bytes_one_character_and_two_utf16_units() {
        let doc = Document::from_sentences(&[vec!["é", "🙂", "x"]]);
        let at = |unit| {
            let doc = to_unit(&doc, unit);
            (doc.tokens[2].start, doc.tokens[2].end)
        };
        assert_eq!(at(OffsetUnit::Byte), (8, 9));
        assert_eq!(at(OffsetUnit::Char), (4, 5));
        assert_eq!(at(OffsetUnit::Utf16), (5, 6));
    }

    #[test]
    fn a_position_inside_a_character_is_an_error() {
        let mut doc = Document::from_sentences(&[vec!["🙂"]]);
        doc.tokens[0].end = 2;
        assert!(to_bytes(&doc).is_err());
        doc.tokens[0].end = 99;
        assert!(to_bytes(&doc).is_err());
    }

    proptest! {
        #[test]
        fn every_unit_converts_back(words in prop::collection::vec("\\PC{1,8}", 0..12)) {
            let doc = Document::from_sentences(&[words]);
            for unit in [OffsetUnit::Byte, OffsetUnit::Char, OffsetUnit::Utf16] {
                prop_assert_eq!(&to_bytes(&to_unit(&doc, unit)).unwrap(), &doc);
            }
        }
    }
}

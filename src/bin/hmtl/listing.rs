//! A document as plain text for reading.

use std::fmt::Write as _;

use hmtl::Document;

use super::pieces::{Piece, pieces, tags};

/// Sentences with their mentions in brackets, then relations and clusters.
pub fn listing(doc: &Document) -> String {
    let mut out = String::new();
    if let Some(id) = &doc.id {
        let _ = writeln!(out, "{id}\n");
    }
    let mut crossing = Vec::new();
    for sentence in &doc.sentences {
        let (pieces, others) = pieces(doc, sentence.start..sentence.end);
        crossing.extend(others);
        for piece in pieces {
            match piece {
                Piece::Text(text) => out += &text.replace(['\n', '\r'], " "),
                Piece::Open(_) => out.push('['),
                Piece::Close(mention) => {
                    let tags = tags(mention).join(" ");
                    let _ =
                        if tags.is_empty() { write!(out, "]") } else { write!(out, " | {tags}]") };
                }
            }
        }
        out.push('\n');
    }
    let one_line = |m: usize| doc.mentions[m].text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !crossing.is_empty() {
        out += "\nmentions that cross others\n";
        for mention in crossing {
            let _ = writeln!(out, "  {} | {}", mention.text, tags(mention).join(" "));
        }
    }
    if !doc.relations.is_empty() {
        out += "\nrelations\n";
        for relation in &doc.relations {
            let (head, tail) = (one_line(relation.head), one_line(relation.tail));
            let score = relation.score.map_or(String::new(), |s| format!("  ({s:.2})"));
            let _ = writeln!(out, "  {head} --{}--> {tail}{score}", relation.label);
        }
    }
    if !doc.clusters.is_empty() {
        out += "\nclusters\n";
        for (c, cluster) in doc.clusters.iter().enumerate() {
            let names: Vec<String> = cluster.mentions.iter().map(|&m| one_line(m)).collect();
            let _ = writeln!(out, "  #{}  {}", c + 1, names.join(", "));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use hmtl::{DocumentBuilder, Span};

    use super::*;

    #[test]
    fn a_listing_shows_mentions_relations_and_clusters() {
        let doc = Document::from_sentences(&[vec!["Ada", "met", "Bo", "."], vec!["She", "left"]]);
        let mut build = DocumentBuilder::new(doc);
        build.label(Span::new(0, 1), "ner", "PER", None);
        build.relation("relation", "knows", Span::new(0, 1), Span::new(2, 3), Some(0.875));
        build.cluster(vec![Span::new(0, 1), Span::new(4, 5)]);
        assert_eq!(
            listing(&build.finish()),
            "[Ada | PER #1] met [Bo] .\n[She | #1] left\n\n\
             relations\n  Ada --knows--> Bo  (0.88)\n\n\
             clusters\n  #1  Ada, She\n"
        );
    }
}

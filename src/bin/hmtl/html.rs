//! A document as a part of an HTML page.

use std::fmt::Write as _;
use std::ops::Range;

use hmtl::{Document, Mention};

use super::pieces::{Piece, pieces, tags};

/// What comes before the documents.
pub const HEAD: &str = r#"<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>hmtl</title>
<style>
body { font: 17px/2 Georgia, serif; max-width: 50em; margin: 2em auto; padding: 0 1em; color: #222 }
h2, table, sub { font-family: system-ui, sans-serif }
h2 { font-size: 15px; border-bottom: 1px solid #ccc; margin-top: 2em }
table { font-size: 14px; line-height: 1.5; border-collapse: collapse }
td { padding: 1px 1.5em 1px 0; vertical-align: top }
.m { background: hsl(var(--h) 75% 91%); border-bottom: 2px solid hsl(var(--h) 60% 55%); border-radius: 3px; padding: 1px 2px }
.c { background: none; border-bottom: 1px dotted #999 }
sub { font-size: 10px; font-weight: 600; color: #555; padding-left: 2px }
</style>
</head>
<body>
"#;

/// What comes after them.
pub const TAIL: &str = "</body>\n</html>\n";

/// The text with its mentions marked, then tables of relations and clusters.
pub fn section(doc: &Document) -> String {
    let mut out = String::from("<section>\n");
    if let Some(id) = &doc.id {
        let _ = writeln!(out, "<h2>{}</h2>", escape(id));
    }
    out += "<p>";
    let mut crossing = Vec::new();
    for sentence in &doc.sentences {
        crossing.extend(marked(doc, sentence.start..sentence.end, &mut out));
        out += "<br>\n";
    }
    out += "</p>\n";
    let text = |m: usize| escape(&doc.mentions[m].text);
    table(
        &mut out,
        "Mentions that cross others",
        crossing
            .iter()
            .map(|m| format!("<td>{}<td>{}", escape(&m.text), escape(&tags(m).join(" ")))),
    );
    table(
        &mut out,
        "Relations",
        doc.relations.iter().map(|r| {
            let score = r.score.map_or(String::new(), |s| format!("{s:.2}"));
            let label = escape(&r.label);
            format!("<td>{}<td>{label} &rarr;<td>{}<td>{score}", text(r.head), text(r.tail))
        }),
    );
    table(
        &mut out,
        "Clusters",
        doc.clusters.iter().enumerate().map(|(c, cluster)| {
            let names: Vec<String> = cluster.mentions.iter().map(|&m| text(m)).collect();
            format!("<td>#{}<td>{}", c + 1, names.join(" &middot; "))
        }),
    );
    out + "</section>\n"
}

/// The text of `range` with its mentions marked; the mentions that cross others are given back.
pub fn marked<'a>(doc: &'a Document, range: Range<usize>, out: &mut String) -> Vec<&'a Mention> {
    let (pieces, crossing) = pieces(doc, range);
    for piece in pieces {
        match piece {
            Piece::Text(text) => *out += &escape(text),
            Piece::Open(mention) => *out += &open(mention),
            Piece::Close(mention) => {
                let _ = write!(out, "<sub>{}</sub></span>", escape(&tags(mention).join(" ")));
            }
        }
    }
    crossing
}

/// A titled table of rows of cells; nothing without rows.
pub fn table(out: &mut String, title: &str, rows: impl Iterator<Item = String>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = writeln!(out, "<h2>{title}</h2>\n<table>");
    rows.for_each(|row| {
        let _ = writeln!(out, "<tr>{row}");
    });
    *out += "</table>\n";
}

/// A mention's first label gives its colour; its labels and scores show under the pointer.
fn open(mention: &Mention) -> String {
    let Some(first) = mention.labels.values().next() else {
        return r#"<span class="m c">"#.into();
    };
    // Spreads labels over the colour wheel, the same for every page.
    let hue =
        first.label.bytes().fold(7_u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b))) % 360;
    let labels = mention.labels.iter().map(|(task, l)| match l.score {
        Some(score) => format!("{task}: {} ({score:.2})", l.label),
        None => format!("{task}: {}", l.label),
    });
    let title = escape(&labels.collect::<Vec<_>>().join(", "));
    format!(r#"<span class="m" style="--h:{hue}" title="{title}">"#)
}

pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\0' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use hmtl::{DocumentBuilder, Span};

    use super::*;

    #[test]
    fn what_is_markup_in_the_text_is_none_in_the_page() {
        let doc = Document::from_sentences(&[vec!["<script>", "&", "\"x\""]]);
        let mut build = DocumentBuilder::new(doc);
        build.label(Span::new(0, 1), "ner", "<b>", Some(0.5));
        let page = section(&build.finish());
        assert!(page.contains("&lt;script&gt;") && page.contains("&lt;b&gt; (0.50)"), "{page}");
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
    }
}

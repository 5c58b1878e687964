//! Annotations as a self-contained HTML page.

use std::fmt::Write as _;

use hmtl::Document;

const STYLE: &str = "body{font:16px/1.9 Georgia,serif;max-width:50em;margin:2em auto;padding:0 1em;color:#222}\
h2{font:600 15px sans-serif;color:#555}.text{white-space:pre-wrap}\
mark{background:hsl(var(--h) 70% 92%);border:1px solid hsl(var(--h) 45% 65%);border-radius:4px;padding:1px 3px}\
sub{font:600 10px sans-serif;color:hsl(var(--h) 60% 35%);margin-left:3px}\
table{border-collapse:collapse;font:14px sans-serif}td{padding:2px 12px 2px 0}";

/// A page with each document's text, its mentions marked, and tables of relations and clusters.
pub fn page(docs: &[Document]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>hmtl</title><style>{STYLE}</style>\n"
    );
    for doc in docs {
        if let Some(id) = &doc.id {
            let _ = writeln!(out, "<h1>{}</h1>", escape(id));
        }
        let _ = writeln!(out, "<div class=\"text\">{}</div>", marked(doc));
        let mention = |m: usize| escape(&doc.mentions[m].text);
        if !doc.relations.is_empty() {
            out.push_str("<h2>Relations</h2>\n<table>\n");
            for r in &doc.relations {
                let (head, tail) = (mention(r.head), mention(r.tail));
                let label = escape(&r.label);
                let _ = writeln!(out, "<tr><td>{head}<td>{label}<td>{tail}");
            }
            out.push_str("</table>\n");
        }
        if !doc.clusters.is_empty() {
            out.push_str("<h2>Clusters</h2>\n<table>\n");
            for (c, cluster) in doc.clusters.iter().enumerate() {
                let texts: Vec<String> = cluster.mentions.iter().map(|&m| mention(m)).collect();
                let _ = writeln!(out, "<tr><td>{c}<td>{}", texts.join(" · "));
            }
            out.push_str("</table>\n");
        }
    }
    out.push_str("</html>\n");
    out
}

/// The text with its mentions in marks. Mentions nest or, from different tasks, cross: one that
/// would cross an open mark is left unmarked.
fn marked(doc: &Document) -> String {
    let mut out = String::new();
    let mut at = 0;
    let mut open: Vec<(usize, String)> = Vec::new(); // where it ends, and what closes it
    let copy = |out: &mut String, at: &mut usize, to: usize| {
        out.push_str(&escape(&doc.text[*at..to]));
        *at = to;
    };
    for mention in &doc.mentions {
        while open.last().is_some_and(|(end, _)| *end <= mention.start) {
            let Some((end, close)) = open.pop() else { break };
            copy(&mut out, &mut at, end);
            out.push_str(&close);
        }
        if open.last().is_some_and(|(end, _)| *end < mention.end) {
            continue;
        }
        copy(&mut out, &mut at, mention.start);
        let mut labels: Vec<String> = mention.labels.values().map(|l| escape(&l.label)).collect();
        labels.extend(mention.cluster.map(|c| format!("#{c}")));
        let label = labels.join(" ");
        let hue = label.bytes().fold(7_u32, |h, b| (h * 31 + u32::from(b)) % 360);
        let _ = write!(out, "<mark style=\"--h:{hue}\">");
        open.push((mention.end, format!("<sub style=\"--h:{hue}\">{label}</sub></mark>")));
    }
    while let Some((end, close)) = open.pop() {
        copy(&mut out, &mut at, end);
        out.push_str(&close);
    }
    copy(&mut out, &mut at, doc.text.len());
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

//! What the column formats share: tags and bracketed coreference.

use std::collections::BTreeMap;

use crate::Span;

/// A tag of a span scheme: IOB1, IOB2, BIOES or BIOUL.
pub(super) fn parse_tag(tag: &str) -> Option<(char, &str)> {
    if tag == "O" {
        return Some(('O', ""));
    }
    let (part, label) = tag.split_once('-')?;
    let part = part.chars().next().filter(|_| part.len() == 1)?;
    ("BIEMLSU".contains(part) && !label.is_empty()).then_some((part, label))
}

/// Spans of the tags of one sentence, shifted by `first`, in whichever scheme they are.
pub(super) fn spans_of_tags<'a>(tags: &[(char, &'a str)], first: usize) -> Vec<(Span, &'a str)> {
    let mut spans = Vec::new();
    let mut open: Option<(usize, &str)> = None;
    for (at, &(part, label)) in tags.iter().enumerate() {
        let continues = matches!(part, 'I' | 'M' | 'E' | 'L') && open.is_some_and(|o| o.1 == label);
        if !continues {
            if let Some((start, label)) = open.take() {
                spans.push((Span::new(first + start, first + at), label));
            }
            if part != 'O' {
                open = Some((at, label));
            }
        }
        if matches!(part, 'E' | 'L' | 'S' | 'U')
            && let Some((start, label)) = open.take()
        {
            spans.push((Span::new(first + start, first + at + 1), label));
        }
    }
    if let Some((start, label)) = open {
        spans.push((Span::new(first + start, first + tags.len()), label));
    }
    spans
}

/// Reads coreference brackets, `(12|(3)`, `12)`, cell by cell.
#[derive(Default)]
pub(super) struct Brackets {
    open: BTreeMap<String, Vec<(usize, usize)>>, // token, line
    clusters: BTreeMap<String, Vec<Span>>,
}

impl Brackets {
    /// Reads the cell of a token; the message says what is wrong with it.
    pub(super) fn cell(&mut self, cell: &str, token: usize, line: usize) -> Result<(), String> {
        let mut rest = cell.trim_matches(['-', '_', '*', '|']);
        while !rest.is_empty() {
            rest = rest.trim_start_matches('|');
            let opens = rest.starts_with('(');
            rest = rest.trim_start_matches('(');
            let end = rest.find(['(', ')', '|']).unwrap_or(rest.len());
            let (id, after) = rest.split_at(end);
            let closes = after.starts_with(')');
            rest = if closes { &after[1..] } else { after };
            if id.is_empty() || !(opens || closes) {
                return Err(format!("`{cell}` is not a coreference bracket"));
            }
            if opens {
                self.open.entry(id.to_owned()).or_default().push((token, line));
            }
            if closes {
                let Some((first, _)) = self.open.get_mut(id).and_then(Vec::pop) else {
                    return Err(format!("cluster {id} is closed but not open"));
                };
                self.clusters.entry(id.to_owned()).or_default().push(Span::new(first, token + 1));
            }
        }
        Ok(())
    }

    /// Whether some span is open.
    pub(super) fn is_open(&self) -> bool {
        self.open.values().any(|o| !o.is_empty())
    }

    /// The clusters, and line and id of the spans that were never closed.
    pub(super) fn finish(self) -> (Vec<Vec<Span>>, Vec<(usize, String)>) {
        let left = self
            .open
            .into_iter()
            .flat_map(|(id, open)| open.into_iter().map(move |(_, line)| (line, id.clone())));
        (self.clusters.into_values().collect(), left.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_scheme_gives_the_same_spans() {
        let spans = |tags: &[&str]| {
            let tags: Vec<_> = tags.iter().map(|t| parse_tag(t).unwrap()).collect();
            let spans = spans_of_tags(&tags, 0);
            spans.iter().map(|(s, l)| (s.first, s.last, (*l).to_owned())).collect::<Vec<_>>()
        };
        let iob2 = spans(&["B-A", "I-A", "B-A", "O", "B-B"]);
        assert_eq!(iob2, [(0, 2, "A".into()), (2, 3, "A".into()), (4, 5, "B".into())]);
        assert_eq!(spans(&["I-A", "I-A", "B-A", "O", "I-B"]), iob2);
        assert_eq!(spans(&["B-A", "E-A", "S-A", "O", "S-B"]), iob2);
        assert_eq!(spans(&["B-A", "L-A", "U-A", "O", "U-B"]), iob2);
        assert!(
            parse_tag("X-A").is_none() && parse_tag("B-").is_none() && parse_tag("0").is_none()
        );
    }

    #[test]
    fn brackets_nest_and_name_their_mistakes() {
        let mut brackets = Brackets::default();
        brackets.cell("(1(2)", 0, 1).unwrap();
        brackets.cell("(2|(3)", 1, 2).unwrap();
        brackets.cell("2)|1)", 2, 3).unwrap();
        assert!(brackets.cell("7)", 3, 4).unwrap_err().contains("7 is closed but not open"));
        brackets.cell("(9", 4, 5).unwrap();
        let (clusters, left) = brackets.finish();
        let ends: Vec<Vec<_>> =
            clusters.iter().map(|c| c.iter().map(|s| (s.first, s.last)).collect()).collect();
        assert_eq!(ends, [vec![(0, 3)], vec![(0, 1), (1, 3)], vec![(1, 2)]]);
        assert_eq!(left, [(5, "9".to_owned())]);
    }
}

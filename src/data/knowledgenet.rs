//! KnowledgeNet JSON lines: passages with facts between two stretches of characters.
//!
//! A passage was searched for its listed properties only: of the others nothing is known. Its
//! mentions are the arguments of its facts, of the types that their properties ask for, pronouns
//! among them. Properties get the names that Wikidata has for them, as those of DocRED do. The id of a
//! passage begins with its fold, so that one can be kept apart.

use std::collections::HashMap;

use serde::Deserialize;

use super::{EMD, RELATION, Source};
use crate::text::tokenize;
use crate::{Document, DocumentBuilder, Result, Span};

#[derive(Deserialize)]
struct Passage {
    fold: Option<u32>,
    doc: String,
    start: usize,
    text: String,
    properties: Vec<String>,
    facts: Vec<Fact>,
}

#[derive(Deserialize)]
struct Fact {
    property: String,
    #[serde(rename = "subj")]
    subject: [usize; 2],
    #[serde(rename = "obj")]
    object: [usize; 2],
    #[serde(rename = "subj_uri")]
    subject_uri: Option<String>,
    #[serde(rename = "obj_uri")]
    object_uri: Option<String>,
}

/// A property: its name in Wikidata, the types of subject and object, and whether Wikidata has
/// them the other way round.
struct Property {
    name: &'static str,
    subject: &'static str,
    object: &'static str,
    reversed: bool,
}

fn property(name: &str) -> Option<Property> {
    let (name, subject, object) = match name {
        "CEO" => ("chief_executive_officer", "ORG", "PER"),
        "CHILD_OF" => ("child", "PER", "PER"),
        "DATE_FOUNDED" => ("inception", "ORG", "TIME"),
        "DATE_OF_BIRTH" => ("date_of_birth", "PER", "TIME"),
        "DATE_OF_DEATH" => ("date_of_death", "PER", "TIME"),
        "EDUCATED_AT" => ("educated_at", "PER", "ORG"),
        "EMPLOYEE_OR_MEMBER_OF" => ("employer", "PER", "ORG"),
        "FOUNDED_BY" => ("founded_by", "ORG", "PER"),
        "HEADQUARTERS" => ("headquarters_location", "ORG", "LOC"),
        "NATIONALITY" => ("country_of_citizenship", "PER", "LOC"),
        "PLACE_OF_BIRTH" => ("place_of_birth", "PER", "LOC"),
        "PLACE_OF_RESIDENCE" => ("residence", "PER", "LOC"),
        "POLITICAL_AFFILIATION" => ("member_of_political_party", "PER", "ORG"),
        "SPOUSE" => ("spouse", "PER", "PER"),
        "SUBSIDIARY_OF" => ("parent_organization", "ORG", "ORG"),
        _ => return None,
    };
    Some(Property { name, subject, object, reversed: name == "child" })
}

pub(super) fn read(text: &str, source: &mut Source) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let passage: Passage = match source.json(line, at + 1) {
            Ok(passage) => passage,
            Err(_) if source.options.skip_invalid => {
                source.left_out(at + 1, "is not a passage");
                continue;
            }
            Err(error) => return Err(error),
        };
        documents.push(document(&passage, at + 1, source)?);
    }
    Ok(documents)
}

fn document(passage: &Passage, line: usize, source: &mut Source) -> Result<Document> {
    // Characters to bytes, with the end of the text.
    let text = &passage.text;
    let bytes: Vec<usize> = text.char_indices().map(|(b, _)| b).chain([text.len()]).collect();
    let mut build = DocumentBuilder::new(tokenize(text));
    let mut covered = Vec::new();
    for name in &passage.properties {
        match property(name) {
            Some(property) => covered.push(property.name.to_owned()),
            None => source.invalid(line, format!("unknown property `{name}`"))?,
        }
    }
    build.cover(EMD, Vec::new());
    build.cover(RELATION, covered);
    let mut entities: HashMap<&str, Vec<Span>> = HashMap::new();
    for fact in &passage.facts {
        let Some(property) = property(&fact.property) else {
            source.invalid(line, format!("unknown property `{}`", fact.property))?;
            continue;
        };
        let span = |[start, end]: [usize; 2]| {
            tokens(build.document(), *bytes.get(start)?, *bytes.get(end)?)
        };
        let (Some(subject), Some(object)) = (span(fact.subject), span(fact.object)) else {
            let message =
                format!("{} does not join two mentions of one sentence each", fact.property);
            source.invalid(line, message)?;
            continue;
        };
        if subject == object {
            source.left_out(line, format!("{} of a mention with itself", fact.property));
            continue;
        }
        for (span, label, uri) in [
            (subject, property.subject, &fact.subject_uri),
            (object, property.object, &fact.object_uri),
        ] {
            build.label(span, EMD, label, None);
            if let Some(uri) = uri {
                let spans = entities.entry(uri).or_default();
                if !spans.contains(&span) {
                    spans.push(span);
                }
            }
        }
        let (head, tail) = if property.reversed { (object, subject) } else { (subject, object) };
        build.relation(RELATION, property.name, head, tail, None);
    }
    let mut entities: Vec<Vec<Span>> = entities.into_values().collect();
    entities.sort();
    for spans in entities {
        build.cluster(spans);
    }
    let mut doc = build.finish();
    let place = format!("{}:{}", passage.doc, passage.start);
    doc.id = Some(match passage.fold {
        Some(fold) => format!("fold{fold}/{place}"),
        None => place,
    });
    Ok(doc)
}

/// The tokens that some bytes touch, if they are of one sentence.
fn tokens(doc: &Document, start: usize, end: usize) -> Option<Span> {
    let first = doc.tokens.partition_point(|t| t.end <= start);
    let last = doc.tokens.partition_point(|t| t.start < end);
    let sentence = doc.sentences.get(doc.sentences.partition_point(|s| s.last_token <= first))?;
    (first < last && last <= sentence.last_token).then(|| Span::new(first, last))
}

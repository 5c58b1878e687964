//! The readers on whole corpora, where they are at hand.

mod common;

use hmtl::data::{Dataset, Format, ReadOptions};

fn open(format: Format, part: &str) -> Option<Dataset> {
    let path = common::shared(part)?;
    let strict = Dataset::open(format, &path, &ReadOptions::default());
    if let Err(error) = &strict {
        eprintln!("strict: {error}");
    }
    let options = ReadOptions { skip_invalid: true, ..Default::default() };
    let data = Dataset::open(format, &path, &options).unwrap();
    eprintln!("{part}: {}", data.info());
    for skip in data.skipped.iter().take(5) {
        eprintln!("  {skip}");
    }
    Some(data)
}

fn mentions(data: &Dataset, layer: &str) -> usize {
    data.documents.iter().map(|d| d.labelled(layer).count()).sum()
}

fn relations(data: &Dataset) -> usize {
    data.documents.iter().map(|d| d.relations.len()).sum()
}

#[test]
fn redocred() {
    let Some(data) = open(Format::Docred, "redocred/dev_revised.json") else { return };
    // Of 17,284 triples 8 fall on a span that stands in two entities, and so on another's relation.
    assert_eq!((data.documents.len(), relations(&data)), (500, 17_276));
    assert!(mentions(&data, "ner") > 13_000);
}

#[test]
fn gum() {
    let (Some(train), Some(dev)) = (open(Format::Gum, "gum/train"), open(Format::Gum, "gum/dev"))
    else {
        return;
    };
    assert!(mentions(&train, "emd") > 45_000 && mentions(&dev, "emd") > 7_000);
}

#[test]
fn ontogum() {
    let Some(data) = open(Format::Conll2012, "gum/ontogum_dev") else { return };
    let alone = data.documents.iter().flat_map(|d| &d.clusters).filter(|c| c.mentions.len() == 1);
    assert!(alone.count() < 10, "the scheme has no singletons");
}

#[test]
fn litbank() {
    let Some(data) = open(Format::Litbank, "litbank/dev") else { return };
    assert_eq!(data.documents.len(), 9);
    assert!(data.documents.iter().all(|d| !d.clusters.is_empty()));
    let Some(brat) = open(Format::Brat, "litbank/dev/brat") else { return };
    assert!(mentions(&brat, "emd").abs_diff(mentions(&data, "emd")) < 200);
}

#[test]
fn conll2003() {
    let Some(data) = open(Format::Conll2003, "conll2003/valid.txt") else { return };
    let sentences: usize = data.documents.iter().map(|d| d.sentences.len()).sum();
    assert_eq!(sentences, 3_250);
}

#[test]
fn scierc_and_conll04() {
    if let Some(data) = open(Format::Dygie, "scierc/dev.json") {
        assert_eq!(data.documents.len(), 50);
    }
    if let Some(data) = open(Format::Conll04, "conll04/valid.json") {
        assert_eq!(data.documents.len(), 231);
    }
}

#[test]
fn other_columns() {
    for part in ["wnut17/emerging.dev.conll", "btc/a.conll", "wikigold/CONLL-format/data"] {
        open(Format::Conll2003, part);
    }
}

/// GUM's raw text can be rebuilt exactly: our tokens and sentences against its own.
#[test]
fn tokens_and_sentences_of_gum() {
    let Some(data) = open(Format::Gum, "gum/dev") else { return };
    let (mut tokens, mut sentences) = ([0_usize; 3], [0_usize; 3]);
    let add = |counts: &mut [usize; 3], gold: &[(usize, usize)], ours: &[(usize, usize)]| {
        let gold: std::collections::HashSet<_> = gold.iter().collect();
        counts[0] += gold.len();
        counts[1] += ours.len();
        counts[2] += ours.iter().filter(|o| gold.contains(o)).count();
    };
    for doc in &data.documents {
        let ours = hmtl::text::tokenize(&doc.text);
        let of_tokens =
            |d: &hmtl::Document| d.tokens.iter().map(|t| (t.start, t.end)).collect::<Vec<_>>();
        let of_sentences =
            |d: &hmtl::Document| d.sentences.iter().map(|s| (s.start, s.end)).collect::<Vec<_>>();
        add(&mut tokens, &of_tokens(doc), &of_tokens(&ours));
        add(&mut sentences, &of_sentences(doc), &of_sentences(&ours));
        if std::env::var_os("HMTL_SHOW").is_some() {
            let gold: std::collections::HashSet<_> = of_tokens(doc).into_iter().collect();
            for (start, end) in of_tokens(&ours).into_iter().filter(|t| !gold.contains(t)) {
                eprintln!("token {:?}", &doc.text[start..end]);
            }
        }
    }
    let f1 = |[gold, ours, both]: [usize; 3]| 2.0 * both as f64 / (gold + ours) as f64;
    eprintln!("GUM dev: token F1 {:.4}, sentence F1 {:.4}", f1(tokens), f1(sentences));
    assert!(f1(tokens) > 0.98 && f1(sentences) > 0.7);
}

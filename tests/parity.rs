//! The faithful configuration against outputs of the 2018 research code.
#![allow(clippy::print_stderr)] // the largest differences are worth reading

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hmtl::config::{CharsConfig, EncoderConfig, HeadConfig, ModelConfig};
use hmtl::feature::{Batch, Bioul, Example, TagPart, Vocab, Vocabularies};
use hmtl::head::{Head, SequenceInput};
use hmtl::model::{AnnotateOptions, Network};
use hmtl::params::Params;
use hmtl::{Cancel, Document, DocumentBuilder, Span};
use serde_json::Value;
use tch::{Device, Tensor};

const TOLERANCE: f64 = 1e-4;

/// The reference files and our network with the reference weights.
struct Reference {
    tensors: BTreeMap<String, Tensor>,
    json: Value,
    documents: Vec<Vec<Vec<String>>>,
    network: Network,
    /// For each reference tag of `ner` and `emd`, our tag.
    tags: BTreeMap<&'static str, Vec<usize>>,
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn safetensors(path: &Path) -> BTreeMap<String, Tensor> {
    Tensor::read_safetensors(path).unwrap().into_iter().collect()
}

/// `configs/hmtl_2018.json` without dropout: the reference losses are those of evaluation.
fn config() -> ModelConfig {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/hmtl_2018.json");
    let run: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut config = ModelConfig::from_json(&run["model"].to_string()).unwrap();
    if let Some(CharsConfig::Cnn { dropout, .. }) = &mut config.embedding.chars {
        *dropout = 0.0;
    }
    for encoder in config.encoders.values_mut() {
        let EncoderConfig::Lstm { dropout, .. } = encoder else { panic!("not of 2018") };
        *dropout = 0.0;
    }
    for task in config.tasks.values_mut() {
        (task.dropout, task.input_dropout) = (0.0, 0.0);
        if let HeadConfig::MentionRanking(ranking) = &mut task.head {
            ranking.feedforward_dropout = 0.0;
        }
    }
    config
}

/// Our name of a reference tensor.
fn rename(name: &str) -> String {
    let mut name = name.replace("._module", "");
    let table = [
        ("_text_field_embedder.token_embedder_tokens.weight", "embedding.words.weight"),
        ("_text_field_embedder.token_embedder_token_characters._embedding.", "embedding.chars."),
        (
            "_text_field_embedder.token_embedder_token_characters._encoder.conv_layer_",
            "embedding.chars.conv",
        ),
        ("_encoder_", "encoders."),
        (
            "_tagger_coref._endpoint_span_extractor._span_width_embedding.weight",
            "tasks.coref.width",
        ),
        ("_tagger_coref._attentive_span_extractor._global_attention.", "tasks.coref.attention."),
        ("_tagger_coref._mention_pruner._scorer.0._linear_layers.", "tasks.coref.mention.layer"),
        ("_tagger_coref._mention_pruner._scorer.1.", "tasks.coref.mention.output."),
        ("_tagger_coref._antecedent_feedforward._linear_layers.", "tasks.coref.antecedent.layer"),
        ("_tagger_coref._antecedent_scorer.", "tasks.coref.antecedent.output."),
        ("_tagger_coref._distance_embedding.weight", "tasks.coref.distance"),
        ("_tagger_relation._U", "tasks.relation.first"),
        ("_tagger_relation._W", "tasks.relation.second"),
        ("_tagger_relation._V", "tasks.relation.output"),
        ("_tagger_relation._b", "tasks.relation.bias"),
        (".crf.start_transitions", ".start"),
        (".crf.end_transitions", ".end"),
        (".crf.transitions", ".transitions"),
        (".tag_projection_layer.", ".projection."),
        ("_tagger_", "tasks."),
    ];
    for (theirs, ours) in table {
        name = name.replace(theirs, ours);
    }
    name
}

/// Labels in the order of their first tag, and for each reference tag our index of it.
fn tag_order(names: &[String]) -> (Vec<String>, Vec<usize>) {
    let mut labels: Vec<String> = Vec::new();
    for name in names {
        if let Some((_, label)) = name.split_once('-')
            && !labels.iter().any(|l| l == label)
        {
            labels.push(label.to_owned());
        }
    }
    let tags = Bioul::all(labels.len());
    assert_eq!(tags.len(), names.len(), "the reference has every tag of every label");
    let order = names.iter().map(|n| (0..tags.len()).find(|&t| tag_name(&tags, t, &labels) == *n));
    let order = order.map(Option::unwrap).collect();
    (labels, order)
}

fn tag_name(tags: &Bioul, tag: usize, labels: &[String]) -> String {
    let (part, label) = tags.tag(tag);
    let part = match part {
        TagPart::Outside => return "O".into(),
        TagPart::Begin => "B",
        TagPart::Inside => "I",
        TagPart::Last => "L",
        TagPart::Unit => "U",
    };
    format!("{part}-{}", labels[label])
}

fn load(dir: &Path) -> Reference {
    let vocabulary = |name: &str| lines(&dir.join("vocabulary").join(name));
    let mut vocab = Vocabularies {
        words: Vocab::new(vocabulary("tokens.txt").split_off(1)).unwrap(),
        chars: Vocab::new(vocabulary("token_characters.txt").split_off(1)).unwrap(),
        ..Vocabularies::default()
    };
    let mut tags = BTreeMap::new();
    let mut weights: BTreeMap<String, Tensor> = safetensors(&dir.join("weights.safetensors"))
        .into_iter()
        .map(|(n, t)| (rename(&n), t))
        .collect();
    for task in ["ner", "emd"] {
        let (labels, order) = tag_order(&vocabulary(&format!("{task}_labels.txt")));
        vocab.labels.insert(task.into(), labels);
        // Row `ours` of our tensors is row `theirs` of the reference's.
        let mut theirs = vec![0_i64; order.len()];
        for (reference, &ours) in order.iter().enumerate() {
            theirs[ours] = reference as i64;
        }
        let theirs = Tensor::from_slice(&theirs);
        for (name, tensor) in &mut weights {
            if name.starts_with(&format!("tasks.{task}.")) {
                *tensor = tensor.index_select(0, &theirs);
                if name.ends_with("transitions") {
                    *tensor = tensor.index_select(1, &theirs);
                }
            }
        }
        tags.insert(task, order);
    }
    vocab.labels.insert("relation".into(), vocabulary("relation_labels.txt"));
    let mut params = Params::loaded(weights, Device::Cpu);
    let network = Network::new(&config(), &vocab, &mut params).unwrap();
    params.check_all_used().unwrap();
    Reference {
        tensors: safetensors(&dir.join("expected.safetensors")),
        json: serde_json::from_str(&fs::read_to_string(dir.join("expected.json")).unwrap())
            .unwrap(),
        documents: serde_json::from_str(&fs::read_to_string(dir.join("documents.json")).unwrap())
            .unwrap(),
        network,
        tags,
    }
}

impl Reference {
    fn tensor(&self, case: &str, name: &str) -> &Tensor {
        &self.tensors[&format!("{case}.{name}")]
    }

    /// The largest difference from a reference tensor (B, L, ...), at tokens.
    fn check(&self, case: &str, name: &str, ours: &Tensor, batch: &Batch) {
        let theirs = self.tensor(case, name);
        let mut worst = 0_f64;
        for (b, &length) in batch.padding.lengths.iter().enumerate() {
            let row = |t: &Tensor| {
                let mut row = t.get(b as i64).narrow(0, 0, length as i64);
                if name == "relation_probabilities" {
                    row = row.narrow(1, 0, length as i64);
                }
                row
            };
            let difference = (row(ours) - row(theirs)).abs().max();
            worst = worst.max(f64::try_from(difference).unwrap());
        }
        eprintln!("{case} {name}: {worst:.1e}");
        assert!(worst < TOLERANCE, "{case} {name}: {worst}");
    }

    /// All that stands below coreference, for one batch of sequences.
    fn check_sequences(&self, case: &str, sequences: &[Vec<String>]) {
        let network = &self.network;
        let batch = network.batch(sequences).unwrap();
        assert_eq!(&batch.words, self.tensor(case, "token_ids"));
        self.check(case, "embedding", &network.graph().embed(&batch).unwrap(), &batch);
        let encodings = network.encode(&batch, &["ner", "emd", "relation", "coref"]).unwrap();
        let prediction = self.prediction(case);
        for task in ["ner", "emd", "relation", "coref"] {
            let encoded = &encodings[task].encoded;
            self.check(case, &format!("encoded_{task}"), encoded, &batch);
            let x = SequenceInput::new(&batch, encoded.shallow_clone());
            match network.head(task).unwrap() {
                Head::CrfTagger(head) => {
                    let order: Vec<i64> = self.tags[task].iter().map(|&t| t as i64).collect();
                    let logits =
                        head.logits(&x).unwrap().index_select(2, &Tensor::from_slice(&order));
                    self.check(case, &format!("{task}_logits"), &logits, &batch);
                    let labels = network.vocab().labels(task);
                    let found = head.decode(&x).unwrap();
                    for ((spans, &length), gold) in found
                        .iter()
                        .zip(&batch.padding.lengths)
                        .zip(prediction[task].as_array().unwrap())
                    {
                        let tags = Bioul::all(labels.len());
                        let spans: Vec<_> = spans.iter().map(|s| (s.span, s.label)).collect();
                        let names: Vec<String> = tags
                            .encode(length, &spans)
                            .into_iter()
                            .map(|t| tag_name(&tags, t, labels))
                            .collect();
                        assert_eq!(serde_json::json!(names), *gold, "{case} {task}");
                    }
                }
                Head::HeadSelection(head) => {
                    let ours = head.probabilities(&x).unwrap();
                    self.check(case, "relation_probabilities", &ours, &batch);
                    let labels = network.vocab().labels(task);
                    for (found, gold) in head
                        .decode(&x)
                        .unwrap()
                        .iter()
                        .zip(prediction["relations"].as_array().unwrap())
                    {
                        let found: Vec<Value> = found
                            .iter()
                            .map(|r| serde_json::json!([r.head, r.tail, labels[r.label]]))
                            .collect();
                        assert_eq!(found.len(), gold.as_array().unwrap().len());
                        assert!(gold.as_array().unwrap().iter().all(|r| found.contains(r)));
                    }
                }
                _ => {}
            }
        }
    }

    fn prediction(&self, case: &str) -> &Value {
        let all = self.json["predictions"].as_array().unwrap();
        all.iter().find(|p| p["name"] == case).unwrap()
    }

    /// Kept spans, antecedent scores and clusters of a document given as one sequence.
    fn check_coreference(&self, case: &str, words: &[String]) {
        let doc = Document::from_sentences(&[words.to_vec()]);
        let batch = self.network.batch(&[words.to_vec()]).unwrap();
        let encodings = self.network.encode(&batch, &["coref"]).unwrap();
        let own = &encodings["coref"];
        let head = self.network.head("coref").unwrap();
        let x = hmtl::head::DocumentInput {
            rows: head.token_rows(&own.encoded, &own.inputs, false).unwrap().get(0),
            sentences: std::iter::once(0..words.len()).collect(),
            documents: std::iter::once(0..words.len()).collect(),
            keys: vec![0; words.len()],
            capitals: vec![false; words.len()],
        };
        let Head::MentionRanking(head) = head else { panic!("coref") };
        let kept = head.score(&x, false).unwrap().unwrap();
        let ours: Vec<i64> =
            kept.spans.iter().flat_map(|s| [s.first as i64, s.last as i64 - 1]).collect();
        assert_eq!(
            ours,
            Vec::<i64>::try_from(self.tensor(case, "top_spans").reshape([-1])).unwrap()
        );
        let theirs = self.tensor(case, "antecedent_scores").get(0);
        let possible = theirs.gt(-1e20);
        let difference =
            (&kept.scores - &theirs).masked_fill(&possible.logical_not(), 0.0).abs().max();
        let difference = f64::try_from(difference).unwrap();
        eprintln!("{case} antecedent_scores: {difference:.1e}");
        assert!(difference < TOLERANCE);
        let predicted = Vec::<i64>::try_from(kept.scores.argmax(1, false) - 1).unwrap();
        let theirs = self.tensor(case, "predicted_antecedents").reshape([-1]);
        assert_eq!(predicted, Vec::<i64>::try_from(theirs).unwrap(), "{case} antecedents");
        let options = AnnotateOptions { tasks: Some(vec!["coref".into()]), ..Default::default() };
        let annotated = self.network.annotate(&[doc], &options, &Cancel::new()).unwrap();
        let clusters: Vec<Vec<[usize; 2]>> = annotated[0]
            .cluster_spans()
            .iter()
            .map(|c| c.iter().map(|s| [s.first, s.last - 1]).collect())
            .collect();
        assert_eq!(
            serde_json::json!(clusters),
            self.prediction(case)["clusters"],
            "{case} clusters"
        );
    }
}

fn reference() -> Option<Reference> {
    common::one_thread();
    common::shared("hmtl_reference").map(|dir| load(&dir))
}

#[test]
fn single_documents_equal_the_research_code() {
    let Some(reference) = reference() else { return };
    for (i, sentences) in reference.documents.iter().enumerate() {
        let case = format!("document{i}");
        let words = sentences.concat();
        reference.check_sequences(&case, std::slice::from_ref(&words));
        reference.check_coreference(&case, &words);
    }
}

#[test]
fn a_padded_batch_equals_the_research_code() {
    let Some(reference) = reference() else { return };
    reference.check_sequences("sentences", &reference.documents.concat());
}

#[test]
fn losses_equal_the_research_code() {
    let Some(reference) = reference() else { return };
    let losses = &reference.json["losses"];
    let check = |task: &str, docs: &[Document]| {
        let examples: Vec<Example> = docs.iter().map(Example::whole).collect();
        let ours = f64::try_from(reference.network.loss(task, &examples).unwrap()).unwrap();
        let theirs = losses[task]["loss"].as_f64().unwrap();
        eprintln!("{task} loss: {ours} against {theirs}");
        assert!((ours - theirs).abs() < TOLERANCE * theirs.max(1.0));
    };
    let sentences = |task: &str| -> Vec<Vec<String>> {
        serde_json::from_value(losses[task]["sentences"].clone()).unwrap()
    };
    let span = |v: &Value, last: u64| {
        Span::new(
            v[0].as_u64().unwrap() as usize,
            (v[last as usize].as_u64().unwrap() + 1) as usize,
        )
    };
    let docs: Vec<Document> = sentences("ner")
        .into_iter()
        .zip(losses["ner"]["tags"].as_array().unwrap())
        .map(|(words, tags)| {
            let mut build = DocumentBuilder::new(Document::from_sentences(&[words]));
            let mut first = 0;
            for (at, tag) in tags.as_array().unwrap().iter().enumerate() {
                let (part, label) = tag.as_str().unwrap().split_once('-').unwrap_or(("O", ""));
                if matches!(part, "B" | "U") {
                    first = at;
                }
                if matches!(part, "L" | "U") {
                    build.label(Span::new(first, at + 1), "ner", label, None);
                }
            }
            build.finish()
        })
        .collect();
    check("ner", &docs);
    let docs: Vec<Document> = sentences("relation")
        .into_iter()
        .zip(losses["relation"]["relations"].as_array().unwrap())
        .map(|(words, relations)| {
            let mut build = DocumentBuilder::new(Document::from_sentences(&[words]));
            for r in relations.as_array().unwrap() {
                let token = |at: usize| span(&serde_json::json!([r[at], r[at]]), 1);
                build.relation("relation", r[2].as_str().unwrap(), token(0), token(1), None);
            }
            build.finish()
        })
        .collect();
    check("relation", &docs);
    let words: Vec<String> = serde_json::from_value(losses["coref"]["tokens"].clone()).unwrap();
    let mut build = DocumentBuilder::new(Document::from_sentences(&[words]));
    for cluster in losses["coref"]["clusters"].as_array().unwrap() {
        build.cluster(cluster.as_array().unwrap().iter().map(|s| span(s, 1)).collect());
    }
    check("coref", &[build.finish()]);
}

#[test]
fn tiny_and_empty_documents_work() {
    let Some(reference) = reference() else { return };
    for words in [&[][..], &["Rain"], &["a", "b"], &["I", "saw", "it"]] {
        let doc = Document::from_sentences(&[words.to_vec()]);
        let annotated = reference
            .network
            .annotate(&[doc], &AnnotateOptions::default(), &Cancel::new())
            .unwrap();
        assert_eq!(annotated[0].tokens.len(), words.len());
    }
}

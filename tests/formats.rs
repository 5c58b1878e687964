//! Every reader on a small file of its format, and on what is wrong with it.

use std::fs;
use std::path::PathBuf;

use hmtl::data::{Dataset, Format, ReadOptions, write};
use hmtl::text::to_unit;
use hmtl::{Document, OffsetUnit};
use tempfile::TempDir;

/// Files in a folder of their own.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            let path = folder.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn read(format: Format, name: &str, content: &str) -> hmtl::Result<Dataset> {
    let folder = Folder::new(&[(name, content)]);
    Dataset::open(format, &folder.path(name), &ReadOptions::default())
}

fn skipping(format: Format, name: &str, content: &str) -> Dataset {
    let folder = Folder::new(&[(name, content)]);
    let options = ReadOptions { skip_invalid: true, ..Default::default() };
    Dataset::open(format, &folder.path(name), &options).unwrap()
}

/// The labelled spans of a layer, as "text/label".
fn labels(doc: &Document, layer: &str) -> Vec<String> {
    let spans = doc.mentions.iter().filter(|m| m.labels.contains_key(layer));
    spans.map(|m| format!("{}/{}", m.text, m.labels[layer].label)).collect()
}

fn clusters(doc: &Document) -> Vec<Vec<&str>> {
    let texts =
        |c: &hmtl::Cluster| c.mentions.iter().map(|&m| doc.mentions[m].text.as_str()).collect();
    doc.clusters.iter().map(texts).collect()
}

fn relations(doc: &Document) -> Vec<String> {
    let text = |m: usize| &doc.mentions[m].text;
    doc.relations.iter().map(|r| format!("{} {} {}", text(r.head), r.label, text(r.tail))).collect()
}

/// The error of a strict reading, and what a lenient one says it left out.
fn is_refused(format: Format, name: &str, content: &str, line: usize, part: &str) {
    let error = read(format, name, content).unwrap_err().to_string();
    assert!(error.contains(&format!("{name}:{line}: ")) && error.contains(part), "{error}");
    assert!(!error.contains('\n'), "{error}");
    let skipped = skipping(format, name, content).skipped;
    assert!(skipped.iter().any(|s| s.line == line && s.message.contains(part)), "{skipped:?}");
}

const CONLL2003: &str = "-DOCSTART- -X- -X- O\n\nMaria NNP I-NP B-PER\nKeller NNP I-NP I-PER\nleft VBD I-VP O\nOslo NNP I-NP B-LOC\n. . O O\n\nBye UH O O\n";

#[test]
fn conll2003() {
    let data = read(Format::Conll2003, "a.txt", CONLL2003).unwrap();
    let doc = &data.documents[0];
    assert_eq!((data.documents.len(), doc.sentences.len()), (1, 2));
    assert_eq!(labels(doc, "ner"), ["Maria Keller/PER", "Oslo/LOC"]);
    assert_eq!(doc.tasks, ["ner"]);
    is_refused(Format::Conll2003, "a.txt", "a O\nb X-PER\nc O\n", 2, "`X-PER` is not a tag");
    let error = read(Format::Conll2003, "a.txt", "no tags here\n").unwrap_err();
    assert!(error.to_string().contains("no column holds tags"));
}

#[test]
fn byte_order_mark_crlf_and_a_missing_last_newline_do_not_matter() {
    let crlf = format!("\u{feff}{}", CONLL2003.trim_end().replace('\n', "\r\n"));
    let plain = read(Format::Conll2003, "a.txt", CONLL2003).unwrap();
    assert_eq!(read(Format::Conll2003, "a.txt", &crlf).unwrap().documents, plain.documents);
}

#[test]
fn an_empty_file_has_no_documents() {
    for format in Format::ALL {
        if format != Format::Brat {
            let data = read(format, "empty.jsonl", "").unwrap();
            assert!(data.documents.is_empty(), "{format}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_line() {
    let folder = Folder::new(&[]);
    fs::write(folder.path("a.txt"), b"a O\nb O\n\xff O\n").unwrap();
    let error = Dataset::open(Format::Conll2003, &folder.path("a.txt"), &ReadOptions::default());
    assert!(error.unwrap_err().to_string().ends_with("a.txt:3: is not valid UTF-8"));
}

#[test]
fn a_folder_is_read_in_name_order_and_one_without_files_is_refused() {
    let folder = Folder::new(&[("b.conllu", GUM), ("a.conllu", GUM), ("notes.md", "x")]);
    let data = Dataset::open(Format::Gum, folder.0.path(), &ReadOptions::default()).unwrap();
    assert_eq!(data.documents.len(), 2);
    let error = Dataset::open(Format::Docred, folder.0.path(), &ReadOptions::default());
    assert!(error.unwrap_err().to_string().contains("no file named *.json"));
    let error = Dataset::open(Format::Docred, &folder.path("none"), &ReadOptions::default());
    assert!(error.unwrap_err().to_string().contains("none"));
}

const CONLL2012: &str = "#begin document (x/a); part 001\n\
x/a 1 0 Maria NNP * - - - - (PERSON* (0\n\
x/a 1 1 Keller NNP * - - - - *) 0)\n\
x/a 1 2 left VBD * - - - - * -\n\
\n\
x/a 1 0 She PRP * - - - - * (0)|(1\n\
x/a 1 1 too RB * - - - - * 1)\n\
#end document\n";

#[test]
fn conll2012_names_and_coreference() {
    let data = read(Format::Conll2012, "a.conll", CONLL2012).unwrap();
    let doc = &data.documents[0];
    assert_eq!(doc.id.as_deref(), Some("x/a-001"));
    assert_eq!(labels(doc, "ner"), ["Maria Keller/PERSON"]);
    assert_eq!(clusters(doc), [vec!["Maria Keller", "She"], vec!["She too"]]);
    let open = CONLL2012.replace("* 1)\n", "* -\n");
    is_refused(Format::Conll2012, "a.conll", &open, 6, "cluster 1 is opened but never closed");
    let closed = CONLL2012.replace("* 1)\n", "* 7)\n");
    is_refused(Format::Conll2012, "a.conll", &closed, 7, "cluster 7 is closed but not open");
}

#[test]
fn conll2012_with_three_columns_and_no_blank_lines() {
    let text = "# begin document a\n0\tShe\t(1)\n1\tleft\t_\n2\t.\t_\n3\tMaria\t(1\n4\tK.\t1)\n5\tsaw\t(2(1)\n6\thim\t2)\n";
    let data = read(Format::Conll2012, "a.conll", text).unwrap();
    assert_eq!(data.documents[0].sentences.len(), 2);
    assert_eq!(clusters(&data.documents[0]), [vec!["She", "Maria K.", "saw"], vec!["saw him"]]);
}

const DOCRED: &str = r#"[{"title":"Ada","sents":[["Ada","was","born","in","London","."],["She","left","London","."]],
"vertexSet":[[{"name":"Ada","pos":[0,1],"sent_id":0,"type":"PER"}],
[{"name":"London","pos":[4,5],"sent_id":0,"type":"LOC"},{"name":"London","pos":[2,3],"sent_id":1,"type":"LOC"}]],
"labels":[{"r":"P19","h":0,"t":1,"evidence":[0]},{"r":"P99999","h":0,"t":1,"evidence":[]}]}]"#;

#[test]
fn docred_facts_stand_on_the_closest_mentions_under_readable_names() {
    let data = read(Format::Docred, "a.json", DOCRED).unwrap();
    let doc = &data.documents[0];
    assert_eq!(labels(doc, "ner"), ["Ada/PER", "London/LOC", "London/LOC"]);
    assert_eq!(clusters(doc), [vec!["Ada"], vec!["London", "London"]]);
    assert_eq!(relations(doc), ["Ada P99999 London", "Ada place_of_birth London"]);
    assert_eq!(doc.relations[0].tail, 1);
    assert_eq!(doc.tasks, ["ner", "coref", "relation"]);
    let outside = DOCRED.replace("[2,3]", "[2,9]");
    is_refused(Format::Docred, "a.json", &outside, 0, "2..9 of sentence 1 is outside the text");
    let broken = read(Format::Docred, "a.json", &DOCRED[..200]).unwrap_err().to_string();
    assert!(broken.contains("a.json:3: "), "{broken}");
}

#[test]
fn docred_without_facts_has_no_relation_layer() {
    let without = DOCRED.split(",\n\"labels\"").next().unwrap().to_owned() + "}]";
    let data = read(Format::Docred, "a.json", &without).unwrap();
    assert_eq!(data.documents[0].tasks, ["ner", "coref"]);
}

const DYGIE: &str = r#"{"doc_key":"d","sentences":[["We","use","a","parser","."],["It","works","."]],"ner":[[[3,3,"Method"]],[[5,5,"Generic"]]],"relations":[[],[]],"clusters":[[[2,3],[5,5]]]}"#;

#[test]
fn dygie_positions_are_inclusive_and_of_the_document() {
    let data = read(Format::Dygie, "a.jsonl", DYGIE).unwrap();
    let doc = &data.documents[0];
    assert_eq!(labels(doc, "emd"), ["parser/Method", "It/Generic"]);
    assert_eq!(clusters(doc), [vec!["a parser", "It"]]);
    let crossing = DYGIE.replace("[3,3,", "[3,5,");
    is_refused(Format::Dygie, "a.jsonl", &crossing, 1, "span 3..=5 is not inside a sentence");
}

#[test]
fn conll04_in_both_layouts() {
    let arrays = r#"[{"tokens":["Ada","works","for","Acme"],"entities":[[0,1,"Peop"],[3,4,"Org"]],"relations":[[0,1,3,4,"Work_For"]]}]"#;
    let objects = r#"[{"tokens":["Ada","works","for","Acme"],"entities":[{"type":"Peop","start":0,"end":1},{"type":"Org","start":3,"end":4}],"relations":[{"type":"Work_For","head":0,"tail":1}]}]"#;
    for text in [arrays, objects] {
        let data = read(Format::Conll04, "a.json", text).unwrap();
        assert_eq!(labels(&data.documents[0], "emd"), ["Ada/Peop", "Acme/Org"]);
        assert_eq!(relations(&data.documents[0]), ["Ada Work_For Acme"]);
    }
    is_refused(
        Format::Conll04,
        "a.json",
        &arrays.replace("[3,4,\"Org\"]", "[3,9,\"Org\"]"),
        0,
        "is not a mention",
    );
}

const GUM: &str = "# newdoc id = GUM_news_x\n# global.Entity = GRP-etype-infstat-identity\n# newpar\n\
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n\
1\tDo\t_\t_\t_\t_\t_\t_\t_\t_\n\
2\tn't\t_\t_\t_\t_\t_\t_\t_\t_\n\
3\tsee\t_\t_\t_\t_\t_\t_\t_\t_\n\
4\tAda\t_\t_\t_\t_\t_\t_\t_\tEntity=(1-person-new-Ada(2-person-new)\n\
5\tBell\t_\t_\t_\t_\t_\t_\t_\tEntity=1)|SpaceAfter=No\n\
6\t.\t_\t_\t_\t_\t_\t_\t_\t_\n\
\n\
# newpar\n1\tShe\t_\t_\t_\t_\t_\t_\t_\tEntity=(1-person-giv)\n";

#[test]
fn gum_nested_mentions_singletons_and_exact_text() {
    let data = read(Format::Gum, "a.conllu", GUM).unwrap();
    let doc = &data.documents[0];
    assert_eq!(doc.text, "Don't see Ada Bell.\nShe");
    assert_eq!(labels(doc, "emd"), ["Ada Bell/person", "Ada/person", "She/person"]);
    assert_eq!(clusters(doc), [vec!["Ada Bell", "She"], vec!["Ada"]]);
    is_refused(
        Format::Gum,
        "a.conllu",
        &GUM.replace("Entity=1)", "Entity=3)"),
        9,
        "entity 3 is closed but not open",
    );
    let columns = GUM.replace("3\tsee\t_\t_", "3\tsee\t_");
    is_refused(Format::Gum, "a.conllu", &columns, 7, "has 9 columns");
}

const TALK: &str = "# newdoc id = GUM_conversation_x\n# global.Entity = GRP-etype-infstat-identity\n\
# speaker = AnnaBerg\n\
1\tI\t_\tPRON\t_\t_\t2\t_\t_\tEntity=(1-person-new)\n\
2\tleft\t_\tVERB\t_\t_\t0\t_\t_\t_\n\
3\tthe\t_\tDET\t_\t_\t5\t_\t_\tEntity=(2-organization-new\n\
4\tUnited\t_\tADJ\t_\t_\t5\t_\t_\t_\n\
5\tNations\t_\tPROPN\t_\t_\t2\t_\t_\t_\n\
6\tof\t_\tADP\t_\t_\t7\t_\t_\t_\n\
7\tOslo\t_\tPROPN\t_\t_\t5\t_\t_\tEntity=(3-place-new)2)|SpaceAfter=No\n\
8\t.\t_\tPUNCT\t_\t_\t2\t_\t_\t_\n\
\n\
# speaker = Ben\n\
1\tA\t_\tDET\t_\t_\t3\t_\t_\tEntity=(4-person-new\n\
2\tDanish\t_\tADJ\t_\t_\t3\t_\t_\t_\n\
3\tfriend\t_\tNOUN\t_\t_\t0\t_\t_\tEntity=4)\n\
\n\
# speaker = Ben\n\
1\tMay\t_\tPROPN\t_\t_\t0\t_\t_\tEntity=(5-time-new)\n";

#[test]
fn gum_names_come_from_proper_nouns() {
    let folder = Folder::new(&[("a.conllu", TALK)]);
    let options = ReadOptions { names: true, ..Default::default() };
    let data = Dataset::open(Format::Gum, &folder.path("a.conllu"), &options).unwrap();
    let doc = &data.documents[0];
    assert_eq!(labels(doc, "ner"), ["United Nations of Oslo/ORG", "Danish/NAME", "May/NAME"]);
    assert!(doc.covers("ner", "PER") && !doc.covers("ner", "TIME") && doc.covers("emd", "time"));
}

#[test]
fn gum_speakers_are_written_before_their_turns() {
    let folder = Folder::new(&[("a.conllu", TALK)]);
    let options = ReadOptions { names: true, speakers: true, ..Default::default() };
    let data = Dataset::open(Format::Gum, &folder.path("a.conllu"), &options).unwrap();
    let doc = &data.documents[0];
    assert_eq!(doc.text, "ANNA BERG: I left the United Nations of Oslo.\nBEN: A Danish friend May");
    assert_eq!(doc.sentences.len(), 3);
    let names = ["ANNA BERG/PER", "United Nations of Oslo/ORG", "BEN/PER", "Danish/NAME"];
    assert_eq!(labels(doc, "ner")[..4], names);
    assert_eq!(clusters(doc)[0], ["ANNA BERG", "I"]);
    assert!(clusters(doc).contains(&vec!["BEN"]));
}

const KNOWLEDGENET: &str = r#"{"doc":"7","start":3,"text":"Zoë Hall, Bo's child, runs Acme.","properties":["CEO","CHILD_OF"],"facts":[{"property":"CEO","subj":[27,31],"obj":[0,8],"subj_uri":"a","obj_uri":null},{"property":"CHILD_OF","subj":[0,8],"obj":[10,12],"subj_uri":null,"obj_uri":null}]}"#;

#[test]
fn knowledgenet_covers_the_properties_of_a_passage() {
    let data = read(Format::Knowledgenet, "a.jsonl", KNOWLEDGENET).unwrap();
    let doc = &data.documents[0];
    assert_eq!(relations(doc), ["Bo child Zoë Hall", "Acme chief_executive_officer Zoë Hall"]);
    assert_eq!(labels(doc, "emd"), ["Zoë Hall/PER", "Bo/PER", "Acme/ORG"]);
    assert!(doc.covers("relation", "child") && !doc.covers("relation", "spouse"));
    assert!(!doc.covers("emd", "PER"));
    assert_eq!(doc.id.as_deref(), Some("7:3"));
    let folded = KNOWLEDGENET.replacen('{', r#"{"fold":4,"#, 1);
    let data = read(Format::Knowledgenet, "a.jsonl", &folded).unwrap();
    assert_eq!(data.documents[0].id.as_deref(), Some("fold4/7:3"));
    let outside = KNOWLEDGENET.replace("[10,12]", "[10,99]");
    is_refused(Format::Knowledgenet, "a.jsonl", &outside, 1, "CHILD_OF does not join");
    let unknown = KNOWLEDGENET.replace("CEO", "PET_OF");
    is_refused(Format::Knowledgenet, "a.jsonl", &unknown, 1, "unknown property `PET_OF`");
    is_refused(Format::Knowledgenet, "a.jsonl", "{}", 1, "");
}

#[test]
fn gum_documents_of_underscores_are_left_out_and_listed() {
    let text = "# newdoc id = GUM_reddit_x\n1\t___\t_\t_\t_\t_\t_\t_\t_\t_\n";
    let data = read(Format::Gum, "a.conllu", text).unwrap();
    assert!(data.documents.is_empty());
    assert!(data.skipped[0].message.contains("GUM_reddit_x has underscores for words"));
}

#[test]
fn litbank_joins_mentions_and_coreference() {
    let tsv =
        "Sir\tB-PER\tB-PER\tO\tO\nWalter\tO\tI-PER\tO\tO\nleft\tO\tO\tO\tO\n\nHe\tO\tO\tO\tO\n";
    let row = |n: usize, word: &str, coref: &str| {
        format!("b\t0\t{n}\t{word}\t_\t_\t_\t_\t_\t_\t_\t_\t{coref}\n")
    };
    let coref = format!(
        "#begin document (b); part 0\n{}{}{}\n{}#end document\n",
        row(0, "Sir", "(4"),
        row(1, "Walter", "4)"),
        row(2, "left", ""),
        row(0, "He", "(4)")
    );
    let folder = Folder::new(&[("entities/b.tsv", tsv), ("coref/b.conll", &coref)]);
    let data = Dataset::open(Format::Litbank, folder.0.path(), &ReadOptions::default()).unwrap();
    let doc = &data.documents[0];
    assert_eq!(labels(doc, "emd"), ["Sir Walter/PER", "Sir/PER"]);
    assert_eq!(clusters(doc), [vec!["Sir Walter", "He"]]);
    fs::write(folder.path("coref/b.conll"), coref.replace("Walter", "Elliot")).unwrap();
    let error = Dataset::open(Format::Litbank, folder.0.path(), &ReadOptions::default());
    assert!(error.unwrap_err().to_string().contains("is not over the tokens"));
}

#[test]
fn brat_counts_characters_and_splits_tokens_at_mentions() {
    let ann = "T1\tPER 0 5\tZoë K\nT2\tORG 15 20\tAcme-\nR1\tworks_for Arg1:T1 Arg2:T2\t\n#1\tNote T1\tx\n";
    let folder = Folder::new(&[("a.txt", "Zoë K works at Acme-Soft."), ("a.ann", ann)]);
    let data = Dataset::open(Format::Brat, &folder.path("a.ann"), &ReadOptions::default()).unwrap();
    assert_eq!(labels(&data.documents[0], "emd"), ["Zoë K/PER", "Acme-/ORG"]);
    assert_eq!(relations(&data.documents[0]), ["Zoë K works_for Acme-"]);
    assert_eq!(data.skipped.len(), 1);
    for (bad, message) in
        [("T1\tPER 0 99\tx\n", "outside the text"), ("T1\tPER 0 2;4 5\tx\n", "discontinuous")]
    {
        fs::write(folder.path("a.ann"), bad).unwrap();
        let error = Dataset::open(Format::Brat, &folder.path("a.ann"), &ReadOptions::default());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("a.ann:1: ") && error.contains(message), "{error}");
    }
}

#[test]
fn brat_equivalences_and_coreference_relations_are_clusters() {
    let text = "Ada met Bo. She and he left.";
    let ann = "T1\tPER 0 3\tAda\nT2\tPER 8 10\tBo\nT3\tPER 12 15\tShe\nT4\tPER 20 22\the\n\
               T5\tPER 12 22\tShe and he\n*\tEquiv T1 T3\nR1\tCoref Arg1:T4 Arg2:T2\n";
    let folder = Folder::new(&[("a.txt", text), ("a.ann", ann)]);
    let data = Dataset::open(Format::Brat, &folder.path("a.ann"), &ReadOptions::default()).unwrap();
    assert_eq!(clusters(&data.documents[0]), [vec!["Ada", "She"], vec!["Bo", "he"]]);
    assert_eq!(relations(&data.documents[0]), Vec::<String>::new());
    fs::write(folder.path("a.ann"), ann.replace("T1 T3", "T1 T9")).unwrap();
    let error = Dataset::open(Format::Brat, &folder.path("a.ann"), &ReadOptions::default());
    assert!(error.unwrap_err().to_string().contains("a.ann:6: "));
}

#[test]
fn json_lines_come_back_as_they_were_in_every_unit() {
    let docs = read(Format::Gum, "a.conllu", &GUM.replace("Ada", "Zoë🙂")).unwrap().documents;
    for unit in [OffsetUnit::Byte, OffsetUnit::Char, OffsetUnit::Utf16] {
        let docs: Vec<Document> = docs.iter().map(|d| to_unit(d, unit)).collect();
        let folder = Folder::new(&[]);
        write(Format::Jsonl, &docs, &folder.path("a.jsonl")).unwrap();
        let data = Dataset::open(Format::Jsonl, &folder.path("a.jsonl"), &ReadOptions::default());
        assert_eq!(
            data.unwrap().documents,
            [read(Format::Gum, "a.conllu", &GUM.replace("Ada", "Zoë🙂")).unwrap().documents[0]
                .clone()]
        );
    }
}

#[test]
fn json_lines_that_contradict_themselves_are_refused() {
    let doc = &read(Format::Gum, "a.conllu", GUM).unwrap().documents[0];
    let good = serde_json::to_string(doc).unwrap();
    let cases = [
        (r#""format":1"#, r#""format":9"#, "format 9 is newer"),
        (r#""start":0,"end":2"#, r#""start":0,"end":999"#, "position 999"),
        (
            r#""mentions":[0,2]"#,
            r#""mentions":[0,77]"#,
            "cluster 0 has a mention that does not exist",
        ),
        (r#""text":"Ada Bell""#, r#""text":"Eve Bell""#, "has a text of its own"),
        (r#""offsets""#, r#""offset""#, "unknown field `offset`"),
    ];
    for (old, new, message) in cases {
        assert!(good.contains(old), "{old} in {good}");
        let bad = format!("{good}\n{}\n", good.replacen(old, new, 1));
        is_refused(Format::Jsonl, "a.jsonl", &bad, 2, message);
        assert_eq!(skipping(Format::Jsonl, "a.jsonl", &bad).documents.len(), 1);
    }
}

#[test]
fn what_is_written_reads_back() {
    let folder = Folder::new(&[]);
    let docs = read(Format::Conll2003, "a.txt", CONLL2003).unwrap().documents;
    write(Format::Conll2003, &docs, &folder.path("b.txt")).unwrap();
    let back =
        Dataset::open(Format::Conll2003, &folder.path("b.txt"), &ReadOptions::default()).unwrap();
    assert_eq!(labels(&back.documents[0], "ner"), labels(&docs[0], "ner"));
    let docs = read(Format::Conll2012, "a.conll", CONLL2012).unwrap().documents;
    write(Format::Conll2012, &docs, &folder.path("b.conll")).unwrap();
    let back =
        Dataset::open(Format::Conll2012, &folder.path("b.conll"), &ReadOptions::default()).unwrap();
    assert_eq!(clusters(&back.documents[0]), clusters(&docs[0]));
    assert_eq!(labels(&back.documents[0], "ner"), labels(&docs[0], "ner"));
    let docs = read(Format::Gum, "a.conllu", GUM).unwrap().documents;
    write(Format::Brat, &docs, &folder.path("brat")).unwrap();
    let back = Dataset::open(Format::Brat, &folder.path("brat"), &ReadOptions::default()).unwrap();
    assert_eq!(labels(&back.documents[0], "emd"), labels(&docs[0], "emd"));
    assert_eq!(clusters(&back.documents[0]), clusters(&docs[0]));
    let error = write(Format::Conll2003, &docs, &folder.path("c.txt")).unwrap_err().to_string();
    assert!(error.contains("cannot hold the nested mentions"), "{error}");
    let error = write(Format::Docred, &docs, &folder.path("c.json")).unwrap_err().to_string();
    assert!(error.contains("can be read but not written"), "{error}");
}

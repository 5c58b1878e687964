"""Formats of others."""

import tempfile
import unittest
from pathlib import Path

import hmtl
from hmtl import DocumentBuilder, formats
from support import EMOJI, TEXT, model, sentence


def story():
    """Two sentences with nested mentions, relations and crossing layers."""
    build = DocumentBuilder.from_sentences(
        [["The", "mayor", "of", "São", "Paulo", "met", "José", "😀"], ["He", "lives", "there"]], "story"
    )
    build.label((0, 5), "emd", "person", 0.5)
    build.label((3, 5), "emd", "place", 0.75)
    build.label((3, 5), "ner", "LOC", 0.25)
    build.label((6, 7), "ner", "PER", 1.0)
    build.relation("relation", "residence", (6, 7), (3, 5), 0.125)
    build.relation("family", "knows", (0, 5), (6, 7))
    build.layer("coref")
    build.cluster([(6, 7), (8, 9)])
    build.cluster([(3, 5), (10, 11)])
    return build.build()


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "out"

    def same(self, one, other, *fields):
        for field in fields:
            self.assertEqual(getattr(one, field), getattr(other, field), field)

    def test_conll2012_keeps_names_and_coreference(self):
        build = DocumentBuilder.from_sentences([["the", "man", "in", "the", "house", "left"], ["He", "did"]])
        build.label((3, 5), "ner", "LOC")
        build.label((6, 7), "ner", "PER")
        build.layer("coref")
        build.cluster([(0, 5), (6, 7)])
        build.cluster([(0, 2), (3, 5)])
        doc = build.build()
        self.assertEqual(formats.write_conll2012([doc, story()], self.path), 0)
        read, other = formats.read_conll2012(self.path)
        self.same(read, doc, "text", "tokens", "sentences", "mentions", "clusters", "tasks")
        self.assertEqual([m.text for m, _ in other.labelled("ner")], ["São Paulo", "José"])
        self.assertEqual(len(other.clusters), 2)

    def test_conll2012_has_no_place_for_nested_names(self):
        build = DocumentBuilder.from_sentences([["University", "of", "New", "York"]])
        build.label((0, 4), "ner", "ORG")
        build.label((2, 4), "ner", "LOC")
        build.label((3, 4), "ner", "LOC")
        doc = build.build()
        self.assertEqual(formats.write_conll2012([doc, doc], self.path), 4)
        names = [[label.label for _, label in d.labelled("ner")] for d in formats.read_conll2012(self.path)]
        self.assertEqual(names, [["ORG"], ["ORG"]])
        with self.assertRaisesRegex(hmtl.DataError, "'New York' of document None is nested"):
            formats.write_conll2012([doc], self.path, nested="error")
        with self.assertRaises(hmtl.InvalidArgumentError):
            formats.write_conll2012([doc], self.path, nested="keep")

    def test_brat_keeps_a_layer_relations_and_coreference(self):
        doc = story()
        formats.write_brat([doc], self.path, layer="emd")
        (read,) = formats.read_brat(self.path)
        self.same(read, doc, "id", "text", "tokens", "clusters")
        self.assertEqual(
            [(m.text, {t: label.label for t, label in m.labels.items()}) for m in read.mentions],
            [
                ("The mayor of São Paulo", {"emd": "person"}),
                ("São Paulo", {"emd": "place"}),
                ("José", {}),
                ("He", {}),
                ("there", {}),
            ],
        )
        self.assertEqual(
            [(r.label, r.head, r.tail) for r in read.relations],
            [(r.label, r.head, r.tail) for r in doc.relations],
        )
        formats.write_brat([doc], self.path, layer="ner")
        (read,) = formats.read_brat(self.path, layer="ner")
        self.assertEqual([m.text for m, _ in read.labelled("ner")], ["São Paulo", "José"])
        self.assertEqual(read.tasks, ("ner", "relation", "coref"))
        formats.write_brat([read], self.path / "again")
        self.assertEqual(formats.read_brat(self.path / "again", layer="ner"), [read])

    def test_annotations_survive_brat(self):
        docs = model().annotate_batch([TEXT, EMOJI])
        formats.write_brat(docs, self.path, layer="ner")
        for doc, read in zip(docs, formats.read_brat(self.path, layer="ner")):
            self.assertEqual(read.text, doc.text)
            self.assertEqual(
                [(m.text, m.start, label.label) for m, label in read.labelled("ner")],
                [(m.text, m.start, label.label) for m, label in doc.labelled("ner")],
            )


class SpacyJson(unittest.TestCase):
    def test_nothing_is_lost(self):
        for doc in (story(), *model().annotate_batch([TEXT, EMOJI, "", "  \n a  b \n"], singletons=True)):
            self.assertEqual(formats.from_spacy_json(formats.to_spacy_json(doc)), doc)

    def test_the_span_groups_are_as_documented(self):
        data = formats.to_spacy_json(story())
        spans = {
            key: [(data["text"][s["start"] : s["end"]], s["label"]) for s in members]
            for key, members in data["spans"].items()
        }
        self.assertEqual(
            spans,
            {
                "hmtl/emd": [("The mayor of São Paulo", "person"), ("São Paulo", "place")],
                "hmtl/ner": [("São Paulo", "LOC"), ("José", "PER")],
                "hmtl/relations/relation": [("José", "residence"), ("São Paulo", "residence")],
                "hmtl/relations/family": [("The mayor of São Paulo", "knows"), ("José", "knows")],
                "hmtl/clusters/0": [("São Paulo", ""), ("there", "")],
                "hmtl/clusters/1": [("José", ""), ("He", "")],
            },
        )
        self.assertEqual([e["label"] for e in data["ents"]], ["LOC", "PER"])
        self.assertEqual(len(data["sents"]), 2)

    def test_entities_are_flat(self):
        data = formats.to_spacy_json(story(), ents="emd")
        self.assertEqual([e["label"] for e in data["ents"]], ["person"])
        with self.assertRaisesRegex(hmtl.DataError, "nested"):
            formats.to_spacy_json(story(), ents="emd", nested="error")
        self.assertNotIn("ents", formats.to_spacy_json(story(), ents=None))

    def test_what_spacy_wrote_is_read(self):
        data = {
            "text": "Ada met Bo.\n Yes",
            "ents": [{"start": 0, "end": 3, "label": "PERSON"}],
            "sents": [{"start": 0, "end": 13}, {"start": 13, "end": 16}],
            "tokens": [
                {"id": i, "start": s, "end": e}
                for i, (s, e) in enumerate([(0, 3), (4, 7), (8, 10), (10, 11), (11, 13), (13, 16)])
            ],
            "spans": {"sc": [{"start": 4, "end": 10, "label": "X", "kb_id": ""}], "other": []},
        }
        doc = formats.from_spacy_json(data, groups={"sc": "emd"})
        self.assertEqual(doc.words(), ["Ada", "met", "Bo", ".", "Yes"])
        self.assertEqual([(s.first_token, s.last_token) for s in doc.sentences], [(0, 4), (4, 5)])
        self.assertEqual(
            [(m.text, dict(m.labels)) for m in doc.mentions],
            [("Ada", {"ner": hmtl.Label("PERSON")}), ("met Bo", {"emd": hmtl.Label("X")})],
        )
        self.assertEqual(hmtl.Dataset([doc])[0], doc)
        self.assertEqual(formats.from_spacy_json(data, ents=None).mentions, ())

    def test_misaligned_spans_are_told_or_left_out(self):
        data = formats.to_spacy_json(sentence("Ada", "left", "Oslo"))
        data["ents"] = [{"start": 0, "end": 2, "label": "X"}, {"start": 9, "end": 13, "label": "LOC"}]
        with self.assertRaisesRegex(hmtl.DataError, "'Ad'"):
            formats.from_spacy_json(data)
        doc = formats.from_spacy_json(data, misaligned="drop")
        self.assertEqual([m.text for m in doc.mentions], ["Oslo"])
        two = {**formats.to_spacy_json(story()), "ents": [{"start": 24, "end": 38, "label": "X"}]}
        with self.assertRaisesRegex(hmtl.DataError, "one sentence"):
            formats.from_spacy_json({**two, "spans": {}})

    def test_the_training_format_keeps_one_layer(self):
        doc = story()
        read = formats.from_training_json(formats.to_training_json([doc, sentence("Ada/PER")]))
        self.assertEqual([d.id for d in read], ["story", "1"])
        self.assertEqual(
            (read[0].text, read[0].tokens, read[0].sentences), (doc.text, doc.tokens, doc.sentences)
        )
        self.assertEqual(
            [(m.text, label.label) for m, label in read[0].labelled("ner")],
            [(m.text, label.label) for m, label in doc.labelled("ner")],
        )
        emd = formats.to_training_json([doc], ents="emd")
        tags = [t["ner"] for s in emd[0]["paragraphs"][0]["sentences"] for t in s["tokens"]]
        self.assertEqual(tags[:6], ["B-person", "I-person", "I-person", "I-person", "L-person", "O"])

    def test_training_data_without_raw_text_is_read(self):
        data = formats.to_training_json([story()])
        del data[0]["paragraphs"][0]["raw"]
        (doc,) = formats.from_training_json(data)
        self.assertEqual([m.text for m in doc.mentions], ["São Paulo", "José"])
        data[0]["paragraphs"][0]["raw"] = "another text"
        with self.assertRaisesRegex(hmtl.DataError, "'The'"):
            formats.from_training_json(data)


if __name__ == "__main__":
    unittest.main()

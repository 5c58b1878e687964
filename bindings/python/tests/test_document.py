"""Typed documents."""

import dataclasses
import json
import pickle
import unittest

import hmtl
from hmtl import Document, DocumentBuilder
from support import EMOJI, TEXT, model, sentence


class Documents(unittest.TestCase):
    def test_nothing_of_the_library_s_json_is_lost(self):
        for text in (TEXT, EMOJI, "", "."):
            for unit in ("char", "byte", "utf16"):
                raw = model().annotate_json(text, offsets=unit)
                doc = Document.from_json(raw)
                self.assertEqual(doc.to_dict(), json.loads(raw))
                self.assertEqual(Document.from_json(doc.to_json()), doc)
                self.assertEqual(Document.from_json(raw.encode()), doc)

    def test_fields_of_newer_libraries_are_left_out(self):
        data = json.loads(model().annotate_json(TEXT))
        expected = Document.from_json(data)
        data["mood"] = {"a": 1}
        for key in ("sentences", "tokens", "mentions", "relations", "clusters"):
            data[key][0]["mood"] = [1]
        data["mentions"][0]["labels"]["emd"]["mood"] = 1
        self.assertEqual(Document.from_json(data), expected)

    def test_what_is_no_document_is_an_error(self):
        for data in (
            "{",
            "[]",
            "{}",
            '{"text":"","sentences":[],"tokens":[{}]}',
            '{"text":"","sentences":3}',
        ):
            with self.assertRaises(hmtl.DataError, msg=data):
                Document.from_json(data)

    def test_offsets_are_python_s(self):
        doc = model().annotate(EMOJI)
        self.assertTrue(doc.mentions)
        for mention in doc.mentions:
            self.assertEqual(EMOJI[mention.start : mention.end], mention.text)
        self.assertEqual([EMOJI[t.start : t.end] for t in doc.tokens], doc.words())

    def test_offsets_change_their_unit(self):
        for text in (TEXT, EMOJI):
            docs = {unit: model().annotate(text, offsets=unit) for unit in ("char", "byte", "utf16")}
            for doc in docs.values():
                for unit, expected in docs.items():
                    moved = doc.with_offsets(unit)
                    self.assertEqual(moved.tokens, expected.tokens)
                    self.assertEqual(moved.sentences, expected.sentences)
                    for one, other in zip(moved.mentions, expected.mentions):
                        self.assertEqual((one.start, one.end), (other.start, other.end))
                for mention in doc.mentions:
                    self.assertEqual(doc.text_of(mention), mention.text)
                self.assertEqual(doc.words(), docs["char"].words())

    def test_an_offset_inside_a_character_is_an_error(self):
        doc = Document("é", tokens=(hmtl.Token(0, 1),), offsets="byte")
        with self.assertRaisesRegex(hmtl.DataError, "offset 1"):
            doc.with_offsets("char")
        with self.assertRaisesRegex(hmtl.DataError, "words"):
            doc.with_offsets("words")

    def test_a_document_does_not_change(self):
        doc = model().annotate(TEXT)
        with self.assertRaises(dataclasses.FrozenInstanceError):
            doc.mentions[0].start = 3
        self.assertEqual(pickle.loads(pickle.dumps(doc)), doc)
        self.assertEqual(len({doc, Document.from_json(doc.to_json())}), 1)

    def test_mentions_relations_and_clusters_point_at_each_other(self):
        doc = model().annotate(TEXT)
        self.assertEqual(
            [mention.text for mention, label in doc.labelled("ner") if label.label == "PER"],
            ["Ingrid Solberg"],
        )
        facts = [(head.text, r.label, tail.text) for r in doc.relations for head, tail in [doc.arguments(r)]]
        self.assertIn(("Ingrid Solberg", "place_of_birth", "Bergen"), facts)
        self.assertEqual(
            [[m.text for m in doc.cluster_mentions(c)] for c in doc.clusters], [["Ingrid Solberg", "She"]]
        )


class Building(unittest.TestCase):
    def test_a_span_is_one_mention_whatever_names_it(self):
        build = DocumentBuilder.from_sentences([["Ada", "Lovelace", "left", "😀"], [], ["She", "did"]], "x")
        self.assertTrue(build.label((0, 2), "ner", "PER", 0.5))
        self.assertTrue(build.label((0, 2), "emd", "person"))
        self.assertFalse(build.label((0, 2), "emd", "place"))
        build.relation("relation", "knows", (4, 5), (0, 2))
        build.cluster([(4, 5), (0, 2), (0, 2)])
        build.cover("ner", ["PER"])
        build.layer("coref")
        doc = build.build()
        self.assertEqual(doc.text, "Ada Lovelace left 😀\nShe did")
        self.assertEqual([m.text for m in doc.mentions], ["Ada Lovelace", "She"])
        self.assertEqual(doc.mentions[0].labels["ner"], hmtl.Label("PER", 0.5))
        self.assertEqual(doc.relations, (hmtl.Relation("relation", "knows", 1, 0),))
        self.assertEqual(doc.clusters, (hmtl.Cluster((0, 1)),))
        self.assertEqual(doc.tasks, ("ner", "emd", "relation", "coref"))
        self.assertEqual(hmtl.Dataset([doc])[0], doc)

    def test_characters_are_found_as_tokens(self):
        build = DocumentBuilder.from_document(sentence("Ada", "Lovelace", "left"))
        self.assertEqual(build.token_span(0, 12), (0, 2))
        for start, end in ((0, 5), (1, 3), (3, 4), (0, 0), (13, 99), (99, 100)):
            self.assertIsNone(build.token_span(start, end), (start, end))

    def test_spans_outside_the_document_are_refused(self):
        build = DocumentBuilder.from_sentences([["Ada"]])
        for span in ((0, 0), (1, 2), (-1, 1)):
            with self.assertRaises(hmtl.InvalidArgumentError):
                build.label(span, "ner", "PER")


if __name__ == "__main__":
    unittest.main()

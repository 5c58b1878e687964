"""The component for spaCy, with the real one."""

import pickle
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import hmtl
from hmtl import formats
from support import EMOJI, TEXT, model, python

try:
    import spacy
    from spacy.tokens import Doc, DocBin

    import hmtl.spacy
except ImportError as error:
    print(f"SKIPPED: the tests of the spaCy component: {error}", file=sys.stderr)
    spacy = None

#: White space of all kinds, an emoji, and names.
WILD = (
    "  \n Ingrid  Solberg 😀 was born in Bergen,\n\n Norway.\t She joined the University of Oslo in 2009.\n"
)


def pipeline(sentences="sentencizer", **settings):
    nlp = spacy.blank("en")
    if sentences:
        nlp.add_pipe(sentences)
    nlp.add_pipe("hmtl", config=settings)
    return nlp


@unittest.skipIf(spacy is None, "needs spaCy, which is not installed")
class Component(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nlp = pipeline()

    def test_entities_spans_relations_and_clusters_are_set(self):
        doc = self.nlp(TEXT)
        self.assertEqual(
            [(e.text, e.label_) for e in doc.ents][:2], [("Ingrid Solberg", "PER"), ("Bergen", "LOC")]
        )
        self.assertEqual([span.text for span in doc.spans["hmtl/ner"]], [e.text for e in doc.ents])
        nested = [span.text for span in doc.spans["hmtl/emd"]]
        self.assertIn("Bergen, Norway", nested)
        self.assertIn("Norway", nested)
        scores = doc.spans["hmtl/emd"].attrs["scores"]
        self.assertEqual(len(scores), len(nested))
        self.assertEqual([[s.text for s in c] for c in doc._.hmtl_clusters], [["Ingrid Solberg", "She"]])
        fact = doc._.hmtl_relations[0]
        self.assertEqual(
            (fact.head.text, fact.label, fact.tail.text), ("Ingrid Solberg", "place_of_birth", "Bergen")
        )
        self.assertEqual(fact.task, "relation")
        self.assertGreater(fact.score, 0.5)

    def test_it_gets_the_document_s_tokens_and_sentences(self):
        doc = self.nlp(TEXT)
        words = [token.text for token in doc]
        expected = model().annotate_tokens(words, [sentence.end for sentence in doc.sents])
        self.assertEqual(
            [(s.start, s.end, s.label_) for s in doc.spans["hmtl/emd"]],
            [(m.first_token, m.last_token, label.label) for m, label in expected.labelled("emd")],
        )

    def test_white_space_is_left_out_and_counted(self):
        doc = self.nlp(WILD)
        self.assertTrue(any(token.is_space for token in doc))
        for group in doc.spans.values():
            for span in group:
                self.assertFalse(span[0].is_space or span[-1].is_space, span.text)
        self.assertIn("Bergen", [e.text for e in doc.ents])
        plain = self.nlp(" ".join(t.text for t in doc if not t.is_space))
        self.assertEqual(len(plain.spans["hmtl/emd"]), len(doc.spans["hmtl/emd"]))

    def test_documents_without_words_are_annotated(self):
        for text in ("", " ", "\n\n\n"):
            doc = self.nlp(text)
            self.assertEqual((doc.ents, len(doc.spans["hmtl/ner"]), doc._.hmtl_relations), ((), 0, []))

    def test_without_sentences_the_library_splits_the_text(self):
        doc = pipeline(None)(TEXT)
        self.assertFalse(doc.has_annotation("SENT_START"))
        self.assertEqual([e.text for e in doc.ents], [e.text for e in self.nlp(TEXT).ents])

    def test_a_stream_is_annotated_in_its_order(self):
        texts = [TEXT, "", EMOJI, WILD, "Ada left Oslo."] * 3
        for text, doc in zip(texts, self.nlp.pipe(texts, batch_size=4)):
            self.assertEqual(doc.text, text)
            self.assertEqual([e.text for e in doc.ents], [e.text for e in self.nlp(text).ents])

    def test_settings_are_those_of_the_pipeline(self):
        doc = pipeline(tasks=["ner", "coref"], min_score=0.9, singletons=True)(TEXT)
        self.assertNotIn("hmtl/emd", doc.spans)
        self.assertTrue(any(len(cluster) == 1 for cluster in doc._.hmtl_clusters))
        doc = pipeline(ents=None)(TEXT)
        self.assertEqual((doc.ents, len(doc.spans["hmtl/ner"]) > 0), ((), True))
        doc = pipeline(ents="emd")(TEXT)
        self.assertIn("Bergen, Norway", [e.text for e in doc.ents])
        with self.assertRaisesRegex(hmtl.InvalidArgumentError, "weather"):
            pipeline(tasks=["weather"])(TEXT)

    def test_independent_tasks_need_not_agree(self):
        boat = "Solberg sold the boat. It was a gift to the city."
        for independent, expected in ((False, ["object", "object"]), (True, ["object", "abstract"])):
            doc = pipeline(tasks=["emd"], independent=independent)(boat)
            self.assertEqual([s.label_ for s in doc.spans["hmtl/emd"] if s.text in ("the boat", "It")], expected)

    def test_older_entities_are_overwritten_or_not(self):
        for overwrite, expected in ((True, "LOC"), (False, "TOWN")):
            nlp = pipeline(overwrite_ents=overwrite)
            ruler = nlp.add_pipe("entity_ruler", first=True)
            ruler.add_patterns([{"label": "TOWN", "pattern": "Bergen"}])
            labels = {e.text: e.label_ for e in nlp(TEXT).ents}
            self.assertEqual((labels["Bergen"], labels["Ingrid Solberg"]), (expected, "PER"))

    def test_a_second_run_replaces_the_first(self):
        doc = self.nlp(TEXT)
        before = sorted(doc.spans)
        doc = pipeline(tasks=["ner"]).get_pipe("hmtl")(doc)
        self.assertEqual([key for key in doc.spans], ["hmtl/ner"])
        self.assertNotEqual(before, ["hmtl/ner"])

    def test_an_error_goes_to_the_error_handler(self):
        nlp = pipeline(tasks=["ner"])
        failed = []
        nlp.set_error_handler(lambda name, pipe, docs, error: failed.append((name, error)))
        nlp.get_pipe("hmtl").load().close()
        self.assertEqual(list(nlp.pipe(["Ada left"])), [])
        nlp("Ada left")
        self.assertEqual([name for name, _ in failed], ["hmtl", "hmtl"])
        self.assertIsInstance(failed[0][1], hmtl.ClosedError)

    def test_labels_are_those_of_the_entities(self):
        self.assertIn("PER", self.nlp.get_pipe("hmtl").labels)

    def test_documents_are_serialized_with_all_they_have(self):
        doc = self.nlp(WILD)
        read = Doc(spacy.blank("en").vocab).from_bytes(doc.to_bytes())
        (binned,) = DocBin(docs=[doc]).get_docs(spacy.blank("en").vocab)
        for other in (read, binned, pickle.loads(pickle.dumps(doc)), doc.copy()):
            self.assertEqual(
                [[s.text for s in c] for c in other._.hmtl_clusters],
                [[s.text for s in c] for c in doc._.hmtl_clusters],
            )
            for one, two in zip(other._.hmtl_relations, doc._.hmtl_relations):
                self.assertEqual((one.label, one.head.text, one.score), (two.label, two.head.text, two.score))

    def test_a_pipeline_on_disk_has_its_model(self):
        with tempfile.TemporaryDirectory() as folder:
            nlp = pipeline(tasks=["ner"])
            nlp.to_disk(Path(folder) / "nlp")
            self.assertTrue((Path(folder) / "nlp/hmtl/model/manifest.json").is_file())
            read = spacy.load(Path(folder) / "nlp")
            self.assertEqual([e.text for e in read(TEXT).ents], [e.text for e in nlp(TEXT).ents])
            self.assertEqual(read.get_pipe("hmtl").tasks, ["ner"])

    def test_a_pipeline_can_be_pickled(self):
        read = pickle.loads(pickle.dumps(pipeline(tasks=["ner"])))
        self.assertEqual([e.label_ for e in read("Ada left Oslo.").ents], ["PER", "LOC"])

    def test_the_model_is_not_loaded_before_it_is_used(self):
        from spacy import ty

        nlp = pipeline(model="/no/such")
        component = nlp.get_pipe("hmtl")
        for kind in (ty.TrainableComponent, ty.InitializableComponent, ty.ListenedToComponent):
            isinstance(component, kind)  # which looks at its attributes
        self.assertIsNone(component._model)
        with self.assertRaises(hmtl.Error):
            nlp(TEXT)

    def test_processes_load_models_of_their_own(self):
        program = """
import multiprocessing, spacy, hmtl.spacy
if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    nlp = spacy.blank("en")
    nlp.add_pipe("hmtl", config={"tasks": ["ner"]})
    print([e.label_ for doc in nlp.pipe(["Ada left Oslo."] * 4, n_process=2) for e in doc.ents])
"""
        result = python(program)
        self.assertEqual(result.stdout.strip(), str(["PER", "LOC"] * 4), result.stderr)


@unittest.skipIf(spacy is None, "needs spaCy, which is not installed")
class Conversion(unittest.TestCase):
    def test_documents_go_both_ways(self):
        vocab = spacy.blank("en").vocab
        for doc in model().annotate_batch([TEXT, EMOJI, WILD, "a\n\n b", ""]):
            there = hmtl.spacy.to_doc(doc, vocab)
            self.assertEqual(there.text, doc.text)
            # spaCy does not tell that a task found nothing.
            self.assertEqual(replace(hmtl.spacy.from_doc(there), tasks=()), replace(doc, tasks=()))

    def test_the_component_s_documents_become_data(self):
        doc = pipeline()(WILD)
        with hmtl.Dataset([hmtl.spacy.from_doc(doc)]) as data:
            back = hmtl.spacy.to_doc(data[0], doc.vocab)
        self.assertEqual([token.text for token in back], [token.text for token in doc])
        self.assertEqual([(e.text, e.label_) for e in back.ents], [(e.text, e.label_) for e in doc.ents])

    def test_spacy_takes_our_json(self):
        for doc in model().annotate_batch([TEXT, EMOJI, WILD]):
            read = Doc(spacy.blank("en").vocab).from_json(formats.to_spacy_json(doc), validate=True)
            self.assertEqual(read.text, doc.text)
            self.assertEqual(len(list(read.sents)), len(doc.sentences))
            self.assertEqual(len(read._.hmtl_relations), len(doc.relations))

    def test_spacy_takes_our_training_data(self):
        from spacy.training.converters import json_to_docs

        docs = model().annotate_batch([TEXT, EMOJI, WILD])
        for doc, read in zip(docs, json_to_docs(formats.to_training_json(docs))):
            self.assertEqual(read.text, doc.text)
            self.assertEqual(
                [(e.text, e.label_) for e in read.ents],
                [(m.text, label.label) for m, label in doc.labelled("ner")],
            )
            self.assertEqual(len(list(read.sents)), len(doc.sentences))

    def test_we_take_spacy_s_training_data(self):
        from spacy.training import docs_to_json

        doc = pipeline()(WILD)
        (read,) = formats.from_training_json(docs_to_json([doc]))
        self.assertEqual(
            [(m.text, m.labels["ner"].label) for m in read.mentions], [(e.text, e.label_) for e in doc.ents]
        )
        hmtl.Dataset([read]).close()


if __name__ == "__main__":
    unittest.main()

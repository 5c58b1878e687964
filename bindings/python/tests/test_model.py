"""Models."""

import json
import tempfile
import unittest
from pathlib import Path

import hmtl
from support import EMOJI, TEXT, model, travels


def rounded(doc):
    """A document without the last digits of its scores."""

    def shorten(value):
        if isinstance(value, dict):
            return {k: round(v, 4) if k == "score" else shorten(v) for k, v in value.items()}
        return [shorten(v) for v in value] if isinstance(value, list) else value

    return shorten(doc.to_dict() if isinstance(doc, hmtl.Document) else json.loads(doc))


class Annotating(unittest.TestCase):
    def test_names_are_found(self):
        doc = model().annotate(TEXT)
        names = [(m.text, label.label) for m, label in doc.labelled("ner")]
        self.assertEqual(names[:2], [("Ingrid Solberg", "PER"), ("Bergen", "LOC")])
        self.assertEqual(doc.offsets, "char")

    def test_options_are_keywords(self):
        doc = model().annotate(TEXT, tasks=["ner"], min_score=0.999, offsets="byte")
        self.assertEqual((doc.tasks, doc.offsets, doc.clusters), (("ner",), "byte", ()))
        self.assertTrue(all(label.score >= 0.999 for _, label in doc.labelled("ner")))
        self.assertEqual(model().annotate(TEXT, tasks=[]).mentions, ())
        many = model().annotate(TEXT, tasks=["coref"], singletons=True)
        self.assertTrue(any(len(cluster.mentions) == 1 for cluster in many.clusters))

    def test_independent_tasks_need_not_agree(self):
        demo = (Path(__file__).parents[3] / "examples" / "demo.txt").read_text(encoding="utf-8")
        agreed, independent = (
            [label.label for _, label in model().annotate(demo, tasks=["emd"], independent=x).labelled("emd")]
            for x in (False, True)
        )
        self.assertNotEqual(agreed, independent)
        self.assertEqual(len(agreed), len(independent))

    def test_options_may_be_json_or_a_mapping(self):
        self.assertEqual(model().annotate(TEXT, options='{"tasks":["ner"]}').offsets, "byte")
        doc = model().annotate(TEXT, min_score=0.9, options={"tasks": ["ner"]})
        self.assertEqual((doc.tasks, doc.offsets), (("ner",), "char"))

    def test_a_text_may_hold_a_nul(self):
        doc = model().annotate("Ada\0 left Oslo")
        self.assertEqual(doc.text, "Ada\0 left Oslo")

    def test_a_long_text_is_annotated_like_a_short_one(self):
        text = " ".join([TEXT] * 20)
        with hmtl.Cancel() as cancel:
            batch = model().annotate(text, tasks=["ner"], cancel=cancel)
        self.assertEqual(rounded(batch), rounded(model().annotate(text, tasks=["ner"])))
        self.assertGreater(len(model().annotate(text * 7, tasks=["ner"]).mentions), 500)

    def test_a_batch_is_in_the_order_of_its_texts(self):
        texts = [TEXT, "", EMOJI, "Ada left Oslo."]
        docs = model().annotate_batch(iter(texts))
        self.assertEqual([doc.text for doc in docs], texts)
        for text, doc in zip(texts, docs):
            self.assertEqual(rounded(doc), rounded(model().annotate(text)))
        self.assertEqual(model().annotate_batch([]), [])

    def test_a_stream_is_annotated_in_batches(self):
        taken = []

        def texts():
            for n in range(7):
                taken.append(n)
                yield f"Ada {n} left Oslo."

        docs = model().pipe(texts(), batch_size=3, tasks=["ner"])
        self.assertEqual(next(docs).text, "Ada 0 left Oslo.")
        self.assertEqual(len(taken), 3)
        self.assertEqual(len(list(docs)), 6)

    def test_tokens_are_annotated(self):
        words = ["Ada", "Lovelace", "left", ".", "She", "met", "José", "😀", "."]
        doc = model().annotate_tokens(words, [4, 9])
        self.assertEqual(doc.words(), words)
        self.assertEqual(doc.text, "Ada Lovelace left .\nShe met José 😀 .")
        self.assertEqual([(s.first_token, s.last_token) for s in doc.sentences], [(0, 4), (4, 9)])
        self.assertEqual(len(model().annotate_tokens(tuple(words)).sentences), 1)
        self.assertEqual(model().annotate_tokens([]).tokens, ())
        with self.assertRaisesRegex(hmtl.InvalidArgumentError, "sentence_ends stop at 4"):
            model().annotate_tokens(words, [4])

    def test_json_has_twins(self):
        for twin, typed in (
            (model().annotate_json(TEXT), model().annotate(TEXT).to_dict()),
            (model().annotate_tokens_json(["Ada"]), model().annotate_tokens(["Ada"]).to_dict()),
            (model().annotate_batch_json([TEXT]), [model().annotate_batch([TEXT])[0].to_dict()]),
            (model().info_json(), model().info()),
        ):
            self.assertEqual(json.loads(twin), typed)


class Models(unittest.TestCase):
    def test_a_model_describes_itself(self):
        info = model().info()
        self.assertEqual(info["tasks"]["ner"]["kind"], "spans")
        self.assertIn("PER", info["tasks"]["ner"]["labels"])
        self.assertTrue(info["card"]["license"])

    def test_only_some_tasks_are_loaded(self):
        with hmtl.Model(tasks=["ner"]) as some:
            self.assertEqual(list(some.info()["tasks"]), ["ner"])

    def test_a_model_is_scored(self):
        with travels() as data:
            scores = model().evaluate(data)
            self.assertEqual(scores["ner"]["documents"], 8)
            self.assertGreater(scores["ner"]["score"], 0.5)
            self.assertEqual(json.loads(model().evaluate_json(data, tasks=["ner"])), scores)
            with self.assertRaises(hmtl.InvalidArgumentError):
                model().evaluate(data, singletons="some")

    def test_a_saved_model_is_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "modèle"
            with hmtl.Model(tasks=["ner"]) as some:
                some.save(place)
                expected = some.annotate(TEXT)
            with hmtl.Model(place) as saved:
                self.assertEqual(saved.annotate(TEXT), expected)
                with self.assertRaisesRegex(hmtl.InvalidArgumentError, "half"):
                    saved.save(place, precision="half")

    def test_a_closed_model_says_so(self):
        closed = hmtl.Model(tasks=["ner"])
        self.assertFalse(closed.closed)
        closed.close()
        closed.close()
        self.assertTrue(closed.closed)
        with self.assertRaisesRegex(hmtl.ClosedError, "the model is closed"):
            closed.annotate(TEXT)
        with self.assertRaises(ValueError):
            closed.annotate_batch([TEXT])

    def test_a_forgotten_model_is_freed(self):
        forgotten = hmtl.Model(tasks=["ner"])
        handle = forgotten._handle
        del forgotten
        self.assertTrue(handle.closed)
        self.assertIsNone(handle._pointer)


if __name__ == "__main__":
    unittest.main()

"""Data sets."""

import json
import tempfile
import unittest
from pathlib import Path

import hmtl
from support import EMOJI, TEXT, model, sentence, travels


class Datasets(unittest.TestCase):
    def test_a_data_set_is_a_sequence_of_documents(self):
        docs = [sentence("Ada/PER", "left"), sentence("Émile/PER", "😀", "Oslo/LOC")]
        with hmtl.Dataset(docs) as data:
            self.assertEqual((len(data), list(data)), (2, docs))
            self.assertEqual((data[-1], data[0:1], data[::-1]), (docs[1], docs[:1], docs[::-1]))
            self.assertEqual(json.loads(data.get_json(1))["offsets"], "byte")
            with self.assertRaises(IndexError):
                data[2]
            with self.assertRaisesRegex(hmtl.InvalidArgumentError, "index 2"):
                data.get_json(2)
        with self.assertRaises(hmtl.ClosedError):
            len(data)

    def test_annotations_become_data(self):
        docs = model().annotate_batch([TEXT, EMOJI])
        with hmtl.Dataset(docs) as data:
            self.assertEqual(list(data), docs)
            self.assertEqual(data.info()["documents"], 2)

    def test_json_lines_are_read_and_written(self):
        with tempfile.TemporaryDirectory() as folder, travels() as data:
            path = Path(folder) / "données.jsonl"
            data.write("jsonl", path)
            with hmtl.Dataset.from_jsonl(path.read_text("utf-8")) as read:
                self.assertEqual(list(read), list(data))
            with hmtl.Dataset.from_jsonl(path.read_bytes()) as read:
                self.assertEqual(read.info(), data.info())
            with hmtl.Dataset.open("jsonl", str(path)) as read:
                self.assertEqual(read.info_json(), data.info_json())

    def test_options_are_keywords(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "two.conll"
            path.write_text("Ada X B-PER\nleft X O\n\nBo X oops\n")
            with self.assertRaisesRegex(hmtl.DataError, r"two\.conll:4:"):
                hmtl.Dataset.open("conll2003", path, tag_column=2)
            with hmtl.Dataset.open("conll2003", path, skip_invalid=True, tag_column=2) as data:
                self.assertEqual(data.info()["skipped"], 1)
            with self.assertRaisesRegex(hmtl.InvalidArgumentError, "conll1999"):
                hmtl.Dataset.open("conll1999", path)

    def test_a_false_document_is_refused(self):
        broken = hmtl.Document("Ada", tokens=(hmtl.Token(0, 99),))
        with self.assertRaises(hmtl.DataError):
            hmtl.Dataset([broken])


if __name__ == "__main__":
    unittest.main()

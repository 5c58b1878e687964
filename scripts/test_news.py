"""Tests of news.py."""

import json
import unittest

import news

NOTATION = """# A comment.

[Ingrid Solberg](PER) of [Bergen](LOC) is in [Norway](LOC). [Solberg](PER Ingrid Solberg) runs.
- Bergen | country | Norway
- Ingrid Solberg | residence | Bergen

Nobody came.
- (none)
"""


class Tests(unittest.TestCase):
    def test_a_text_has_its_mentions_and_facts(self):
        first, second = news.parse(NOTATION)
        text, mentions, facts = first
        self.assertEqual(text, "Ingrid Solberg of Bergen is in Norway. Solberg runs.")
        self.assertEqual([text[m[0]:m[1]] for m in mentions], ["Ingrid Solberg", "Bergen", "Norway", "Solberg"])
        self.assertEqual(mentions[3][2:], ("PER", "Ingrid Solberg"))
        self.assertEqual(
            facts,
            [("Bergen", "country", "Norway"), ("Bergen", news.LOCATED, "Norway"), ("Ingrid Solberg", "residence", "Bergen")],
        )
        self.assertEqual(second, ("Nobody came.", [], []))
        lines = news.standoff(mentions, facts).splitlines()
        self.assertEqual(lines[0], "T1\tPER 0 14\t-")
        self.assertIn("*\tEquiv T1 T4", lines)
        self.assertIn("R3\tresidence Arg1:T1 Arg2:T2", lines)

    def test_a_fact_of_no_mention_is_refused(self):
        with self.assertRaisesRegex(ValueError, "Oslo"):
            list(news.parse(NOTATION.replace("| Bergen", "| Oslo")))

    def test_the_texts_are_well_formed_and_of_labels_that_are_covered_or_shown(self):
        known = json.loads((news.ROOT / "models/default/vocabulary/labels.json").read_text(encoding="utf-8"))
        self.assertLessEqual(set(news.COVERED), set(known["relation"]))
        texts = []
        for name in ("train", "dev"):
            for text, mentions, facts in news.parse((news.ROOT / f"configs/news/{name}.txt").read_text(encoding="utf-8")):
                texts.append(text)
                self.assertNotRegex(text, r"[][|]")
                self.assertGreater(len(mentions), 3)
                self.assertLessEqual({label for _, label, _ in facts}, set(known["relation"]), text)
        self.assertEqual(len(set(texts)), len(texts))


if __name__ == "__main__":
    unittest.main()

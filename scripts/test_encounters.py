"""Tests of encounters.py."""

import unittest

import encounters
import news


class Encounters(unittest.TestCase):
    def setUp(self):
        self.texts = list(encounters.texts())
        self.parsed = list(news.parse("\n\n".join(self.texts)))

    def test_they_are_always_the_same(self):
        self.assertEqual(self.texts, list(encounters.texts()))
        self.assertEqual(len(self.parsed), len(encounters.TEXTS) * encounters.VERSIONS)

    def test_nobody_works_for_whom_the_text_does_not_say(self):
        for (said, stated), (text, mentions, facts) in zip(encounters.TEXTS * encounters.VERSIONS, self.in_turn()):
            self.assertEqual(len(facts), sum(len(encounters.FACTS[fact]) for fact in stated), text)
            self.assertEqual(bool(facts), bool(stated), said)
            kinds = {entity: kind for *_, kind, entity in mentions}
            for head, label, tail in facts:
                expected = {"employer": ("PER", "ORG"), "chief_executive_officer": ("ORG", "PER"), "spouse": ("PER", "PER")}
                self.assertEqual((kinds[head], kinds[tail]), expected[label], text)

    def in_turn(self):
        """The parsed texts with those of one sentence apart, as TEXTS are in turn."""
        for version in range(encounters.VERSIONS):
            yield from self.parsed[version::encounters.VERSIONS]

    def test_articles_are_no_part_of_a_name(self):
        self.assertEqual(encounters.marked("the BBC", "ORG"), ("the [BBC](ORG)", "BBC"))
        self.assertEqual(encounters.marked("Theo Berg", "PER"), ("[Theo Berg](PER)", "Theo Berg"))


if __name__ == "__main__":
    unittest.main()

"""Tests of news.py."""

import json
import random
import re
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

    def test_mentions_nest_and_mean_the_same(self):
        (text, mentions), = news.parse_mentions("# A comment.\n\n[p1 Ann] met [p2 [p1 her] aunt]. [p1 She] sang in [l Rome].")
        self.assertEqual(text, "Ann met her aunt. She sang in Rome.")
        found = [(text[start:end], kind, entity) for start, end, kind, entity in mentions]
        self.assertEqual(
            found,
            [("Ann", "person", "1"), ("her aunt", "person", "2"), ("her", "person", "1"), ("She", "person", "1"),
             ("Rome", "place", "once 4")],
        )
        self.assertIn("*\tEquiv T1 T3 T4", news.standoff(mentions, []).splitlines())
        self.assertNotIn("*\tEquiv T5", news.standoff(mentions, []).splitlines())
        self.assertIn("*\tEquiv T5", news.standoff(mentions, [], singletons=True).splitlines())
        for bad in ("[p Ann met", "Ann] met", "[x Ann] met"):
            with self.assertRaisesRegex(ValueError, "text 1: a mention"):
                list(news.parse_mentions(bad))

    def test_people_and_companies_get_the_names_of_others(self):
        text, mentions, _ = next(news.parse(
            "[Leila Haddad](PER), wife of [Omar Haddad](PER), left [Nimbus Data](ORG) and [Haddad](PER Omar Haddad) the"
            " [Bank of Beirut](ORG). [Omar](PER Omar Haddad) now runs [Nimbus](ORG Nimbus Data) in [Beirut](LOC)."
        ))
        names = news.exchangeable(mentions)
        self.assertEqual(names, [("ORG", 2, "Nimbus Data"), ("PER", 2, "Leila Haddad"), ("PER", 2, "Omar Haddad")])
        others = news.shuffled([("ORG", 2, "Peak Turbines"), ("PER", 2, "Ida Kjaer")], random.Random(1))
        now, moved = news.exchanged(text, mentions, others)
        self.assertEqual(
            now, "Ida Kjaer, wife of Ida Kjaer, left Peak Turbines and Kjaer the Bank of Beirut. Ida now runs Peak in Beirut."
        )
        self.assertEqual(
            [(now[start:end], kind) for start, end, kind, _ in moved],
            [("Ida Kjaer", "PER"), ("Ida Kjaer", "PER"), ("Peak Turbines", "ORG"), ("Kjaer", "PER"), ("Bank of Beirut", "ORG"),
             ("Ida", "PER"), ("Peak", "ORG"), ("Beirut", "LOC")],
        )

    def test_all_names_come_before_one_comes_again(self):
        names = [("PER", 1, name) for name in "abcdefg"] + [("PER", 2, "h i")]
        others = news.shuffled(names, random.Random(1))
        first, second = ([next(others["PER", 1]) for _ in range(7)] for _ in range(2))
        self.assertEqual((sorted(first), first), (list("abcdefg"), second))
        self.assertNotEqual(first, list("abcdefg"))

    def test_well_known_names_have_types_and_no_name_twice(self):
        names = list(news.well_known("# A comment.\n\nPER: Ann Lee, Bo\nLim, Madonna\n\nORG: Ikea\n"))
        self.assertEqual(names, [("PER", 2, "Ann Lee"), ("PER", 2, "Bo Lim"), ("PER", 1, "Madonna"), ("ORG", 1, "Ikea")])
        names = list(news.well_known((news.ROOT / "configs/news/names.txt").read_text(encoding="utf-8")))
        self.assertEqual({kind for kind, _, _ in names}, set(news.EXCHANGEABLE))
        self.assertEqual({length for _, length, _ in names}, {1, 2})
        self.assertEqual(len(set(names)), len(names))

    def test_both_notations_have_the_same_texts_and_names(self):
        for name in news.TEXTS:
            read = lambda suffix: (news.ROOT / f"configs/news/{name}{suffix}.txt").read_text(encoding="utf-8")
            facts, mentions = list(news.parse(read(""))), list(news.parse_mentions(read("_mentions")))
            self.assertEqual([text for text, _, _ in facts], [text for text, _ in mentions])
            for (text, names, _), (_, spans) in zip(facts, mentions):
                inside = lambda s, e: any(start <= s and e <= end for start, end, _, _ in spans)
                for start, end, _, _ in names:
                    self.assertTrue(inside(start, end), f"{text[start:end]} in {text}")

    def test_mentions_of_an_entity_have_one_type_and_pronouns_are_mentions(self):
        pronoun = re.compile(r"\b((?i:its?|his|her|their|s?he|they|them|him|who|whose)|which|[A-Z]\w+'s)\b")
        for name in news.TEXTS:
            for text, spans in news.parse_mentions((news.ROOT / f"configs/news/{name}_mentions.txt").read_text(encoding="utf-8")):
                for entity in {span[3] for span in spans}:
                    self.assertEqual(len({kind for _, _, kind, of in spans if of == entity}), 1, f"{entity} in {text}")
                for found in pronoun.finditer(text):
                    # These are of one name, the People's Party. "Which" asks.
                    if found[0] not in ("People's", "Queen's", "Denny's"):
                        self.assertIn(found.span(), {span[:2] for span in spans}, f"{found[0]} in {text}")

    def test_the_texts_are_well_formed_and_of_labels_that_are_covered_or_shown(self):
        known = json.loads((news.ROOT / "models/default/vocabulary/labels.json").read_text(encoding="utf-8"))
        self.assertLessEqual(set(news.COVERED), set(known["relation"]))
        texts = []
        for name in news.TEXTS:
            for text, mentions, facts in news.parse((news.ROOT / f"configs/news/{name}.txt").read_text(encoding="utf-8")):
                texts.append(text)
                self.assertNotRegex(text, r"[][|]")
                self.assertGreater(len(mentions), 1)
                self.assertLessEqual({label for _, label, _ in facts}, set(known["relation"]), text)
        self.assertEqual(len(set(texts)), len(texts))


if __name__ == "__main__":
    unittest.main()

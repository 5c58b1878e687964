"""Tests of known.py, with a model that says what the test wants."""

import unittest
from types import SimpleNamespace

import known


def mention(text, start, label):
    end = start + len(text)
    return SimpleNamespace(text=text, start=start, end=end), SimpleNamespace(label=label)


class Model:
    """Answers by rules of texts."""

    def __init__(self, names=(), facts=()):
        self.names, self.facts = names, facts

    def annotate(self, text, tasks=None):
        found = [mention(name, text.index(name), label) for name, label in self.names if name in text]
        facts = [fact for fact in self.facts if fact[0] in text and fact[2] in text]
        mentions = [SimpleNamespace(text=words) for head, _, tail in facts for words in (head, tail)]
        relations = [SimpleNamespace(label=fact[1], head=2 * at, tail=2 * at + 1) for at, fact in enumerate(facts)]
        return SimpleNamespace(labelled=lambda task: found, mentions=mentions, relations=relations)


class Names(unittest.TestCase):
    def count(self, *names):
        asked, wrong = known.mistaken(Model(names), [("PER", 2, "Ada Lovelace"), ("ORG", 1, "Tesla")])
        self.assertEqual(asked, {"PER": 4, "ORG": 4})
        return wrong["PER"], wrong["ORG"]

    def test_right_ones_are_not_mistaken(self):
        self.assertEqual(self.count(("Ada Lovelace", "PER"), ("Tesla", "ORG"), ("Geneva", "LOC")), (0, 0))

    def test_others_are(self):
        self.assertEqual(self.count(("Lovelace", "PER"), ("Tesla", "PER")), (4, 4))
        self.assertEqual(self.count(("Geneva", "LOC")), (4, 4))


class Cities(unittest.TestCase):
    def test_texts_name_two_cities_and_their_countries(self):
        texts = list(known.texts_of_cities())
        self.assertEqual(texts, list(known.texts_of_cities()))
        self.assertEqual(len(texts), len(known.COUNTRIES))
        for text, (city, country) in zip(texts, known.COUNTRIES.items()):
            self.assertIn(city, text)
            cities = [other for other in known.COUNTRIES if other in text and other != city]
            self.assertTrue(country in text and any(known.COUNTRIES[other] in text for other in cities), text)

    def test_facts_of_countries_are_counted(self):
        facts = [
            ("Delft", "country", "Norway"), ("Delft", "country", "the Netherlands"), ("Delft", "capital", "Norway"),
            ("Norway", "country", "Delft"),
        ]
        self.assertEqual(known.located(Model(facts=facts), ["Delft, the Netherlands, and Norway"]), (1, 2))


class Quotes(unittest.TestCase):
    def test_texts_name_who_speaks_and_who_reports_it(self):
        texts = list(known.texts_of_quotes())
        self.assertEqual(len(set(texts)), len(known.QUOTES) * len(known.PEOPLE) * len(known.OUTLETS))
        for text in texts:
            self.assertTrue(any(p in text for p in known.PEOPLE) and any(o in text for o in known.OUTLETS), text)

    def test_texts_with_an_employer_are_counted(self):
        facts = [
            ("Maria Santos", "employer", "CNN"), ("Maria Santos", "employer", "AFP"), ("Chen Wei", "residence", "CNN"),
        ]
        texts = ["Maria Santos told CNN and AFP.", "Chen Wei told CNN.", "Maria Santos told AFP."]
        self.assertEqual(known.employed(Model(facts=facts), texts), 2)


if __name__ == "__main__":
    unittest.main()

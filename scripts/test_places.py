"""Tests of places.py."""

import random
import unittest

import places

CITIES = [
    ("Oslo", "NO", 580_000), ("Bergen", "NO", 210_000), ("Rotterdam", "NL", 600_000), ("Hamilton", "CA", 500_000),
    ("Hamilton", "NZ", 150_000), ("Bodø", "NO", 20_000), ("Georgia", "US", 90_000), ("Singapore", "SG", 5_000_000),
]


def gazetteer():
    country = lambda name: {"name": name, "population": 1_000_000}
    return places.Gazetteer(
        {"NO": country("Norway"), "NL": country("The Netherlands"), "CA": country("Canada"), "NZ": country("New Zealand"),
         "US": country("United States"), "GE": country("Georgia"), "SG": country("Singapore")},
        {str(n): {"name": name, "countrycode": code, "population": people}
         for n, (name, code, people) in enumerate(CITIES)},
        {"GA": {"name": "Georgia"}, "TX": {"name": "Texas"}},
    )


def mention(sentence, first, last, kind, name):
    return {"sent_id": sentence, "pos": [first, last], "type": kind, "name": name}


DOCUMENT = {
    "title": "News",
    "sents": [
        ["The", "University", "of", "Oslo", "sent", "boats", "from", "Bergen", ",", "Norway", ",", "to", "Rotterdam", "."],
        ["The", "Netherlands", "and", "Norway", "paid", "."],
    ],
    "vertexSet": [
        [mention(0, 1, 4, "ORG", "University of Oslo")],
        [mention(0, 7, 8, "LOC", "Bergen")],
        [mention(0, 9, 10, "LOC", "Norway"), mention(1, 3, 4, "LOC", "Norway")],
        [mention(0, 12, 13, "LOC", "Rotterdam")],
        [mention(1, 0, 2, "LOC", "The Netherlands")],
    ],
}


def facts(line):
    text = lambda m: line["mentions"][m]["text"]
    return {(text(r["head"]), text(r["tail"])) for r in line["relations"] if r["label"] == "country"}


class Tests(unittest.TestCase):
    def test_a_place_is_known_that_can_be_in_one_country_alone(self):
        self.assertEqual(
            gazetteer().places, {"oslo": "NO", "bergen": "NO", "rotterdam": "NL", "texas": "US"}
        )

    def test_places_and_what_is_named_after_them_lie_in_their_countries(self):
        known = gazetteer()
        line = places.document("a", DOCUMENT["sents"], places.known(DOCUMENT, known))
        self.assertEqual(
            facts(line), {("University of Oslo", "Norway"), ("Bergen", "Norway"), ("Rotterdam", "The Netherlands")}
        )
        self.assertEqual(len(line["relations"]), 6)
        for m in line["mentions"]:
            self.assertEqual(line["text"][m["start"]:m["end"]], m["text"])
            self.assertEqual(line["tokens"][m["first_token"]]["start"], m["start"])
            self.assertEqual(line["tokens"][m["last_token"] - 1]["end"], m["end"])
        self.assertEqual(line["sentences"][1]["first_token"], 14)
        self.assertEqual([len(c["mentions"]) for c in line["clusters"]], [1, 1, 2, 1, 1])

    def test_exchanged_places_lie_where_the_gazetteer_says(self):
        known = gazetteer()
        words = {"oslo", "bergen", "rotterdam", "norway", "netherlands", "canada", "hamilton"}
        country = {"Oslo": "Norway", "Bergen": "Norway", "Rotterdam": "Netherlands"}
        related = 0
        for seed in range(20):
            entities = places.known(DOCUMENT, known)
            sentences, moved = places.exchanged(DOCUMENT, entities, known, words, random.Random(seed))
            line = places.document("a", sentences, moved)
            self.assertEqual(len(moved), 5)
            texts = {m["text"].removeprefix("the ").split()[-1] for m in line["mentions"]}
            self.assertLessEqual(texts, {"Oslo", "Bergen", "Rotterdam", "Norway", "Netherlands"})
            places_, countries = texts & set(country), texts - set(country)
            expected = {(p, c) for p in places_ for c in countries if country[p] == c}
            found = {(h.split()[-1], t.split()[-1]) for h, t in facts(line)}
            self.assertEqual(found, expected)
            related += len(found)
        self.assertGreater(related, 0)


if __name__ == "__main__":
    unittest.main()

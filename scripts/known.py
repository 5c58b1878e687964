#!/usr/bin/env python3
"""Counts what a model knows of names by themselves: how many of configs/news/names.txt it mistakes in short sentences, of
how many cities it says where they lie when a sentence names two countries, and how many of those who tell the news
something it takes for the employees of who reports it.

MODEL is a directory, models/default if there is none. Needs target/release/libhmtl.so (`make build`). A name is mistaken if
`ner` finds none there, one of other words or one of another type. A city's country is right, is the other one, or is not said.
"""

import argparse
import itertools
import os
import random
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("HMTL_LIBRARY", str(ROOT / "target/release/libhmtl.so"))
sys.path.insert(0, str(ROOT / "bindings/python/src"))

import hmtl
from news import well_known

NAME = "{}"
SENTENCES = {
    "PER": [
        "The company, founded by {}, is based in Texas.", "{} spoke to reporters on Tuesday.", "In March she met {} in Geneva.",
        "{} won the prize in 2019.",
    ],
    "ORG": [
        "{} hired 200 people in Berlin.", "She works for {} in Madrid.", "Shares of {} fell on Monday.",
        "The regulator fined {} on Friday.",
    ],
}
COUNTRIES = {
    "Rotterdam": "Netherlands", "Delft": "Netherlands", "Tokyo": "Japan", "Osaka": "Japan", "Munich": "Germany",
    "Berlin": "Germany", "Lyon": "France", "Paris": "France", "Milan": "Italy", "Rome": "Italy", "Madrid": "Spain",
    "Seville": "Spain", "Oslo": "Norway", "Bergen": "Norway", "Stockholm": "Sweden", "Warsaw": "Poland", "Krakow": "Poland",
    "Kiev": "Ukraine", "Moscow": "Russia", "Beijing": "China", "Shanghai": "China", "Mumbai": "India", "Delhi": "India",
    "Karachi": "Pakistan", "Cairo": "Egypt", "Lagos": "Nigeria", "Nairobi": "Kenya", "Toronto": "Canada",
    "Vancouver": "Canada", "Chicago": "United States", "Houston": "United States", "Sydney": "Australia",
    "Melbourne": "Australia", "Lima": "Peru", "Bogota": "Colombia", "Santiago": "Chile", "Istanbul": "Turkey",
    "Tehran": "Iran", "Baghdad": "Iraq", "Jakarta": "Indonesia", "Manila": "Philippines", "Hanoi": "Vietnam",
    "Bangkok": "Thailand", "Lisbon": "Portugal", "Porto": "Portugal", "Vienna": "Austria", "Zurich": "Switzerland",
    "Geneva": "Switzerland", "Prague": "Czech Republic", "Budapest": "Hungary",
}
TEXTS = [
    "The minister flew from {a} to {b} on Monday. Trade with {x} and {y} has grown, he said.",
    "Exports to {x} rose, while those to {y} fell. Firms in {a} and {b} said that they would wait.",
    "{x} and {y} signed the treaty in {a}; talks go on in {b} next week.",
]
QUOTES = [
    "Chief executive {person} told {outlet} that demand in Europe had weakened.",
    "\"We will rebuild,\" {person}, the mayor of Ghent, told {outlet} on Monday.",
    "{person} told {outlet} in an interview that the talks had failed.",
    "The minister, {person}, told {outlet} that no troops had crossed the border.",
    "In an interview with {outlet}, {person} said the bank would raise rates.",
]
PEOPLE = ["Eivind Kallevik", "Maria Santos", "John Whitfield", "Chen Wei"]
OUTLETS = ["Reuters", "the Associated Press", "CNN", "The Guardian", "AFP", "Bloomberg"]


def named(document, place):
    """The words and type of the first of `ner`'s names that takes part in `place`, a range of characters."""
    for mention, label in document.labelled("ner"):
        if mention.start < place.stop and place.start < mention.end:
            return mention.text, label.label
    return None


def mistaken(model, names):
    """How many sentences there are of each type, and in how many its name is mistaken."""
    asked, wrong = Counter(), Counter()
    for kind, _, name in names:
        for sentence in SENTENCES[kind]:
            start = sentence.index(NAME)
            document = model.annotate(sentence.replace(NAME, name), tasks=["ner"])
            asked[kind] += 1
            wrong[kind] += named(document, range(start, start + len(name))) != (name, kind)
    return asked, wrong


def texts_of_cities():
    """A text for each city, with another city and the countries of both, in either order; always the same."""
    draw = random.Random(3)
    for city, country in COUNTRIES.items():
        other = draw.choice([other for other in COUNTRIES if COUNTRIES[other] != country])
        countries = [country, COUNTRIES[other]]
        draw.shuffle(countries)
        yield draw.choice(TEXTS).format(a=city, b=other, x=countries[0], y=countries[1])


def located(model, texts):
    """How many `country` facts of the texts are right, and how many wrong."""
    right = wrong = 0
    for text in texts:
        document = model.annotate(text)
        for relation in document.relations:
            if relation.label == "country":
                city, country = (document.mentions[argument].text for argument in (relation.head, relation.tail))
                same = COUNTRIES.get(city) == country.removeprefix("the ")
                right, wrong = right + same, wrong + (not same)
    return right, wrong


def texts_of_quotes():
    """A text for each sentence, person and outlet."""
    for quote, person, outlet in itertools.product(QUOTES, PEOPLE, OUTLETS):
        yield quote.format(person=person, outlet=outlet)


def employed(model, texts):
    """In how many texts somebody is said to be employed, which is nowhere so."""
    return sum(any(relation.label == "employer" for relation in model.annotate(text).relations) for text in texts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=[ROOT / "models/default"], metavar="MODEL")
    models = parser.parse_args().models
    names = list(well_known((ROOT / "configs/news/names.txt").read_text(encoding="utf-8")))
    texts, quotes = list(texts_of_cities()), list(texts_of_quotes())
    for directory in models:
        try:
            model = hmtl.Model(directory)
        except hmtl.Error as error:
            sys.exit(f"known: {error}")
        with model:
            asked, wrong = mistaken(model, names)
            right, elsewhere = located(model, texts)
            employees = employed(model, quotes)
        print(f"{directory}: people mistaken {wrong['PER']} of {asked['PER']}, companies {wrong['ORG']} of {asked['ORG']}; "
              f"cities in their country {right} of {2 * len(texts)}, in another {elsewhere}; "
              f"employed by who quotes them {employees} of {len(quotes)}")


if __name__ == "__main__":
    main()

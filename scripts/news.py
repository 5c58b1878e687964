#!/usr/bin/env python3
"""Makes a data set of each of configs/news/*.txt, as .vectors/news_train.jsonl of train.txt: names and relations, or all
mentions and who is meant by them; and one of names alone.

The notation of the TEXTS: a text is a paragraph, `[Solberg](PER Ingrid Solberg)` a mention in it, of a type and, where its
own words are another name, of an entity; then a fact a line, `- Ingrid Solberg | employer | Haldorsen Marine`, `- (none)`
where there are none. A `country` is also what its place or organization is located in. All that the texts state by the
labels in COVERED is annotated.

That of train_mentions.txt and so on, which have the same texts: `[p3 [g1 Its] editor]` is a mention of a type in TYPES, of
the entity 3 of its text if others mean it, too. What is a mention, and which are of one entity, is as in GUM.

.vectors/news_names.jsonl has the names of all of these but for dev, and of other versions of each text, in which
people and companies are called as others are, of these texts or of names.txt, so that what stands around a name says what it
is. Tokens and sentences are those of target/release/hmtl.
"""

import itertools
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HMTL = ROOT / "target/release/hmtl"
MENTION = re.compile(r"\[([^\]]+)\]\((PER|ORG|LOC|TIME|MISC|NUM)(?: ([^)]+))?\)")
TYPES = {
    "a": "abstract", "e": "event", "f": "plant", "g": "organization", "l": "place", "n": "animal", "o": "object", "p": "person",
    "s": "substance", "t": "time",
}
BRACKET = re.compile(f"\\[([{''.join(TYPES)}])(\\d*) |\\]")
LOCATED = "located_in_the_administrative_territorial_entity"
COVERED = [
    "author", "chief_executive_officer", "child", "composer", "conflict", "country", "country_of_citizenship", "date_of_birth",
    "date_of_death", "educated_at", "employer", "followed_by", "follows", "founded_by", "head_of_government", "head_of_state",
    "headquarters_location", "inception", LOCATED, "member_of_political_party", "notable_work", "owned_by",
    "parent_organization", "performer", "place_of_birth", "point_in_time", "present_in_work", "publication_date",
    "record_label", "residence", "sibling", "spouse", "subsidiary",
]

# The files of configs/news with names and facts; each has one with mentions beside it.
TEXTS = ["train", "dev", "more", "various", "various_dev", "further"]
NAMES = ["LOC", "ORG", "PER", "TIME"]
# Versions of a text with other names.
EXCHANGES = 8
# Names of one or two words that can be exchanged; no abbreviations, as AFP, and none that say that they are no company's.
OTHER_KINDS = (
    "University|College|School|Institute|Bank|Party|Council|Ministry|Court|Commission|Reuters|Democrat|Republican|Greens"
)
EXCHANGEABLE = {
    "PER": re.compile(r"[A-Z][\w-]*(?: [A-Z][\w-]*)?"),
    "ORG": re.compile(rf"(?!.*\b(?:{OTHER_KINDS})\b)[A-Z][a-z][\w-]*(?: [A-Z][\w-]*)?"),
}


def paragraphs(notation):
    """The lines of each text, with its number."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", notation.strip()), 1):
        lines = [line for line in paragraph.split("\n") if not line.startswith("#")]
        if lines:
            yield number, lines


def parse(notation):
    """Of each text: the text, its mentions as start, end, type and entity, and its facts."""
    for number, lines in paragraphs(notation):
        text, mentions, at = "", [], 0
        for found in MENTION.finditer(lines[0]):
            text += lines[0][at:found.start()]
            name, kind, entity = found.groups()
            mentions.append((len(text), len(text) + len(name), kind, entity or name))
            text += name
            at = found.end()
        text += lines[0][at:]
        facts = []
        for line in lines[1:]:
            if line == "- (none)":
                continue
            parts = line.removeprefix("- ").split(" | ")
            if len(parts) != 3 or not {parts[0], parts[2]} <= {m[3] for m in mentions}:
                raise ValueError(f"text {number}: `{line}` is not a fact of its mentions")
            facts.append(tuple(parts))
            if parts[1] == "country":
                facts.append((parts[0], LOCATED, parts[2]))
        yield text, mentions, facts


def parse_mentions(notation):
    """Of each text: the text, and its mentions as start, end, type and entity."""
    for number, lines in paragraphs(notation):
        text, mentions, open_ones, at = "", [], [], 0
        line = " ".join(lines)
        for found in BRACKET.finditer(line):
            text += line[at:found.start()]
            at = found.end()
            if found[1]:
                open_ones.append(len(mentions))
                # An entity that is meant once has a name of its own.
                mentions.append((len(text), None, TYPES[found[1]], found[2] or f"once {len(mentions)}"))
            elif not open_ones:
                raise ValueError(f"text {number}: a mention ends that did not begin, after `{text[-20:]}`")
            else:
                begun = open_ones.pop()
                start, _, kind, entity = mentions[begun]
                mentions[begun] = (start, len(text), kind, entity)
        text += line[at:]
        if open_ones or "[" in text:
            raise ValueError(f"text {number}: a mention does not end, or has no type")
        yield text, mentions


def standoff(mentions, facts, singletons=False):
    """The text of a brat .ann file; `singletons`: what is meant once is an entity, too."""
    lines, entities = [], {}
    for number, (start, end, kind, entity) in enumerate(mentions, 1):
        lines.append(f"T{number}\t{kind} {start} {end}\t-")
        entities.setdefault(entity, []).append(f"T{number}")
    lines += [f"*\tEquiv {' '.join(ids)}" for ids in entities.values() if singletons or len(ids) > 1]
    for number, (head, label, tail) in enumerate(facts, 1):
        lines.append(f"R{number}\t{label} Arg1:{entities[head][0]} Arg2:{entities[tail][0]}")
    return "\n".join(lines) + "\n"


def converted(name, texts, singletons=False):
    """Texts with their mentions and facts as JSON, read by hmtl from brat."""
    with tempfile.TemporaryDirectory() as folder:
        brat = Path(folder, "brat")
        brat.mkdir()
        for number, (text, mentions, facts) in enumerate(texts):
            (brat / f"{name}{number:03}.txt").write_text(text, encoding="utf-8")
            (brat / f"{name}{number:03}.ann").write_text(standoff(mentions, facts, singletons), encoding="utf-8")
        lines = Path(folder, "lines.jsonl")
        subprocess.run([HMTL, "convert", "--from", "brat", "--to", "jsonl", brat, lines], check=True)
        return [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]


def with_facts(name, texts):
    """Documents of names and relations, with the types of names in their layer."""
    for document in converted(name, texts):
        document["tasks"] = ["ner", "relation"]
        document["covered"] = {"ner": NAMES, "relation": COVERED}
        for mention in document["mentions"]:
            mention["labels"] = {"ner": mention["labels"]["emd"]}
        yield document


def exchangeable(mentions):
    """The names of people and companies among mentions, by type and number of words."""
    names = {(kind, entity) for _, _, kind, entity in mentions if kind in EXCHANGEABLE}
    return sorted((kind, len(entity.split()), entity) for kind, entity in names if EXCHANGEABLE[kind].fullmatch(entity))


def well_known(notation):
    """The names of names.txt, by type and number of words."""
    for kind, names in re.findall(r"^([A-Z]+): ([^:]+)$", notation, re.MULTILINE):
        for name in names.split(","):
            words = name.split()
            yield kind, len(words), " ".join(words)


def shuffled(names, draw):
    """For each type and number of words its names, in some order, again and again."""
    groups = {}
    for kind, length, name in names:
        groups.setdefault((kind, length), []).append(name)
    return {group: itertools.cycle(draw.sample(names, len(names))) for group, names in groups.items()}


def exchanged(text, mentions, others):
    """A text and its mentions with other names of people and companies, as they come. A word, such as a family name, is
    exchanged for the same word wherever it stands."""
    words = {}
    for kind, length, entity in sorted(exchangeable(mentions), key=lambda name: -name[1]):
        for old, new in zip(entity.split(), next(others[kind, length]).split()):
            words.setdefault((kind, old), new)
    now, moved, at = "", [], 0
    for start, end, kind, entity in mentions:
        now += text[at:start]
        name = " ".join(words.get((kind, word), word) for word in text[start:end].split(" "))
        moved.append((len(now), len(now) + len(name), kind, entity))
        now += name
        at = end
    return now + text[at:], moved


def with_names(name, notation, known):
    """Documents of names alone, and versions of them with other names, of theirs and the known ones."""
    texts = [(text, mentions) for text, mentions, _ in parse(notation)]
    names = exchangeable(m for _, mentions in texts for m in mentions)
    others = shuffled(names + known, random.Random(name))
    texts += [exchanged(text, mentions, others) for _ in range(EXCHANGES) for text, mentions in texts]
    for document in with_facts(name, [(text, mentions, []) for text, mentions in texts]):
        document["tasks"] = ["ner"]
        yield document


def with_mentions(name, notation):
    """Documents of all mentions and who is meant by them."""
    texts = ((text, mentions, []) for text, mentions in parse_mentions(notation))
    for document in converted(name, texts, singletons=True):
        document["tasks"] = ["emd", "coref"]
        yield document


def main():
    facts = lambda name, notation: with_facts(name, parse(notation))
    known = list(well_known((ROOT / "configs/news/names.txt").read_text(encoding="utf-8")))
    names = lambda name, notation: with_names(name, notation, known)
    data_sets = [("names", names, [name for name in TEXTS if "dev" not in name])]
    for name in TEXTS:
        data_sets += [(name, facts, (name,)), (f"{name}_mentions", with_mentions, (f"{name}_mentions",))]
    for name, documents, sources in data_sets:
        texts = (ROOT / f"configs/news/{source}.txt" for source in sources)
        notation = "\n\n".join(path.read_text(encoding="utf-8") for path in texts)
        try:
            lines = [json.dumps(document, ensure_ascii=False) for document in documents(name, notation)]
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            sys.exit(f"news: {name}: {error}")
        target = ROOT / f".vectors/news_{name}.jsonl"
        target.parent.mkdir(exist_ok=True)
        target.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        print(f"{target.relative_to(ROOT)}: {len(lines)} documents")


if __name__ == "__main__":
    main()

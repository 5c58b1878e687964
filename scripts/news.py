#!/usr/bin/env python3
"""Makes data sets of configs/news/*.txt, .vectors/news_train.jsonl and news_dev.jsonl.

The notation: a text is a paragraph, `[Solberg](PER Ingrid Solberg)` a mention in it, of a type and, where its own
words are another name, of an entity; then a fact a line, `- Ingrid Solberg | employer | Haldorsen Marine`, `- (none)`
where there are none. A `country` is also what its place or organization is located in. All that the texts
state by the labels in COVERED is annotated. Tokens and sentences are those of target/release/hmtl.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HMTL = ROOT / "target/release/hmtl"
MENTION = re.compile(r"\[([^\]]+)\]\((PER|ORG|LOC|TIME|MISC|NUM)(?: ([^)]+))?\)")
LOCATED = "located_in_the_administrative_territorial_entity"
COVERED = [
    "author", "chief_executive_officer", "child", "composer", "conflict", "country", "country_of_citizenship", "date_of_birth",
    "date_of_death", "educated_at", "employer", "followed_by", "follows", "founded_by", "head_of_government", "head_of_state",
    "headquarters_location", "inception", LOCATED, "member_of_political_party", "notable_work", "owned_by",
    "parent_organization", "performer", "place_of_birth", "point_in_time", "present_in_work", "publication_date",
    "record_label", "residence", "sibling", "spouse", "subsidiary",
]


def parse(notation):
    """Of each text: the text, its mentions as start, end, type and entity, and its facts."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", notation.strip()), 1):
        lines = [line for line in paragraph.split("\n") if not line.startswith("#")]
        if not lines:
            continue
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


def standoff(mentions, facts):
    """The text of a brat .ann file."""
    lines, entities = [], {}
    for number, (start, end, kind, entity) in enumerate(mentions, 1):
        lines.append(f"T{number}\t{kind} {start} {end}\t-")
        entities.setdefault(entity, []).append(f"T{number}")
    lines += [f"*\tEquiv {' '.join(ids)}" for ids in entities.values() if len(ids) > 1]
    for number, (head, label, tail) in enumerate(facts, 1):
        lines.append(f"R{number}\t{label} Arg1:{entities[head][0]} Arg2:{entities[tail][0]}")
    return "\n".join(lines) + "\n"


def documents(name, notation):
    """Documents as JSON, read by hmtl from brat, with the types of names in the layer of names."""
    with tempfile.TemporaryDirectory() as folder:
        brat = Path(folder, "brat")
        brat.mkdir()
        for number, (text, mentions, facts) in enumerate(parse(notation)):
            (brat / f"{name}{number:03}.txt").write_text(text, encoding="utf-8")
            (brat / f"{name}{number:03}.ann").write_text(standoff(mentions, facts), encoding="utf-8")
        lines = Path(folder, "lines.jsonl")
        subprocess.run([HMTL, "convert", "--from", "brat", "--to", "jsonl", brat, lines], check=True)
        for line in lines.read_text(encoding="utf-8").splitlines():
            document = json.loads(line)
            document["tasks"] = ["ner", "relation"]
            document["covered"] = {"relation": COVERED}
            for mention in document["mentions"]:
                mention["labels"] = {"ner": mention["labels"]["emd"]}
            yield document


def main():
    for name in ("train", "dev"):
        notation = (ROOT / f"configs/news/{name}.txt").read_text(encoding="utf-8")
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

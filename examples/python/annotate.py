"""Prints the names, relations and coreference clusters of a text.

annotate.py [--model FOLDER] [TEXT]
"""

import argparse

import hmtl

parser = argparse.ArgumentParser(description="prints names, relations and clusters of a text")
parser.add_argument("--model", help="a model's folder; that of the library if absent")
parser.add_argument("text", nargs="*")
arguments = parser.parse_args()
text = " ".join(arguments.text) or (
    "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009."
)

with hmtl.Model(arguments.model) as model:
    document = model.annotate(text, min_score=0.5)
for mention, label in document.labelled("ner"):
    assert text[mention.start : mention.end] == mention.text
    print(f"{mention.start}-{mention.end}\t{mention.text}\t{label.label}\t{label.score:.2f}")
for relation in document.relations:
    head, tail = document.arguments(relation)
    print(f"{head.text}\t{relation.label}\t{tail.text}\t{relation.score:.2f}")
for cluster in document.clusters:
    print(" = ".join(mention.text for mention in document.cluster_mentions(cluster)))

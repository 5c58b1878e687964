"""Annotates text that was split into tokens by another program: reads a token a line, with an empty line
after each sentence, and prints them with the tags of their names.

tokens.py [--model FOLDER] <tokens.txt
"""

import argparse
import sys

import hmtl

parser = argparse.ArgumentParser(description="tags the names among tokens")
parser.add_argument("--model", help="a model's folder; that of the library if absent")
arguments = parser.parse_args()

tokens, ends = [], []
for line in sys.stdin:
    token = line.rstrip("\n")
    if token:
        tokens.append(token)
    else:
        ends.append(len(tokens))
ends.append(len(tokens))  # an empty sentence does no harm

with hmtl.Model(arguments.model, tasks=["ner"]) as model:
    document = model.annotate_tokens(tokens, ends)

tags = ["O"] * len(tokens)
for mention, label in document.labelled("ner"):
    tags[mention.first_token : mention.last_token] = [f"I-{label.label}"] * (
        mention.last_token - mention.first_token
    )
    tags[mention.first_token] = f"B-{label.label}"
for sentence in document.sentences:
    for at in range(sentence.first_token, sentence.last_token):
        print(f"{tokens[at]}\t{tags[at]}")
    print()

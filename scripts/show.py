#!/usr/bin/env python3
"""Lays out JSON for reading: short values side by side, up to the width of a page.

Reads one JSON value a line from standard input; what it prints is the same JSON.
"""

import json
import sys

WIDTH = 120


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def layout(value, indent=0):
    flat = dumps(value)
    if len(flat) + indent <= WIDTH or not isinstance(value, (dict, list)):
        return flat
    if isinstance(value, dict):
        brackets = "{}"
        items = [dumps(key) + ": " + layout(item, indent + 2) for key, item in value.items()]
    else:
        brackets = "[]"
        items = [layout(item, indent + 2) for item in value]
    lines = [items[0]]
    for item in items[1:]:
        together = lines[-1] + ", " + item
        # The parts of the document, and mentions, relations and clusters, each begin a line.
        if indent == 0 or "{" in item[1:] or "\n" in together or len(together) + indent + 3 > WIDTH:
            lines.append(item)
        else:
            lines[-1] = together
    pad = "\n" + " " * (indent + 2)
    return brackets[0] + pad + ("," + pad).join(lines) + "\n" + " " * indent + brackets[1]


for line in sys.stdin:
    print(layout(json.loads(line)))

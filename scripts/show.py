#!/usr/bin/env python3
"""Lays out JSON for reading: short values side by side up to the width of a page, longer ones in lines.

Reads one JSON value a line from standard input; what it prints is the same JSON.
"""

import json
import sys

WIDTH = 110


def layout(value, indent=0):
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not isinstance(value, (dict, list)):
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        items = [json.dumps(key, ensure_ascii=False) + ": " + layout(item, indent + 2) for key, item in value.items()]
        return "{\n" + ",\n".join(pad + item for item in items) + "\n" + " " * indent + "}"
    lines = [""]
    for item in (layout(item, indent + 2) for item in value):
        if lines[-1] and ("\n" in item or len(lines[-1]) + len(item) + indent + 4 > WIDTH):
            lines.append(item)
        else:
            lines[-1] += (", " if lines[-1] else "") + item
    return "[\n" + ",\n".join(pad + line for line in lines) + "\n" + " " * indent + "]"


for line in sys.stdin:
    print(layout(json.loads(line)))

"""Annotates the lines of standard input and prints a document a line. Ctrl-C stops it, or the end of a time.

batch.py [--model FOLDER] [--timeout SECONDS] <texts.txt >documents.jsonl
"""

import argparse
import sys
import threading

import hmtl

parser = argparse.ArgumentParser(description="annotates the lines of standard input")
parser.add_argument("--model", help="a model's folder; that of the library if absent")
parser.add_argument("--timeout", type=float, help="stop after so many seconds")
arguments = parser.parse_args()

cancel = hmtl.Cancel()
if arguments.timeout is not None:
    timer = threading.Timer(arguments.timeout, cancel.trigger)
    timer.daemon = True
    timer.start()

count = 0
lines = (line.rstrip("\n") for line in sys.stdin)
try:
    with hmtl.Model(arguments.model) as model:
        for document in model.pipe(lines, cancel=cancel):
            print(document.to_json())
            count += 1
except hmtl.Cancelled:
    print("stopped: the time is over", file=sys.stderr)
except KeyboardInterrupt:
    print("stopped", file=sys.stderr)
print(f"{count} documents", file=sys.stderr)

#!/usr/bin/env python3
"""Measures the library on a GPU beside two cores of its machine, and writes `benches/gpu.json`, which the page shows.

    benches/gpu.py --text FILE --document DOCUMENT.jsonl [--transformer MODEL] [--binaries FOLDER] [--out FILE]

TEXT is prose and DOCUMENT an annotated document to train on, as `benches/run.py` leaves them in `target/bench/`; MODEL is
one with a transformer, of which only the names are asked for. Without `--binaries`, a folder with `annotate` and
`train`, cargo builds them. `HMTL_CUDA` and the like are as for any program.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "models/default"
CORES = {0, 1}


def say(what):
    print(f"bench: {what}", file=sys.stderr, flush=True)


def output(command, cores=None, **environment):
    limit = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    run = subprocess.run(
        [str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, preexec_fn=limit,
        env={**os.environ, **environment},
    )
    return json.loads(run.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--text", required=True, type=Path)
    parser.add_argument("--document", required=True, type=Path)
    parser.add_argument("--transformer", type=Path)
    parser.add_argument("--binaries", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "benches/gpu.json")
    arguments = parser.parse_args()

    def program(name):
        if arguments.binaries:
            return [(arguments.binaries / name).resolve()]
        return ["cargo", "bench", "--quiet", "--locked", "--bench", name, "--"]

    text, document = arguments.text.resolve(), arguments.document.resolve()

    def annotate(model, sections, cores=None, load=None, **environment):
        command = [*program("annotate"), text, model, *sections]
        return output(command, cores, HMTL_BENCH_LOAD=json.dumps(load or {}), **environment)

    gpu, half = {"device": "cuda"}, {"device": "cuda", "compute": "bf16"}
    two = {"cores": CORES, "HMTL_WORKERS": "2"}
    names, model = {"tasks": ["ner"]}, arguments.transformer and arguments.transformer.resolve()
    train = [*program("train"), document, MODEL]
    stages = {
        "cpu": lambda: annotate(MODEL, ["sentence", "bulk"], HMTL_BENCH_BULK="3000", **two),
        "gpu": lambda: annotate(MODEL, ["load", "sentence", "bulk", "document", "callers"], load=gpu),
        "one_stream": lambda: annotate(MODEL, ["bulk"], load=gpu, HMTL_STREAMS="off"),
        "workers_16": lambda: annotate(MODEL, ["bulk"], load=gpu, HMTL_WORKERS="16"),
        "bf16": lambda: annotate(MODEL, ["bulk"], load=half),
        "train_cpu": lambda: output(train, CORES),
        "train_gpu": lambda: output(train, HMTL_BENCH_DEVICE="cuda"),
    }
    if model:
        stages |= {
            "transformer_gpu": lambda: annotate(model, ["bulk"], load={**gpu, **names}),
            "transformer_bf16": lambda: annotate(model, ["bulk"], load={**half, **names}),
            "transformer_cpu": lambda: annotate(model, ["bulk"], load=names, HMTL_BENCH_BULK="200", **two),
            "transformer_train": lambda: output([*program("train"), document, model, "ner"], HMTL_BENCH_DEVICE="cuda"),
        }
    results = {}
    for name, stage in stages.items():
        say(name)
        results[name] = stage()
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

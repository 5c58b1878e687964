"""Speed of the library's model in Python and PyTorch; prints one JSON object.

    run_torch.py MODEL DOCUMENTS.jsonl THREADS

DOCUMENTS are annotations of the library with the same model: the peer must decide the same, or this fails.
It is given words; the library does its own tokenization beside everything else.
"""

import json
import resource
import sys
import time

import torch
from hmtl_torch import HmtlTorch, difference, sentences_of
from timing import figures, timed, unit


def main():
    folder, path, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(threads)
    start = time.perf_counter()
    model = HmtlTorch(folder)
    load = time.perf_counter() - start
    with open(path, encoding="utf-8") as lines:
        annotated = [json.loads(line) for line in lines]
    docs = [sentences_of(doc) for doc in annotated]
    found = model.annotate(docs)
    apart = max(difference(model, *pair) for pair in zip(annotated, found))
    if apart > 1e-4:
        sys.exit(f"the peer's scores are off by {apart}")
    sentences = sorted((s for doc in docs for s in doc), key=len)
    results = {"unit_ms": unit() * 1e3, "threads": threads, "load_ms": load * 1e3, "largest_difference": apart, "sentence": {}}
    for length in (5, 25, 80):
        near = sorted(sentences, key=lambda s: abs(len(s) - length))[:40]
        tokens = sum(map(len, near)) / len(near)
        results["sentence"][length] = figures(tokens, timed(lambda i: model.annotate([[near[i % len(near)]]]), 2, 30))
    mixed = sentences[::-(-len(sentences) // 256)]
    results["batch"] = figures(sum(map(len, mixed)), timed(lambda _: model.annotate([[s] for s in mixed]), 4, 3))
    results["document"] = {}
    for tokens in (1000, 10000):
        words = [s for doc in docs for s in doc]
        while sum(map(len, words)) < tokens:
            words = words + words
        doc, size = [], 0
        for sentence in words:
            if size >= tokens:
                break
            doc.append(sentence[:tokens - size])
            size += len(doc[-1])
        results["document"][tokens] = figures(tokens, timed(lambda _: model.annotate([doc]), 3, 2))
    results["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(results))


if __name__ == "__main__":
    main()

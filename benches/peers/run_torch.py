"""Speed of the library's model in Python and PyTorch; prints one JSON object.

    run_torch.py MODEL DOCUMENTS.jsonl TRAIN.jsonl THREADS [--short]

DOCUMENTS are annotations of the library with the same model: the peer must decide the same, or this fails.
It is given words; the library does its own tokenization beside everything else. Steps of training are on the
document of TRAIN. `--short`: sentences and batches alone.
"""

import json
import resource
import statistics
import sys
import time
from pathlib import Path

import torch
from hmtl_torch import HmtlTorch, difference, sentences_of
from timing import figures, timed, unit


def training(folder, doc):
    """Steps on a document, each task with a model and an optimizer of its own."""
    steps = {}
    for task in ("ner", "emd", "relation", "coref"):
        model = HmtlTorch(folder).requires_grad_(True)
        learned = [
            w.requires_grad_(name != "embedding.words.weight")
            for name, w in model.w.items()
            if not name.startswith("encoders.")
        ]
        optimizer = torch.optim.Adam(
            [w for w in learned if w.requires_grad] + list(model.encoders.parameters()), lr=1e-4
        )
        losses = []

        def step(_):
            optimizer.zero_grad()
            loss = model.loss(task, doc)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.encoders.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())

        taken = timed(step, 8, 8)
        steps[task] = {"first_loss": losses[0], "step_ms": statistics.median(taken) * 1e3}
    return steps


def main():
    folder, path, train, threads, short = *sys.argv[1:4], int(sys.argv[4]), "--short" in sys.argv
    torch.set_num_threads(threads)
    start = time.perf_counter()
    model = HmtlTorch(folder)
    load = time.perf_counter() - start
    with open(path, encoding="utf-8") as lines:
        annotated = [json.loads(line) for line in lines]
    docs = [sentences_of(doc) for doc in annotated]
    sentences = sorted((s for doc in docs for s in doc), key=len)
    results = {"unit_ms": unit() * 1e3, "threads": threads, "load_ms": load * 1e3, "sentence": {}}
    for length in (5, 25, 80):
        near = sorted(sentences, key=lambda s: abs(len(s) - length))[:40]
        tokens = sum(map(len, near)) / len(near)
        results["sentence"][length] = figures(tokens, timed(lambda i: model.annotate([[near[i % len(near)]]]), 2, 30))
    mixed = sentences[:: -(-len(sentences) // 256)]
    results["batch"] = figures(sum(map(len, mixed)), timed(lambda _: model.annotate([[s] for s in mixed]), 4, 3))
    if not short:
        results.update(whole_texts(model, annotated, docs))
        results["train"] = training(folder, json.loads(Path(train).read_text()))
    results["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(results))


def whole_texts(model, annotated, docs):
    """How far scores are from the library's, and the speed of documents."""
    apart = max(difference(model, *pair) for pair in zip(annotated, model.annotate(docs)))
    if apart > 1e-4:
        sys.exit(f"the peer's scores are off by {apart}")
    documents = {}
    for tokens in (1000, 10000):
        words = [s for doc in docs for s in doc]
        while sum(map(len, words)) < tokens:
            words = words + words
        doc, size = [], 0
        for sentence in words:
            if size >= tokens:
                break
            doc.append(sentence[: tokens - size])
            size += len(doc[-1])
        documents[tokens] = figures(tokens, timed(lambda _: model.annotate([doc]), 3, 2))
    return {"largest_difference": apart, "document": documents}


if __name__ == "__main__":
    main()

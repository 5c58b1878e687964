#!/usr/bin/env python3
"""Writes `docs/performance.md` and its charts from `target/bench/results.json`, which `benches/run.py` makes, and
`benches/gpu.json`, which `benches/gpu.py` makes where there is a GPU.

Needs matplotlib for the charts.
"""

import json
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
CHARTS = ROOT / "docs/performance"


def number(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def row(*cells):
    return "| " + " | ".join(str(c) for c in cells) + " |"


def table(head, rows):
    return "\n".join([row(*head), "|" + "---|" * len(head), *[row(*r) for r in rows]])


def speeds(results):
    """Tokens a second of the library and its peers."""
    one, two, peers = results["library"]["1"], results["library"]["2"], results.get("peers", {})
    unit = one["unit_ms"] / 1e3
    rows = []

    def add(who, what, sentence, batch, document):
        cells = [number(x) if x else "" for x in (sentence, batch, document)]
        rows.append((who, what, *cells, number(batch * unit) if batch else ""))

    def of(x):
        return x["tokens_per_s"] if x else None

    for name, run in (("hmtl, one worker", one), ("hmtl, two workers", two)):
        add(
            name,
            "all four tasks",
            of(run["sentence"]["25"]),
            of(run["batch"]["mixed"]["figures"]),
            of(run["document"]["1000"]),
        )
    if "processes" in results["library"]:
        both = of(results["library"]["processes"]["batch"]["mixed"]["figures"])
        add("hmtl, two processes of one worker", "all four tasks", None, both, None)
    if "torch" in peers:
        p = peers["torch"]
        add(
            "the same model in Python and PyTorch",
            "all four tasks",
            of(p["sentence"]["25"]),
            of(p["batch"]),
            of(p["document"]["1000"]),
        )
    if "spacy" in peers:
        p = peers["spacy"]
        add(
            f"spaCy {p['version']}, small English model",
            "NER alone",
            of(p["sentence"]["25"]),
            of(p["batch"]),
            of(p["documents"]),
        )
    if "corenlp" in peers:
        p = peers["corenlp"]
        add(f"CoreNLP {p['version']}", "NER, coreference and what they need", None, None, of(p))
    head = ["", "", "a sentence of 25 tokens", "250 sentences together", "a document", "tokens a unit, 250 sentences"]
    return table(head, rows)


def latency(results):
    rows = []
    for workers in ("1", "2"):
        run = results["library"][workers]
        for callers, x in run["callers"].items():
            rows.append((workers, callers, number(x["p50_ms"]), number(x["p99_ms"]), number(x["tokens_per_s"])))
    return table(["workers", "callers", "p50, ms", "p99, ms", "tokens/s"], rows)


def sentences(results):
    run, peers = results["library"]["1"], results.get("peers", {})
    rows = []
    for length in ("5", "25", "80"):
        cells = [x["sentence"][length] for x in (run, peers.get("torch"), peers.get("spacy")) if x]
        rows.append((length, *[f"{number(x['p50_ms'])} / {number(x['p99_ms'])}" for x in cells]))
    head = ["tokens", "hmtl"] + [
        name for key, name in (("torch", "Python and PyTorch"), ("spacy", "spaCy, NER alone")) if key in peers
    ]
    return table(head, rows)


def tasks(results):
    run = results["library"]["1"]["tasks"]
    rows = [(t, number(x["sentence"]["p50_ms"]), number(x["document"]["p50_ms"])) for t, x in run.items()]
    return table(["task", "25 tokens, ms", "1,000 tokens, ms"], rows)


def training(results):
    peer = results.get("peers", {}).get("torch", {}).get("train", {})
    rows = []
    for task, x in results["train"].items():
        other = peer.get(task)
        rows.append(
            (
                task,
                number(x["step_ms"]),
                number(other["step_ms"]) if other else "",
                f"{other['step_ms'] / x['step_ms']:.1f}" if other else "",
            )
        )
    return table(["task", "hmtl, ms", "Python and PyTorch, ms", "ratio"], rows)


def lengths(results):
    library = results["library"]
    points = {**library["1"]["document"], **library.get("long", {})}
    return [(int(n), x["tokens_per_s"]) for n, x in points.items()]


def charts(results):
    CHARTS.mkdir(exist_ok=True)
    plt.rcParams["svg.fonttype"], plt.rcParams["svg.hashsalt"] = "none", "hmtl"

    def save(name):
        plt.ylim(bottom=0)
        plt.grid(alpha=0.3)
        plt.tight_layout()
        plt.savefig(CHARTS / name, metadata={"Date": None})
        plt.close()

    plt.figure(figsize=(6, 3.2))
    points = lengths(results)
    plt.semilogx([n for n, _ in points], [s for _, s in points], "o-", label="hmtl, all four tasks")
    peer = results.get("peers", {}).get("torch")
    if peer:
        plt.semilogx(
            [int(n) for n in peer["document"]],
            [x["tokens_per_s"] for x in peer["document"].values()],
            "s--",
            label="Python and PyTorch",
        )
    plt.xlabel("tokens of a document")
    plt.ylabel("tokens a second, one worker")
    plt.legend()
    save("length.svg")
    plt.figure(figsize=(6, 3.2))
    for workers in ("1", "2"):
        callers = results["library"][workers]["callers"]
        plt.semilogx(
            [int(n) for n in callers],
            [x["tokens_per_s"] for x in callers.values()],
            "o-",
            base=2,
            label=f"workers: {workers}",
        )
    plt.xlabel("callers at once, sentences of 25 tokens")
    plt.ylabel("tokens a second")
    plt.legend()
    save("callers.svg")


def gpu():
    """What `benches/gpu.py` measured on a machine with a GPU."""
    results = json.loads((ROOT / "benches/gpu.json").read_text())
    bulk = {name: results[name]["bulk"]["figures"]["tokens_per_s"] for name in results if "bulk" in results[name]}
    device = next(d for d in results["gpu"]["devices"] if d["name"] == "cuda:0")["model"]
    texts = results["gpu"]["bulk"]["texts"]

    def against(name, other):
        return number(bulk[name]), number(bulk[other]), f"{bulk[other] / bulk[name]:.1f}"

    rows = [
        (f"{texts:,} sentences in one call, tokens/s", *against("cpu", "gpu")),
        *(
            (f"the same, {how}", "", number(bulk[name]), "")
            for name, how in [("one_stream", "all workers in one stream"), ("workers_16", "16 workers")]
            if name in bulk
        ),
        ("the same, embedders in bfloat16", "", number(bulk["bf16"]), ""),
        ("names alone with a transformer of MiniLM's size", *against("transformer_cpu", "transformer_gpu")),
        ("the same in bfloat16", "", number(bulk["transformer_bf16"]), ""),
    ]
    document = results["gpu"]["document"]
    rows += [
        (f"a document of {int(n):,} tokens, tokens/s", "", number(document[n]["tokens_per_s"]), "")
        for n in ("1000", "10000", "100000")
    ]
    cpu, one = results["cpu"]["sentence"]["25"]["p50_ms"], results["gpu"]["sentence"]["25"]["p50_ms"]
    rows.append(("a sentence of 25 tokens, p50 in ms", number(cpu), number(one), f"{cpu / one:.1f}"))
    for task, step in results["train_gpu"].items():
        before = results["train_cpu"][task]["step_ms"]
        name = f"a training step of `{task}`, ms (one core)"
        rows.append((name, number(before), number(step["step_ms"]), f"{before / step['step_ms']:.1f}"))
    return device, table(["", "two CPU cores", "GPU", "times"], rows)


def page(results):
    one, start = results["library"]["1"], results["start_up"]
    flat = results["library"].get("flat", {}).get("resident_mb", [])
    memory = ""
    if flat:
        memory = (
            f" Over 100,000 sentences, with the model loaded again and freed after every thousand, resident memory is {number(max(flat[:10]))} MB "
            f"at most in the first tenth and {number(max(flat[-10:]))} MB in the last."
        )
    peer = results.get("peers", {}).get("torch", {})
    unit = one["unit_ms"]
    device, on_gpu = gpu()
    return f"""# Performance

Measured by `make bench` on {results["machine"]["cores"]} cores ({results["machine"]["processor"]}), everything in one run; prose of {results["text"]}; `models/default`,
from text to JSON through the C API. Machines differ: compare ratios. The *unit* is a padded bidirectional LSTM from 200 to 64 over
32 x 30 tokens by LibTorch on one thread, {number(unit)} ms here. Sentences, tasks and batches are measured in rounds, each program in turn, and
shown as in the best of them: what else a shared machine does slows down one or another for minutes. A GPU's figures are further down.

## Tokens a second

{speeds(results)}

One thread, but for two workers and two processes; these have nothing in common but the machine, so that two workers could do
what they do at most. The PyTorch peer (`benches/peers/`) reads the same weights and decides the same on all of the text, scores
within {peer.get("largest_difference", 0):.0e}; it is given tokens, where the library splits them itself. spaCy counts its own tokens, and its document is the
whole text. CoreNLP's figure is its own, without loading, after a text to warm up.

## A single sentence

p50 / p99 in ms, one caller, one thread:

{sentences(results)}

## Tasks

Each alone, with what it needs, and where it is independent, without what only has a say in its labels or clusters; one worker:

{tasks(results)}

Most of the time goes into products of weights and states, which the library's kernel does at 40 to 50 thousand million multiplications a second
on a core of this machine (measured apart from this run, with a loop around it): two of eight floats a cycle, all it can. Eight-bit products would need more instructions for the same without
AVX-512 VNNI, which this machine lacks, and were not written. What the 512 most frequent words of the vocabulary add to the encoders' gates is worked out
when a model is loaded; three fifths of this text's tokens are among them, as of other English prose.

## Callers

Sentences of 25 tokens, from as many threads as there are callers:

{latency(results)}

![tokens a second by callers](performance/callers.svg)

Callers wait in one queue for a worker: p50 grows with callers over workers, and throughput stays.

A worker that has nothing to do helps another with a text of a hundred tokens and more, and what is found stays the same to the last digit of a score.
Texts of 120, 340, 590 and 1,150 tokens, one after the other, took two workers 0.82, 0.71, 0.76 and 0.62 of the time of one: medians of three
runs in turn through the C API with `HMTL_WORKERS` 1 and 2, apart from the run above, which was made before workers helped with encoders.

## Long documents

{table(["tokens", "tokens/s"], [(f"{n:,}", number(s)) for n, s in lengths(results)])}

![tokens a second by length](performance/length.svg)

Spans are scored against a fixed number of spans before them and passages are encoded in batches, so that time grows with the length, not
with its square. Up to 4,096 spans before each are looked through, which short texts do not have.

## Start and memory

From the start of a C program to its first annotation, a paragraph: {number(start["first_annotation_ms"])} ms, of which the model takes {number(one["load"]["load_ms"])} ms to load and the rest is
LibTorch's; {number(start["peak_mb"])} MB at its peak. The first sentence takes {number(one["load"]["first_ms"])} ms.{memory}

## Training

A step on a document of some 800 tokens, one thread, without dropout; the peer begins with the same loss:

{training(results)}

## On a GPU

Measured by `benches/gpu.py` in one run on one {device}, with the default number of workers, 8, beside two cores of the
same machine, each figure for a third of the usual time (`HMTL_BENCH_PACE=0.35`). The cores annotated 3,000 of the sentences, and 200 with the transformer, whose
larger weights were noise: speed does not depend on them. In an earlier run of the same day the two cores did 22,182 tokens a second, not 34,966:
the ratio is of this run alone.

{on_gpu}

In single precision all decisions on the dev sets of GUM, LitBank and Re-DocRED, 73,881, are those of a CPU, and scores differ by 2e-5 at most
(`tests/gpu.rs`): cuDNN is told to compute LSTMs in full precision, without which 12 of them differed. In bfloat16 scores of the demo and a licence
differ by 0.0005 on average and 0.005 at most, and 774 of 775 decisions are the same. It gained nothing: cuDNN has no LSTMs in it, and with a transformer
it was slower than single precision. In half precision LibTorch prefers cuDNN's attention on such a card, which prepares a plan for each new
shape; it is told since to take another, and whether that was the reason has not been measured. The target, 20 times two cores, was not reached.

Changed after this run were how callers are served on a GPU, so that theirs are not shown; the model that ships, whose
relations now read what coreference found and whose labels agree; and how a batch is worked on. Workers share texts by length, in
pieces of 3,000 to 20,000 tokens (chosen by counts, not by time), encoders and heads that read documents read a piece at once, and of a short text only the pairs of its own spans are scored. Each worker
asks the device in a stream of its own, in which it waits for no other's kernels (`HMTL_STREAMS=off`: in one, as in that run). None of that has been run
on a GPU yet. It was run on a CUDA device that is none (`tests/pretend_gpu/`): LibTorch takes it for a GPU, its memory is the host's, its kernels are the
CPU's. All of `tests/gpu.rs` passes there, with the same 79,911 decisions on all dev sets; a tensor that was left on the host is an error there as on a
GPU, and so is one that a worker uses in a stream that does not wait for the one it was made in, which a GPU would not show; and it counts what is asked of it. Of a batch of such sentences, with the model that ships and eight workers (`tests/pretend_gpu.sh counts`):

|  | 1,000: before | now | 16,384: before | now |
|---|---|---|---|---|
| steps of LSTMs | 13,456 | 2,712 | 49,432 | 6,832 |
| other kernels | 8,310 | 2,112 | 25,108 | 6,883 |
| copies to the device, and back | 72, 108 | 18, 27 | 224, 383 | 51, 75 |
| memory of the device at most, without cuDNN's own, GB | 0.7 | 0.5 | 10.3 | 3.2 |

What a kernel takes, and so the speed, it cannot tell. Through LibTorch on two cores (`plain`), where nearly the same is done, 1,483 of the sentences in one
batch now go at 12,088, 12,625 and 11,759 tokens a second, before at 5,292, 5,773 and 5,168, in turn.

A GPU pays for many texts at once and for training, not for one sentence, which waits for some hundred kernels to be started one after the other.
In that run, with eight workers, kernels ran three quarters of the time in bulk, and starting them from several threads took workers most of theirs: with 1, 4, 8 and 16
workers it was 163, 418, 558 and 450 thousand tokens a second (another run). CUDA graphs, which start many kernels at once, are not used: shapes
differ from batch to batch. A batch goes to the device once, and once more for coreference and
for relations, whose spans and pairs are made of what came back; each result comes back once. In cuDNN's LSTMs padded sequences
took a quarter to two fifths of the time of packed ones for 256 sentences of 20 tokens, by PyTorch on the same card, at the widths of this model; from 512 on, or with 150 units, packed ones can be faster.
"""


def main():
    results = json.loads((ROOT / "target/bench/results.json").read_text())
    charts(results)
    (ROOT / "docs/performance.md").write_text(page(results))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Does learning tasks together help?

Trains every set of tasks below from one description, with several seeds, and prints a table of the best dev
score of each task and of the updates it took. A run that is there is not trained again, and one that was
interrupted goes on, so that the script can be stopped and started at will:

    scripts/multitask.py configs/multitask.json runs/multitask --seeds 3 --jobs 2
    scripts/multitask.py configs/multitask.json runs/multitask --table >table.md
"""

import argparse
import copy
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Relations hold between predicted mentions: their head is never alone, but with that of its arguments.
SETS = [
    ["ner"], ["emd"], ["coref"], ["ARGUMENTS", "relation"],
    ["ner", "emd"], ["emd", "coref"],
    ["ner", "emd", "relation"], ["ner", "emd", "relation", "coref"],
]
SAMPLINGS = ["proportional", "uniform"]


def variants(config):
    """Sets of tasks with their sampling; it matters only where there are several."""
    tasks = config["model"]["tasks"]
    arguments = tasks.get("relation", {}).get("arguments")
    for names in SETS:
        names = [arguments if name == "ARGUMENTS" else name for name in names]
        if all(name in tasks for name in names):
            for sampling in SAMPLINGS if len(names) == 4 else SAMPLINGS[:1]:
                yield names, sampling


def title(names, sampling):
    return "+".join(names) + ("" if sampling == "proportional" else f"-{sampling}")


def absolute(value, folder):
    """Paths of a description, seen from anywhere."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key in ("path", "vectors") and isinstance(below, str):
                value[key] = str((folder / below).resolve())
            else:
                absolute(below, folder)
    elif isinstance(value, list):
        for below in value:
            absolute(below, folder)


def restricted(config, names, sampling):
    """The description of a run of some of the tasks, with the encoders that they need."""
    config = copy.deepcopy(config)
    model, training = config["model"], config["training"]
    model["tasks"] = {name: model["tasks"][name] for name in names}
    training["tasks"] = {name: training["tasks"][name] for name in names}
    training["sampling"] = {"type": sampling}
    needed = {task["on"] for task in model["tasks"].values()}
    while True:
        below = {i for e in needed for i in model["encoders"][e]["inputs"] if i != "embedding"}
        if below <= needed:
            break
        needed |= below
    model["encoders"] = {name: e for name, e in model["encoders"].items() if name in needed}
    return config


def lines(out):
    path = out / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def is_done(out):
    return any(line["event"] == "finished" for line in lines(out))


def train(command, out, config, seed):
    if is_done(out):
        return
    out.mkdir(parents=True, exist_ok=True)
    description = out / "run.json"
    description.write_text(json.dumps(config))
    arguments = [command, "train", str(description), "--out", str(out), "--seed", str(seed), "--resume"]
    environment = dict(os.environ, HMTL_WORKERS="1")
    with open(out / "log", "a") as log:
        code = subprocess.run(arguments, stderr=log, env=environment).returncode
    print(f"{out}: {'done' if code == 0 else f'failed, see {out}/log'}", file=sys.stderr)


def curve(out, task):
    """Updates of a task so far, and its dev score, epoch by epoch."""
    points, updates = [], 0
    for line in lines(out):
        if line["event"] == "epoch":
            updates += line["tasks"][task]["steps"]
            points.append((updates, line["tasks"][task]["score"]))
    return points


def show(values, digits):
    mean = statistics.mean(values)
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{mean:.{digits}f}{spread}"


def table(out, config, seeds):
    """Best dev score of each task in each set, mean and standard deviation over the seeds; and below it the
    updates of the task until it first reached 95% of the best mean that its smallest set reached."""
    runs, tasks = list(variants(config)), list(config["training"]["tasks"])
    print("| trained together | " + " | ".join(tasks) + " |")
    print("|---|" + "---|" * len(tasks))
    targets = {}
    for names, sampling in runs:
        scores, speeds = [], []
        for task in tasks:
            folders = [out / title(names, sampling) / str(seed) for seed in seeds if task in names]
            curves = [curve(folder, task) for folder in folders if is_done(folder)]
            if not curves:
                scores.append("")
                speeds.append("")
                continue
            best = [max(score for _, score in c) for c in curves]
            targets.setdefault(task, 0.95 * statistics.mean(best))
            reached = [next((u for u, s in c if s >= targets[task]), None) for c in curves]
            scores.append(show(best, 3))
            speeds.append("never" if None in reached else show(reached, 0))
        print(f"| {title(names, sampling)} | " + " | ".join(scores) + " |")
        print("| *updates to the mark* | " + " | ".join(speeds) + " |")
    print()
    print("The mark of a task is 95% of its score in the first row that has it: " +
          ", ".join(f"{task} {mark:.3f}" for task, mark in targets.items()) + ".")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 1")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--hmtl", default=str(ROOT / "target/release/hmtl"), help="the command")
    parser.add_argument("--table", action="store_true", help="only print the table of what is there")
    arguments = parser.parse_args()
    config = json.loads(arguments.config.read_text())
    absolute(config, arguments.config.resolve().parent)
    seeds = range(1, arguments.seeds + 1)
    if not arguments.table:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for seed in seeds:
                for names, sampling in variants(config):
                    out = arguments.out / title(names, sampling) / str(seed)
                    pool.submit(train, arguments.hmtl, out, restricted(config, names, sampling), seed)
    table(arguments.out, config, seeds)


if __name__ == "__main__":
    main()

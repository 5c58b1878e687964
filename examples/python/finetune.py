"""Teaches a model the labels FOOD and TOOL from a handful of sentences. The model keeps what it knows: its
parameters are frozen, and the new task has an encoder of its own above them.

finetune.py [MODEL_FOLDER [NEW_MODEL_FOLDER]]
"""

import re
import sys

import hmtl

TASK = "kitchen"
SENTENCES = [
    "Melt the [butter/FOOD] in a [heavy saucepan/TOOL] over low heat.",
    "Slice the [onions/FOOD] thinly with a [sharp knife/TOOL].",
    "Stir in the [flour/FOOD] with a [wooden spoon/TOOL].",
    "Pour the [beef stock/FOOD] over the [onions/FOOD] and wait.",
    "Season with [salt/FOOD] and a little [black pepper/FOOD].",
    "My grandmother in Palermo never used [cream/FOOD].",
    "Whisk the [eggs/FOOD] and the [milk/FOOD] in a [bowl/TOOL].",
    "Drain the [rice/FOOD] in a [sieve/TOOL], says Anna Berg.",
    "Cut the [bacon/FOOD] into small cubes with [scissors/TOOL].",
    "She learned it in Lyon, from Paul, in the summer of 2009.",
    "Beat the [cream/FOOD] with a [whisk/TOOL] until it is stiff.",
    "Fry the [garlic/FOOD] in [olive oil/FOOD] in a [large pan/TOOL].",
]


def config(start):
    """What the model at ``start`` is not told to change, it keeps."""
    own = {"type": "lstm", "inputs": ["embedding", "low", "mid"], "hidden": 50, "layers": 1}
    task = {"type": "crf_tagger", "on": "own", "input_dropout": 0.3, "dropout": 0.3}
    return {
        "format": 1,
        "start": start,
        "model": {"encoders": {"own": own}, "tasks": {TASK: task}},
        "training": {
            "seed": 1,
            "epochs": 20,
            "optimizer": {"learning_rate": 0.005},
            "freeze": ["embedding", "encoders.low", "encoders.mid"],
            "tasks": {TASK: {"batch_size": 3}},
        },
        "card": {"name": TASK, "language": "en", "license": "CC-BY-SA-4.0"},
    }


def labelled(model, marked):
    """A gold document of a text with [marked/LABEL] spans; the model splits it into tokens."""
    pieces = re.split(r"\[(.*?)/(.*?)\]", marked)
    text = "".join(piece for at, piece in enumerate(pieces) if at % 3 < 2)
    build = hmtl.DocumentBuilder.from_document(model.annotate(text, tasks=[]))
    build.layer(TASK)
    at = 0
    for plain, span, label in zip(pieces[::3], pieces[1::3], pieces[2::3]):
        start = at + len(plain)
        at = start + len(span)
        build.label(build.token_span(start, at), TASK, label)
    return build.build()


def on_event(event):
    if event["event"] == "epoch" and event["epoch"] % 5 == 0:
        print(f"epoch {event['epoch']}: loss {event['tasks'][TASK]['loss']:.3f}")


folder, new_folder = [*sys.argv[1:], None, None][:2]
with hmtl.Model(folder, tasks=["ner"]) as old:
    gold = [labelled(old, sentence) for sentence in SENTENCES]
with hmtl.Trainer(config(folder or "default")) as trainer, hmtl.Dataset(gold) as data:
    trainer.add_dataset(TASK, "train", data)
    trainer.train(on_event)
    model = trainer.snapshot()
with model:
    text = "Maria Silva fried the onions and the bacon in a large saucepan in Lisbon."
    document = model.annotate(text, tasks=["ner", TASK])
    for task in document.tasks:
        for mention, label in document.labelled(task):
            print(f"{task}\t{label.label}\t{mention.text}")
    if new_folder is not None:
        model.save(new_folder)

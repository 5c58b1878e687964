"""Trains a model on data that it makes in memory, and saves it.

train.py MODEL_FOLDER
"""

import sys

import hmtl

CONFIG = {
    "format": 1,
    "model": {
        "format": 1,
        "embedding": {
            "words": {"type": "table", "size": 16},
            "chars": {"type": "cnn", "size": 8, "filters": 16, "widths": [3]},
        },
        "encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 24, "layers": 1}},
        "tasks": {"ner": {"type": "crf_tagger", "on": "low"}},
    },
    "vocabulary": {"min_count": 1},
    "training": {
        "seed": 1,
        "epochs": 8,
        "optimizer": {"learning_rate": 0.01},
        "tasks": {"ner": {"batch_size": 4}},
    },
    "card": {"name": "travels", "language": "en"},
}
PEOPLE = ["Ada", "Bo", "Cy", "Dina", "Eve", "Finn"]
PLACES = ["Oslo", "Rome", "Lima", "Paris", "Cairo"]


def journeys(people, places):
    """A journey of each person to each place."""
    for person in people:
        for place, origin in zip(places, places[1:] + places[:1]):
            yield labelled(f"{person}/PER flew from {origin}/LOC to {place}/LOC .")
            yield labelled(f"In {place}/LOC , {person}/PER bought a hat .")


def labelled(sentence):
    """A gold document of a sentence such as "Ada/PER left Oslo/LOC"."""
    words = [word.partition("/") for word in sentence.split()]
    build = hmtl.DocumentBuilder.from_sentences([[word for word, _, _ in words]])
    build.layer("ner")
    for at, (_, _, label) in enumerate(words):
        if label:
            build.label((at, at + 1), "ner", label)
    return build.build()


def on_event(event):
    if event["event"] == "epoch":
        print(f"epoch {event['epoch']}: loss {event['tasks']['ner']['loss']:.3f}, dev F1 {event['mean']:.3f}")


if len(sys.argv) != 2:
    sys.exit("usage: train.py MODEL_FOLDER")
with hmtl.Trainer(CONFIG) as trainer:
    for split, documents in (
        ("train", journeys(PEOPLE[:5], PLACES[:4])),
        ("dev", journeys(PEOPLE[4:], PLACES[3:])),
    ):
        with hmtl.Dataset(documents) as data:  # the trainer keeps what it needs
            trainer.add_dataset("ner", split, data)
    trainer.train(on_event)  # until the last epoch, or Ctrl-C
    model = trainer.snapshot()  # of the best epoch
with model:
    model.save(sys.argv[1])
    for mention, label in model.annotate("Finn flew from Lima to Cairo.").labelled("ner"):
        print(label.label, mention.text)

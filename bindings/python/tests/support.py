"""What the tests share."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import hmtl

PACKAGE = Path(__file__).resolve().parent.parent
PROJECT = PACKAGE.parent.parent

TEXT = "Ingrid Solberg was born in Bergen, Norway. She joined the University of Oslo in 2009."
EMOJI = "Zoë 👩‍🚀 met José Silva in São Paulo 🇧🇷. He lives in Norway 😀, she in Oslo."


@functools.cache
def model():
    """The model that ships, loaded once. Never closed."""
    return hmtl.Model()


def sentence(*words, id=None):
    """A document of one sentence: ``sentence("Ada/PER", "left", "Oslo/LOC")``."""
    build = hmtl.DocumentBuilder.from_sentences([[word.split("/")[0] for word in words]], id)
    build.layer("ner")
    for at, word in enumerate(words):
        if "/" in word:
            build.label((at, at + 1), "ner", word.split("/")[1])
    return build.build()


def travels(count=8):
    names = ["Ada", "Bo", "Cy", "Di"]
    return hmtl.Dataset(sentence(f"{names[i % 4]}/PER", "left", "Oslo/LOC") for i in range(count))


def config(epochs=1, **task):
    """A tiny training."""
    return {
        "format": 1,
        "model": {
            "format": 1,
            "embedding": {"words": {"type": "table", "size": 12}},
            "encoders": {"low": {"type": "lstm", "inputs": ["embedding"], "hidden": 12, "layers": 1}},
            "tasks": {"ner": {"type": "crf_tagger", "on": "low"}},
        },
        "training": {
            "seed": 3,
            "epochs": epochs,
            "optimizer": {"learning_rate": 0.05},
            "tasks": {"ner": {"batch_size": 2, **task}},
        },
    }


def trainer(epochs=1, **task):
    made = hmtl.Trainer(config(epochs, **task))
    with travels() as data:
        made.add_dataset("ner", "train", data)
        made.add_dataset("ner", "dev", data)
    return made


@contextlib.contextmanager
def ctrl_c(seconds):
    """Sends this process SIGINT after a while, as often as it takes."""
    ended = threading.Event()

    def send():
        while not ended.wait(seconds):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)

    def interrupt(*_):
        ended.set()
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGINT, interrupt)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        yield
    finally:
        ended.set()
        signal.signal(signal.SIGINT, former)


def python(program, **environment):
    """Runs a program in a new interpreter that finds the package."""
    variables = {k: v for k, v in os.environ.items() if environment.get(k, "") is not None}
    variables.update({k: v for k, v in environment.items() if v is not None})
    variables["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.run(
        [sys.executable, "-c", program], env=variables, capture_output=True, text=True, timeout=120
    )

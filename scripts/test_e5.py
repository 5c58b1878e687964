"""Tests of e5.py."""

import unittest
from types import SimpleNamespace

import e5


class Array:
    """As much of an array as the script asks for."""

    def __init__(self, name, kind="float32"):
        self.name, self.dtype = name, SimpleNamespace(name=kind)

    @property
    def T(self):
        return Array(f"transpose of {self.name}")

    def copy(self):
        return self


class Tests(unittest.TestCase):
    def test_matrices_get_their_names_back(self):
        layer = "encoder.layer.0.attention.self.query"
        tensors = [Array("embeddings.word_embeddings.weight"), Array(f"{layer}.bias"), Array("onnx::MatMul_7"),
                   Array("embeddings.position_ids", "int64"), Array("onnx::Add_9")]
        nodes = [
            SimpleNamespace(op_type="MatMul", name="/encoder/encoder/layer.0/attention/self/query/MatMul", input=["x", "onnx::MatMul_7"]),
            SimpleNamespace(op_type="MatMul", name="/encoder/encoder/layer.0/attention/self/MatMul", input=["x", "y"]),
            SimpleNamespace(op_type="Add", name="/encoder/Add", input=["x", "onnx::Add_9"]),
        ]
        weights = e5.weights_of(SimpleNamespace(initializer=tensors, node=nodes), lambda tensor: tensor)
        self.assertEqual(
            {name: array.name for name, array in weights.items()},
            {"embeddings.word_embeddings.weight": "embeddings.word_embeddings.weight", f"{layer}.bias": f"{layer}.bias",
             f"{layer}.weight": "transpose of onnx::MatMul_7"},
        )


if __name__ == "__main__":
    unittest.main()

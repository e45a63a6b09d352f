"""A whole model folder with the smallest of networks: two logits of three numbers."""

import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAME = "tiny-grader"
WEIGHTS = np.array([[1.0, -2.0], [0.5, 0.0], [0.0, 3.0]], np.float32)
INPUT = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]], np.float32)
OUTPUT = INPUT @ WEIGHTS
CARD = """
name = "tiny-grader"
version = "1.2"
sha256 = "none yet"
kind = "grader"
trained_on = "phantoms"
caution = "Trained on phantoms only."
outputs = {bulging = ["absent", "present"]}
inputs = {anchor = "disc"}
calibration = {bulging = 1.5}
proof = {command = "none"}
"""


def write_model(parent: Path) -> Path:
    """Gives the model's folder, `parent/tiny-grader`."""
    folder = parent / NAME
    folder.mkdir()
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["bulging"])], "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("bulging", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (folder / "card.toml").write_text(CARD)
    put_weights(folder, model.SerializeToString())
    write_golden(folder, input=INPUT, output_bulging=OUTPUT)
    return folder


def put_weights(folder: Path, weights: bytes) -> None:
    """Weights whose checksum is the card's."""
    (folder / "model.onnx").write_bytes(weights)
    card = folder / "card.toml"
    line = f'sha256 = "{hashlib.sha256(weights).hexdigest()}"'
    card.write_text(re.sub(r"^sha256 = .*$", line, card.read_text(), flags=re.M))


def write_golden(folder: Path, **arrays: np.ndarray) -> None:
    np.savez(folder / "golden.npz", **arrays)


def without_weights(folder: Path) -> bytes:
    """The network with its constant gone: ONNX by form, and yet nothing that can be run."""
    model = onnx.load_from_string((folder / "model.onnx").read_bytes())
    del model.graph.initializer[:]
    return model.SerializeToString()

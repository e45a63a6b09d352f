"""From a trained network to a model folder: ONNX file, golden pair, card."""

import hashlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from lumbago.errors import LumbagoError

_TOLERANCE = 1e-3


def export_onnx(
    network: nn.Module, example: Tensor, outputs: Sequence[str], strides: dict[int, int], folder: Path
) -> str:
    """Writes `model.onnx` and `golden.npz` and gives the checksum of the former.

    Args:
        network: in evaluation mode.
        example: an input; it becomes the golden input, and is passed on with the model, so no patient's.
        outputs: names of the network's outputs, in order.
        strides: axes of the input whose size may change, and the number that the size must divide by.

    Raises:
        LumbagoError: the exported network does not repeat the original's numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    axes = {axis: stride * torch.export.Dim(f"axis{axis}", min=1, max=4096) for axis, stride in strides.items()}
    with _in_silence():
        program = torch.onnx.export(
            network.eval(), (example,), dynamo=True, dynamic_shapes=(axes,), external_data=False,
            input_names=["input"], output_names=list(outputs), verbose=False,
        )  # fmt: skip
    assert program is not None
    path = folder / "model.onnx"
    program.save(str(path))
    forget_origin(path)
    golden = _golden(network, example, outputs)
    np.savez_compressed(folder / "golden.npz", **golden)
    weights = path.read_bytes()
    _compare(weights, golden)
    return hashlib.sha256(weights).hexdigest()


def golden_noise(shape: Sequence[int], mean: float | np.ndarray = 0.0, spread: float | np.ndarray = 1.0) -> Tensor:
    """Noise to prove a network on that takes patients' pictures or what is measured in them: a model's folder is passed
    on, they must not be. Always the same, in steps of a quarter of its spread, which pack well.

    Args:
        mean, spread: of what the network takes; scalars, or of its last axis.
    """
    noise = np.round(np.random.default_rng(1).standard_normal(shape) * 4) / 4
    return torch.from_numpy(np.asarray(mean + spread * noise, np.float32))


@contextmanager
def _in_silence() -> Iterator[None]:
    """What the exporter says of torchvision, which is not needed, and of its own insides is nothing to a user."""
    log = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
            yield
    finally:
        log.setLevel(level)


def forget_origin(path: Path) -> None:
    """Takes out of an ONNX file what the exporter notes of its making: stack traces, with the machine's folders."""
    model = onnx.load(path)
    noted = (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output)
    for item in (*noted, *model.graph.initializer, *model.functions, *(n for f in model.functions for n in f.node)):
        del item.metadata_props[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


@torch.no_grad()
def _golden(network: nn.Module, example: Tensor, outputs: Sequence[str]) -> dict[str, Any]:
    results = network(example)
    results = results if isinstance(results, tuple) else (results,)
    named = {f"output_{name}": value.numpy() for name, value in zip(outputs, results, strict=True)}
    return {"input": example.numpy(), **named}


def _compare(weights: bytes, golden: dict[str, Any]) -> None:
    session = onnxruntime.InferenceSession(weights, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    for name, found in zip(names, session.run(names, {"input": golden["input"]}), strict=True):
        wanted = golden[f"output_{name}"]
        if not np.abs(found - wanted).max() <= _TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            raise LumbagoError(f"the exported network gives other numbers in {name} than the trained one")

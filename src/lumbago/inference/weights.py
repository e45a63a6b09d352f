"""A model and its card, run by ONNX Runtime; nothing else in Lumbago knows how a network is run.

A model is a folder `<name>/` with `model.onnx`, `card.toml` and `golden.npz`. It is refused unless its checksum is the
card's and its golden input gives its golden output on this machine.
"""

import hashlib
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from jaxtyping import Float32

from lumbago.errors import ModelRefused

SHIPPED: Final = Path(__file__).parent.parent / "models"
_TOLERANCE: Final = 2e-3


@dataclass(frozen=True, slots=True)
class Card:
    """What must be known about a model to run it and to judge it; read from `card.toml`.

    Attributes:
        name, version: of the model; sha256: of its ONNX file.
        kind: `locator`, `grader`, or `segmenter` for what draws tissues to be measured.
        trained_on: `real`, `phantoms` or `real and phantoms`; caution: a sentence for every reader, or "".
        outputs: labels of each output: channels or classes of boxes of a locator, grades of each condition of a grader.
        inputs: how its input is made (pixel size, shape, slices), as the pipeline understands it.
        calibration: temperature of each output.
        proof: training data with licences, command, hours, measured scores with interval, data, split and command.
        calls: of conditions whose abnormal grades are rare, the probability from which on one is called, see
            `Scale.called`.
        weight: what its answers count for where they are joined with those of other models on the same series.
    """

    name: str
    version: str
    sha256: str
    kind: str
    trained_on: str
    caution: str
    outputs: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, Any]
    calibration: Mapping[str, float]
    proof: Mapping[str, Any]
    calls: Mapping[str, float] = field(default_factory=dict)
    weight: float = 1.0

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions that it grades; of a locator those that its boxes name a grade of, as `condition=grade`."""
        if self.kind == "grader":
            return tuple(self.outputs)
        labels = [label.split("=") for row in self.outputs.values() for label in row if "=" in label]
        return tuple(dict.fromkeys(name for name, _ in labels))


def read_card(folder: Path) -> Card:
    """The card of a model's folder.

    Raises:
        ModelRefused: there is none, it lacks a field, or a field is of another kind.
    """
    try:
        data = tomllib.loads((folder / "card.toml").read_text(encoding="utf8"))
        return Card(
            **{name: data[name] for name in ("name", "version", "sha256", "kind", "trained_on", "caution")},
            outputs={name: tuple(labels) for name, labels in data["outputs"].items()},
            inputs=data["inputs"],
            calibration=data["calibration"],
            calls={name: float(least) for name, least in data.get("calls", {}).items()},
            weight=float(data.get("weight", 1.0)),
            proof=data["proof"],
        )
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelRefused(
            f"the model in {folder} has no readable card ({_reason(error)})",
            "card.toml beside model.onnx",
            "install Lumbago again, or put a whole model there",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return str(error.strerror)
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model."""

    card: Card
    session: Any

    @cached_property
    def _input(self) -> str:
        return str(self.session.get_inputs()[0].name)

    def run(self, batch: Float32[np.ndarray, "..."]) -> dict[str, Float32[np.ndarray, "..."]]:
        """Raw outputs by name for a batch of prepared inputs."""
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, {self._input: batch}), strict=True))


def load_model(name: str, folder: Path = SHIPPED, threads: int = 2) -> Model:
    """Loads and proves a model.

    Raises:
        ModelRefused: missing, damaged, or its golden pair does not hold.
    """
    place = folder / name
    card = read_card(place)
    try:
        weights = (place / "model.onnx").read_bytes()
    except OSError as error:
        raise ModelRefused(
            f"the model {name} has no weights in {place}", "model.onnx", "install Lumbago again"
        ) from error
    if hashlib.sha256(weights).hexdigest() != card.sha256:
        raise ModelRefused(
            f"the weights of {name} in {place} are not those of its card",
            f"checksum {card.sha256[:12]}",
            "install Lumbago again",
        )
    model = Model(card, _session(card, weights, threads))
    _prove(model, place / "golden.npz")
    return model


def _session(card: Card, weights: bytes, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the errors of ONNX Runtime have no base of their own
        raise ModelRefused(f"the weights of {card.name} cannot be run: {error}", "an ONNX model") from error


def _prove(model: Model, golden: Path) -> None:
    pair = _golden_pair(model.card, golden)
    try:
        found = model.run(pair.pop("input"))
    except Exception as error:  # the errors of ONNX Runtime have no base of their own
        raise ModelRefused(f"{model.card.name} does not take its golden input: {error}") from error
    expected = {name.removeprefix("output_"): values for name, values in pair.items()}
    shapes = {name: values.shape for name, values in expected.items()}
    if {name: values.shape for name, values in found.items()} != shapes:
        raise ModelRefused(f"{model.card.name} has other outputs than its golden pair", f"{shapes}")
    for name, values in expected.items():
        difference = float(np.abs(found[name] - values).max())
        if not difference <= _TOLERANCE * max(1.0, float(np.abs(values).max())):
            raise ModelRefused(
                f"{model.card.name} gives other numbers here than at its making ({name}: off by {difference:.2g})",
                f"at most {_TOLERANCE:g}",
                "check the ONNX Runtime version in the lock file",
            )


def _golden_pair(card: Card, golden: Path) -> dict[str, np.ndarray]:
    """`input`, and `output_<name>` for each output."""
    try:
        with golden.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            pair = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ModelRefused(f"{card.name} has no golden pair in {golden.parent}", "golden.npz") from error
    if "input" not in pair or len(pair) < 2:
        raise ModelRefused(
            f"the golden pair of {card.name} in {golden.parent} is not whole", "an input and its outputs"
        )
    return pair

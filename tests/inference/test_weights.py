"""A model is what its card says, or it is refused with one sentence."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from lumbago.errors import ModelRefused
from lumbago.inference.weights import Card, load_model, read_card
from tiny_model import INPUT, NAME, OUTPUT, put_weights, without_weights, write_golden, write_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_model(tmp_path)


def test_a_whole_model_gives_its_golden_output(folder: Path) -> None:
    model = load_model(NAME, folder.parent, threads=1)
    np.testing.assert_allclose(model.run(INPUT)["bulging"], OUTPUT, atol=1e-6)
    np.testing.assert_allclose(model.run(2 * INPUT[:1])["bulging"], 2 * OUTPUT[:1], atol=1e-6)


def test_the_card_is_read_whole(folder: Path) -> None:
    card = read_card(folder)
    assert (card.name, card.version, card.kind, card.trained_on) == (NAME, "1.2", "grader", "phantoms")
    assert card.outputs == {"bulging": ("absent", "present")}
    assert card.conditions == ("bulging",)
    assert card.inputs == {"anchor": "disc"} and card.calibration == {"bulging": 1.5}


def test_onnx_runtime_is_kept_from_reporting_its_use(tmp_path: Path) -> None:
    """Otherwise it makes an identifier of the machine and a queue of events to send, in the user's cache folder."""
    found = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    env = found | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", "import lumbago.inference.weights"], env=env, check=True)
    assert not list(tmp_path.rglob("*"))


def test_a_locator_grades_nothing(folder: Path) -> None:
    edit_card(folder, 'kind = "grader"', 'kind = "locator"')
    assert read_card(folder).conditions == ()


def test_other_machines_may_differ_by_a_little(folder: Path) -> None:
    write_golden(folder, input=INPUT, output_bulging=OUTPUT + np.float32(1e-3))
    load_model(NAME, folder.parent)


def edit_card(folder: Path, old: str, new: str) -> None:
    card = folder / "card.toml"
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new))


def refusal(folder: Path) -> str:
    """Why a model is refused, in one sentence that names it."""
    with pytest.raises(ModelRefused) as refused:
        load_model(NAME, folder.parent)
    sentence = str(refused.value)
    assert NAME in sentence and sentence.endswith(".") and "Traceback" not in sentence
    assert refused.value.exit_code == 6
    return sentence


def test_nothing_there(tmp_path: Path) -> None:
    assert "no readable card" in refusal(tmp_path / NAME)


@pytest.mark.parametrize("line", ['weight = "much"', "calls = 3", 'calls = {pfirrmann = "often"}'])
def test_a_card_whose_numbers_are_none(folder: Path, line: str) -> None:
    card = folder / "card.toml"
    card.write_text(f"{line}\n{card.read_text()}")
    assert "no readable card" in refusal(folder)


@pytest.mark.parametrize("field", [item.name for item in fields(Card) if item.name not in {"calls", "weight"}])
def test_a_card_that_lacks_a_field(folder: Path, field: str) -> None:
    card = folder / "card.toml"
    lines = card.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(f"{field} =")]
    assert len(kept) == len(lines) - 1
    card.write_text("\n".join(kept))
    sentence = refusal(folder)
    assert "card" in sentence and field in sentence


@pytest.mark.parametrize(
    "content",
    [
        b"name = ",
        b"\xff\xfe\x00",
        b"",
    ],
    ids=["no TOML", "no text", "empty"],
)
def test_a_card_that_cannot_be_read(folder: Path, content: bytes) -> None:
    (folder / "card.toml").write_bytes(content)
    assert "no readable card" in refusal(folder)


def test_a_card_whose_outputs_are_no_table(folder: Path) -> None:
    edit_card(folder, 'outputs = {bulging = ["absent", "present"]}', 'outputs = "bulging"')
    assert "no readable card" in refusal(folder)


def test_weights_of_another_checksum(folder: Path) -> None:
    with (folder / "model.onnx").open("ab") as weights:
        weights.write(b"\0")
    assert "not those of its card" in refusal(folder)


def test_no_weights(folder: Path) -> None:
    (folder / "model.onnx").unlink()
    assert "no weights" in refusal(folder)


@pytest.mark.parametrize("weights", [b"", b"not ONNX", b"\x08\x07"], ids=["empty", "text", "no graph"])
def test_weights_that_are_no_onnx(folder: Path, weights: bytes) -> None:
    put_weights(folder, weights)
    assert "cannot be run" in refusal(folder)


def test_weights_that_lack_a_constant(folder: Path) -> None:
    put_weights(folder, without_weights(folder))
    assert "cannot be run" in refusal(folder)


GOLDEN: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "other numbers": ({"input": INPUT, "output_bulging": OUTPUT + np.float32(0.1)}, "other numbers"),
    "not a number": ({"input": INPUT, "output_bulging": np.full_like(OUTPUT, np.nan)}, "other numbers"),
    "fewer rows": ({"input": INPUT, "output_bulging": OUTPUT[:1]}, "other outputs"),
    "another output": ({"input": INPUT, "output_modic": OUTPUT}, "other outputs"),
    "one output too many": ({"input": INPUT, "output_bulging": OUTPUT, "output_modic": OUTPUT}, "other outputs"),
    "no output": ({"input": INPUT}, "not whole"),
    "no input": ({"output_bulging": OUTPUT, "output_modic": OUTPUT}, "not whole"),
    "input of another width": ({"input": INPUT[:, :2], "output_bulging": OUTPUT}, "golden input"),
    "input of another type": ({"input": INPUT.astype(np.float64), "output_bulging": OUTPUT}, "golden input"),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_a_golden_pair_that_does_not_hold(folder: Path, case: str) -> None:
    arrays, reason = GOLDEN[case]
    write_golden(folder, **arrays)
    assert reason in refusal(folder)


def _cut(golden: Path) -> None:
    golden.write_bytes(golden.read_bytes()[:100])


def _bare(golden: Path) -> None:
    with golden.open("wb") as file:
        np.save(file, INPUT)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda golden: golden.write_bytes(b""),
    "text": lambda golden: golden.write_bytes(b"golden"),
    "cut": _cut,
    "one bare array": _bare,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_golden_pair_that_cannot_be_read(folder: Path, damage: str) -> None:
    DAMAGES[damage](folder / "golden.npz")
    assert "no golden pair" in refusal(folder)

"""Every architecture: builds, has the parameters it states, keeps its promise of shapes, learns, exports, refuses.

Counts and shapes are worked out without numbers (PyTorch's "meta" device), so that the largest costs nothing.
"""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from lively import lively
from torch import nn

from lumbago.errors import SettingsRefused
from lumbago.learning.box_losses import fit
from lumbago.learning.detection_losses import DETECTION_LOSSES
from lumbago.networks.architectures import ARCHITECTURES, Architecture
from lumbago.networks.deepscorenet import DeepScoreNet
from lumbago.networks.detector import Detector, DetectorForExport
from lumbago.networks.export_onnx import export_onnx
from lumbago.networks.grader import Grader, GraderForExport
from lumbago.networks.resnet50 import ResNet50, study_heads
from lumbago.networks.vgg19 import Vgg19
from lumbago.networks.yolov8 import YoloV8

HEADS = {"pfirrmann": 5, "bulging": 2}
CHECKING = [row for row in ARCHITECTURES.values() if not row.name.startswith("lite0")]
"""Our own system's sizes are checked where its experiment is read."""

every_row = pytest.mark.parametrize("row", ARCHITECTURES.values(), ids=lambda row: row.name)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def without_numbers(row: Architecture) -> nn.Module:
    with torch.device("meta"):
        return row.build(HEADS).eval()


def picture_shape(row: Architecture, count: int, side: int = 1) -> tuple[int, ...]:
    """The smallest input of a row, `side` strides high and twice that wide."""
    size = (3, side * row.stride, 2 * side * row.stride)
    return (count, row.slices or 2, *size) if row.kind == "grader" else (count, *size)


@every_row
def test_parameters_are_as_many_as_stated(row: Architecture) -> None:
    with torch.device("meta"):
        assert parameters(row.build(row.counted_for)) == row.parameters


def test_deepscorenet_holds_what_keras_counts() -> None:
    network = DeepScoreNet({"spinal_canal_stenosis": 3})
    statistics = [value.numel() for name, value in network.named_buffers() if "running" in name]
    assert parameters(network) + sum(statistics) == 2_787_651


def test_published_counts_of_the_parts() -> None:
    with torch.device("meta"):
        assert parameters(Vgg19({"a": 2}, norm=False)) == 20_024_384 + 2 * 513
        assert parameters(ResNet50(study_heads())) == 23_508_032 + 75 * 2049


def test_a_study_has_25_groups_of_three() -> None:
    heads = study_heads()
    assert set(heads.values()) == {3} and len(heads) == 25
    assert "neural_foraminal_narrowing L4/L5 left" in heads and "spinal_canal_stenosis L1/L2" in heads


@every_row
@torch.no_grad()
def test_shapes(row: Architecture) -> None:
    network, given = without_numbers(row), torch.zeros(picture_shape(row, 2, 2), device="meta")
    rows, columns = given.shape[-2:]
    if isinstance(network, Grader):
        values = sum(network.heads.values())
        logits, maps = network.logits_and_maps(given)
        assert network(given).shape == logits.shape == (2, values)
        assert maps.shape[:2] == (2, values) and maps.dim() == 4
        assert {name: part.shape[1] for name, part in network.split(logits).items()} == network.heads
    elif isinstance(network, Detector):
        raw = network(given)
        assert [scale.shape[2:] for scale in raw] == [(rows // s, columns // s) for s in network.strides]
        assert network.decode(raw).shape == (2, network.flat(raw).shape[1], 4 + 7)
    else:
        assert network(given).shape == (2, 7, rows, columns)


@pytest.mark.parametrize("row", CHECKING, ids=lambda row: row.name)
def test_another_size_is_refused(row: Architecture) -> None:
    shape = picture_shape(row, 1)
    with pytest.raises(
        SettingsRefused, match=rf"was given pictures of .*; expected sides that divide by {row.stride}\.$"
    ):
        without_numbers(row)(torch.zeros(*shape[:-1], shape[-1] + 1, device="meta"))


@pytest.mark.parametrize(
    "name", [row.name for row in ARCHITECTURES.values() if row.kind == "grader" and not row.slices]
)
def test_one_slice_is_enough(name: str) -> None:
    row = ARCHITECTURES[name]
    given = torch.zeros(1, 1, 3, row.stride, row.stride, device="meta")
    with torch.no_grad():
        assert without_numbers(row)(given).shape == (1, 7)


def exported(network: nn.Module) -> tuple[nn.Module, list[str]]:
    if isinstance(network, Grader):
        return GraderForExport([network]), [*network.heads, "maps"]
    return (DetectorForExport(network), ["boxes"]) if isinstance(network, Detector) else (network, ["maps"])


@pytest.mark.slow
@every_row
def test_onnx_runtime_repeats_it(row: Architecture, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network, outputs = exported(lively(row.build(HEADS), 1))
    network.eval()
    strides = {0: 1} if row.kind == "grader" else {2: row.stride, 3: row.stride}
    batch = 2 if row.kind == "grader" else 1
    export_onnx(network, torch.rand(picture_shape(row, batch, 2)), outputs, strides, tmp_path)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    given = torch.rand(picture_shape(row, 3 if row.kind == "grader" else 1, 2 if row.kind == "grader" else 3))
    with torch.no_grad():
        wanted = network(given)
    for value, seen in zip(
        wanted if isinstance(wanted, tuple) else [wanted], session.run(None, {"input": given.numpy()}), strict=True
    ):
        np.testing.assert_allclose(seen, value.numpy(), atol=1e-4 * max(1, float(value.abs().max())))


def eight_pictures(row: Architecture) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, every second one with a bright square; and which those are."""
    generator = torch.Generator().manual_seed(1)
    side = max(1, 32 // row.stride)
    pictures = 0.3 * torch.randn(picture_shape(row, 8, side), generator=generator)
    pictures[1::2, ..., 8:20, 8:24] += 1
    return pictures, torch.arange(8) % 2


def loss_of(network: nn.Module, pictures: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    if isinstance(network, Detector):
        boxes = torch.tensor([8.0, 8.0, 24.0, 20.0, 0.0]).repeat(8, 1, 1)
        boxes[kind == 0, :, 4] = -1
        return DETECTION_LOSSES[type(network)](network, network(pictures), boxes)
    found = network(pictures)
    if isinstance(network, Grader):
        parts = [part.log_softmax(1)[torch.arange(8), kind] for part in network.split(found).values()]
        return -torch.stack(parts).mean()
    inside = torch.zeros(8, *pictures.shape[-2:], dtype=torch.long)
    inside[kind == 1, 8:20, 8:24] = 1
    return nn.functional.cross_entropy(found, inside)


def is_learned(network: nn.Module, pictures: torch.Tensor, kind: torch.Tensor, start: float) -> bool:
    """A detector finds the squares and nothing else; of the others the loss has fallen far."""
    if not isinstance(network, Detector):
        return float(loss_of(network, pictures, kind)) < 0.25 * start
    found = network.decode(network(pictures))
    best = found[torch.arange(8), found[:, :, 4].argmax(1)]
    square = torch.tensor([8.0, 8.0, 24.0, 20.0]).expand(4, 4)
    finds = best[kind == 1, 4].min() > 0.4 > best[kind == 0, 4].max()
    return bool(finds) and float(fit(best[kind == 1, :4], square).min()) > 0.5


@pytest.mark.slow
@every_row
def test_it_learns_eight_pictures_by_heart(row: Architecture) -> None:
    torch.manual_seed(2)
    network = row.build({"one": 2}).train()
    pictures, kind = eight_pictures(row)
    taught = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(taught, 1e-3)
    start = float(loss_of(network, pictures, kind).detach())
    for step in range(150):
        optimizer.zero_grad()
        loss_of(network, pictures, kind).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 10 == 9:
            with torch.no_grad():
                if is_learned(network, pictures, kind, start):
                    return
    pytest.fail(f"{row.name} has not learned eight pictures in 150 steps")


def test_losses_cover_all_detectors() -> None:
    kinds = {type(without_numbers(row)) for row in ARCHITECTURES.values() if row.kind == "detector"}
    assert kinds == set(DETECTION_LOSSES) and YoloV8 in kinds

"""What ONNX Runtime runs is what PyTorch trained, at other sizes too."""

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from lively import lively
from torch import Tensor, nn

from lumbago.errors import LumbagoError
from lumbago.inference.weights import SHIPPED
from lumbago.networks.export_onnx import export_onnx, golden_noise
from lumbago.networks.patch_grader import PatchGrader, PatchGraderForExport
from lumbago.networks.spine_locator import SpineLocator

"""PyTorch's exporter calls what PyTorch itself has declared old."""


class Edges(nn.Module):
    """A picture's edges: convolution, then a threshold."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        found: Tensor = self.convolution(picture).relu()
        return found


class Dice(nn.Module):
    """Never says the same twice."""

    def forward(self, picture: Tensor) -> Tensor:
        return picture + torch.rand_like(picture)


def run_onnx(folder: Path, given: Tensor) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"input": given.numpy()}), strict=True))


@torch.no_grad()
def assert_same(network: nn.Module, folder: Path, given: Tensor) -> None:
    """ONNX gives PyTorch's outputs, in PyTorch's order."""
    wanted, found = network(given), run_onnx(folder, given)
    for value, (name, seen) in zip(wanted if isinstance(wanted, tuple) else [wanted], found.items(), strict=True):
        np.testing.assert_allclose(seen, value.numpy(), atol=1e-4 * max(1, float(value.abs().max())), err_msg=name)


def test_a_folder_with_weights_and_their_proof(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network, example = Edges(), torch.randn(1, 1, 8, 12)
    sha256 = export_onnx(network, example, ["edges"], {2: 4, 3: 4}, tmp_path / "new" / "model")
    folder = tmp_path / "new" / "model"
    assert sha256 == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert sorted(path.name for path in folder.iterdir()) == ["golden.npz", "model.onnx"]
    with np.load(folder / "golden.npz") as golden:
        assert np.array_equal(golden["input"], example.numpy())
        np.testing.assert_allclose(run_onnx(folder, example)["edges"], golden["output_edges"], atol=1e-5)
    for rows, columns in ((4, 4), (16, 40)):
        assert_same(network, folder, torch.randn(1, 1, rows, columns))


def test_a_model_does_not_tell_where_it_was_made(tmp_path: Path) -> None:
    export_onnx(Edges(), torch.zeros(1, 1, 8, 8), ["edges"], {2: 4}, tmp_path)
    for path in (tmp_path / "model.onnx", *SHIPPED.glob("*/model.onnx")):
        content = path.read_bytes()
        assert b".py" not in content and b"/home/" not in content, path


def test_numbers_that_do_not_repeat_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LumbagoError, match="other numbers in noise"):
        export_onnx(Dice(), torch.zeros(1, 1, 4, 4), ["noise"], {0: 1}, tmp_path)


@pytest.mark.slow
def test_an_ensemble_of_graders_at_any_batch_size(tmp_path: Path) -> None:
    torch.manual_seed(2)
    members = [lively(PatchGrader({"pfirrmann": 5, "bulging": 2}), seed) for seed in (1, 2)]
    graders = [member for member in members if isinstance(member, PatchGrader)]
    network = PatchGraderForExport(graders).eval()
    export_onnx(network, torch.randn(2, 1, 3, 32, 32), ["pfirrmann", "bulging", "maps"], {0: 1}, tmp_path)
    for batch in (1, 2, 5):
        assert_same(network, tmp_path, torch.randn(batch, 1, 3, 32, 32))
    given = torch.randn(3, 1, 3, 32, 32)
    with torch.no_grad():
        mean = (graders[0](given) + graders[1](given)) / 2
    np.testing.assert_allclose(run_onnx(tmp_path, given)["pfirrmann"], mean[:, :5].numpy(), atol=1e-3)


@pytest.mark.slow
def test_the_locator_at_any_size(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = lively(SpineLocator(7), 1)
    export_onnx(network, torch.randn(1, 3, 64, 96), ["maps"], {2: 32, 3: 32}, tmp_path)
    for shape in ((64, 96), (32, 32), (160, 64)):
        assert_same(network, tmp_path, torch.randn(1, 3, *shape))


def test_golden_noise_is_the_same_everywhere_and_packs(tmp_path: Path) -> None:
    noise = golden_noise((2, 3, 40, 50), 0.5, 0.2).numpy()
    assert np.array_equal(noise, golden_noise((2, 3, 40, 50), 0.5, 0.2).numpy()) and noise.dtype == np.float32
    assert abs(noise.mean() - 0.5) < 0.02 and abs(noise.std() - 0.2) < 0.02
    np.savez_compressed(tmp_path / "noise.npz", noise)
    assert (tmp_path / "noise.npz").stat().st_size < noise.nbytes / 3
    columns = golden_noise((500, 2), np.array([1.0, -9.0]), np.array([0.0, 2.0])).numpy()
    assert (columns[:, 0] == 1.0).all() and abs(columns[:, 1].mean() + 9.0) < 0.4

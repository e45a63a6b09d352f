"""Maps are what the logits rest on; slices count alike; what is missing is not seen."""

import pytest
import torch
from lively import lively

from lumbago.networks.cnn_transformer import CnnTransformer, SpineTransformer
from lumbago.networks.deepscorenet import DeepScoreNet, halved
from lumbago.networks.grader import Grader, GraderForExport, LinearGrader, maps_of_cells_left_out
from lumbago.networks.spinenet import SpineNet

HEADS = {"pfirrmann": 5, "bulging": 2}


class Little(LinearGrader):
    """Its cells are the pixels."""

    def __init__(self) -> None:
        super().__init__(HEADS, 3, 0.5)

    def cells(self, patches: torch.Tensor) -> torch.Tensor:
        return patches


@pytest.fixture(scope="module")
def patches() -> torch.Tensor:
    return torch.randn(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(4))


@torch.no_grad()
def test_logits_are_the_means_of_their_maps(patches: torch.Tensor) -> None:
    grader = lively(Little(), 1)
    assert isinstance(grader, Little) and grader.maps_are == "class activation"
    logits, maps = grader.logits_and_maps(patches)
    torch.testing.assert_close(logits, grader(patches))
    torch.testing.assert_close(maps.mean((2, 3)) + grader.grade.bias, logits)


@torch.no_grad()
def test_a_cell_left_out_of_a_linear_answer(patches: torch.Tensor) -> None:
    """By hand: w (cell - mean) / (n - 1)."""
    grader = lively(Little(), 1)
    assert isinstance(grader, Little)
    cells = grader.cells(patches[..., :4, :5])
    maps = maps_of_cells_left_out(grader.answer, cells, grader.answer(cells.mean((3, 4))))
    away = (cells.mean(1) - cells.mean((1, 3, 4))[..., None, None]) / 19
    torch.testing.assert_close(maps, torch.einsum("bwxy,kw->bkxy", away, grader.grade.weight))


@torch.no_grad()
def test_one_cell_left_out_leaves_nothing(patches: torch.Tensor) -> None:
    grader = lively(Little(), 1)
    assert isinstance(grader, Little)
    cells = patches[..., :1, :1]
    logits = grader.answer(cells.mean((3, 4)))
    maps = maps_of_cells_left_out(grader.answer, cells, logits)
    torch.testing.assert_close(maps[..., 0, 0], logits - grader.grade.bias)


@torch.no_grad()
def test_an_ensemble_is_the_mean_of_its_members(patches: torch.Tensor) -> None:
    members = [member for seed in (1, 2) if isinstance(member := lively(DeepScoreNet(HEADS), seed), Grader)]
    together = GraderForExport(members)(patches)
    apart = [GraderForExport([member])(patches) for member in members]
    assert [tuple(part.shape) for part in together] == [(2, 5), (2, 2), (2, 7, 2, 2)]
    for mean, first, second in zip(together, *apart, strict=True):
        torch.testing.assert_close(mean, (first + second) / 2)


def test_halving_pads_the_far_end_only() -> None:
    line = torch.tensor([5.0, 1.0, 2.0, 9.0])
    assert halved(line.repeat(4, 1)[None, None])[0, 0].tolist() == [[5.0, 9.0]] * 2


@torch.no_grad()
def test_a_missing_slice_is_not_seen(patches: torch.Tensor) -> None:
    """A slice of zeros changes nothing but the places of the others; at the same places, nothing."""
    grader = lively(CnnTransformer(HEADS), 1)
    padded = torch.cat([torch.zeros_like(patches[:, :1]), patches, torch.zeros_like(patches[:, :1])], dim=1)
    torch.testing.assert_close(grader(padded), grader(patches), atol=1e-4, rtol=1e-4)
    assert (grader(patches[:, [2, 1, 0]]) - grader(patches)).abs().max() > 1e-3, "slices have places"


@torch.no_grad()
def test_a_level_is_graded_in_the_light_of_the_others() -> None:
    network = lively(SpineTransformer(HEADS, ("L4/L5", "L5/S1"), series=2, slices=1), 1)
    assert isinstance(network, SpineTransformer)
    assert list(network.heads) == ["pfirrmann L4/L5", "bulging L4/L5", "pfirrmann L5/S1", "bulging L5/S1"]
    spine = torch.randn(1, 4, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    changed, absent = spine.clone(), spine.clone()
    changed[:, 3] += 1
    absent[:, 3] = 0
    assert (network(changed) - network(spine))[:, :7].abs().max() > 1e-4
    assert torch.isfinite(network(absent)).all() and torch.isfinite(network(torch.zeros_like(spine))).all()


@torch.no_grad()
def test_spinenet_sums_of_one_slice_what_a_3d_convolution_would() -> None:
    """By padding with zeros by hand: no layer sees one slice, and each tells of the middle one."""
    for layer in SpineNet(HEADS, width=4).modules():
        if isinstance(layer, torch.nn.Conv3d):
            one = torch.randn(2, layer.in_channels, 1, 16, 16, generator=torch.Generator().manual_seed(4))
            depth = layer.kernel_size[0] // 2
            padded = torch.nn.functional.pad(one, (0, 0, 0, 0, depth or 1, depth or 1))
            assert padded.shape[2] > 1
            torch.testing.assert_close(layer(one), layer(padded)[:, :, depth or 1, None])

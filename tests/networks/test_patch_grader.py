"""A grader: logits per condition, slices pooled without an order, logits that are the mean of their maps."""

import pytest
import torch
from lively import lively

from lumbago.networks.patch_grader import PatchGrader, PatchGraderForExport

HEADS = {"pfirrmann": 5, "bulging": 2}


@pytest.fixture(scope="module")
def graders() -> list[PatchGrader]:
    torch.manual_seed(3)
    made = [lively(PatchGrader(HEADS), seed) for seed in (1, 2)]
    return [grader for grader in made if isinstance(grader, PatchGrader)]


@pytest.fixture(scope="module")
def patches() -> torch.Tensor:
    return torch.randn(2, 3, 3, 32, 48, generator=torch.Generator().manual_seed(4))


@torch.no_grad()
def test_shapes(graders: list[PatchGrader], patches: torch.Tensor) -> None:
    grader = graders[0]
    assert grader.features(patches).shape[2:] == (4, 6), "stride 8"
    logits = grader(patches)
    assert logits.shape == (2, 7)
    parts = grader.split(logits)
    assert {name: tuple(part.shape) for name, part in parts.items()} == {"pfirrmann": (2, 5), "bulging": (2, 2)}
    assert torch.equal(torch.cat([parts["pfirrmann"], parts["bulging"]], dim=1), logits)


@torch.no_grad()
def test_the_order_of_slices_does_not_matter(graders: list[PatchGrader], patches: torch.Tensor) -> None:
    torch.testing.assert_close(graders[0](patches), graders[0](patches.flip(1)))


@torch.no_grad()
def test_a_slice_said_twice_counts_once(graders: list[PatchGrader], patches: torch.Tensor) -> None:
    one = patches[:, :1]
    torch.testing.assert_close(graders[0](one), graders[0](one.expand(-1, 3, -1, -1, -1)))


@torch.no_grad()
def test_every_slice_is_looked_at(graders: list[PatchGrader], patches: torch.Tensor) -> None:
    for index in range(3):
        changed = patches.clone()
        changed[:, index] += 1.0
        assert (graders[0](changed) - graders[0](patches)).abs().max() > 1e-3


@torch.no_grad()
def test_patches_of_a_batch_do_not_mix(graders: list[PatchGrader], patches: torch.Tensor) -> None:
    torch.testing.assert_close(graders[0](patches)[1:], graders[0](patches[1:]))


@torch.no_grad()
def test_what_is_exported_repeats_what_was_trained(graders: list[PatchGrader], patches: torch.Tensor) -> None:
    """Logits by way of the maps are the trained network's own, and the maps' means plus biases."""
    grader = graders[0]
    pfirrmann, bulging, maps = PatchGraderForExport([grader])(patches)
    torch.testing.assert_close(torch.cat([pfirrmann, bulging], dim=1), grader(patches))
    assert maps.shape == (2, 7, 4, 6)
    torch.testing.assert_close(maps.mean((2, 3)) + grader.grade.bias, grader(patches))


@torch.no_grad()
def test_an_ensemble_is_the_mean_of_its_members(graders: list[PatchGrader], patches: torch.Tensor) -> None:
    together = PatchGraderForExport(graders)(patches)
    apart = [PatchGraderForExport([grader])(patches) for grader in graders]
    assert (apart[0][0] - apart[1][0]).abs().max() > 0.1, "members that agree would prove nothing"
    for mean, first, second in zip(together, *apart, strict=True):
        torch.testing.assert_close(mean, (first + second) / 2)

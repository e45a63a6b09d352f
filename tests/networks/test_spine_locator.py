"""The locator: a map per channel at the picture's own size."""

import pytest
import torch
from lively import lively

from lumbago.networks.spine_locator import SpineLocator


@pytest.fixture(scope="module")
def locator() -> torch.nn.Module:
    torch.manual_seed(5)
    return lively(SpineLocator(4), 1)


@torch.no_grad()
@pytest.mark.parametrize("shape", [(32, 32), (64, 96)])
def test_maps_have_the_size_of_the_picture(locator: torch.nn.Module, shape: tuple[int, int]) -> None:
    assert locator(torch.zeros(2, 3, *shape)).shape == (2, 4, *shape)


@torch.no_grad()
def test_a_fresh_locator_sees_next_to_nothing() -> None:
    """Targets are rare: a start at one half everywhere would waste the first steps."""
    assert SpineLocator(4).eval()(torch.zeros(1, 3, 64, 64)).sigmoid().max() < 0.2


@torch.no_grad()
def test_a_change_far_below_leaves_the_top_alone(locator: torch.nn.Module) -> None:
    picture = torch.randn(1, 3, 512, 32, generator=torch.Generator().manual_seed(2))
    changed = picture.clone()
    changed[:, :, 480:] += 1
    difference = (locator(picture) - locator(changed)).abs().amax((0, 1, 3))
    assert difference[470:].max() > 1e-3
    assert difference[:32].max() < 1e-3 * difference[470:].max()

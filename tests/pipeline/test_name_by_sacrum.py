"""L5/S1 is the disc with the sacrum below it, whatever a map of L5/S1 says."""

from dataclasses import dataclass, replace

import numpy as np
from painted_spine import DISCS, PaintedLocator, Spine, sagittal_volume

from lumbago.pipeline.locate_discs import CHANNELS, SpineLocation, locate_discs
from lumbago.pipeline.name_by_sacrum import NAMES_BY, SACRUM, sacrum_below

SHAPE = (120, 90)


def bodies(sacrum_from: int) -> tuple[np.ndarray, np.ndarray]:
    """A column of bone, and the part of it that is sacrum."""
    column = np.zeros(SHAPE, np.float32)
    column[10:110, 30:65] = 1.0
    sacrum = column.copy()
    sacrum[:sacrum_from] = 0.0
    return column, sacrum


def test_the_share_of_sacrum_in_the_bone_below() -> None:
    column, sacrum = bodies(60)
    share = sacrum_below(column, sacrum)
    assert share[55, 44] == 1.0 and share[20, 44] == 0.0
    assert 0.0 < share[45, 44] < 1.0, "half of what lies below is sacrum"
    assert (np.diff(share[10:60, 44]) >= 0).all()


def test_a_sacrum_that_is_a_vertebra_too_counts_once() -> None:
    column, sacrum = bodies(60)
    without = np.where(sacrum > 0, 0.0, column).astype(np.float32)
    assert sacrum_below(without, sacrum)[55, 44] == sacrum_below(column, sacrum)[55, 44] == 1.0


def test_no_bone_is_no_sacrum() -> None:
    nothing = np.zeros(SHAPE, np.float32)
    assert not sacrum_below(nothing, nothing).any()
    column, _ = bodies(60)
    assert not sacrum_below(column, nothing).any()


@dataclass(frozen=True, eq=False)
class Blind(PaintedLocator):
    """Takes every disc for L5/S1, the uppermost most of all."""

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        maps = super().run(batch)["maps"]
        fading = np.linspace(1.0, -1.0, maps.shape[2], dtype=np.float32)[:, None]
        maps[:, CHANNELS.index("lumbosacral_center")] = maps[:, CHANNELS.index("disc_center")] + fading
        return {"maps": maps}


def named_by(how: dict[str, str], spine: Spine) -> SpineLocation:
    return locate_discs(Blind(card=replace(PaintedLocator().card, inputs=how)), sagittal_volume(spine))


def test_discs_are_named_by_the_sacrum_where_the_card_says_so() -> None:
    found = named_by({NAMES_BY: SACRUM}, Spine())
    assert found.name_is_sure and len(found.discs) == len(DISCS)
    for disc in DISCS:
        located = found.disc(disc.level)
        assert located is not None and np.linalg.norm((located.center_lps_mm - disc.center)[1:]) < 2.0
    assert len(named_by({}, Spine()).discs) < len(DISCS), "by its own map the wrong disc is the lowest"


def test_without_a_sacrum_no_name_is_sure() -> None:
    found = named_by({NAMES_BY: SACRUM}, Spine(has_sacrum=False))
    assert found.discs and not found.name_is_sure

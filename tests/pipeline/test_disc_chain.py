"""A row of discs from bumps: what belongs to one spine, and what it is called."""

from itertools import pairwise

import numpy as np
import pytest

from lumbago.anatomy.levels import LEVELS
from lumbago.pipeline.disc_chain import DiscChain, find_bumps, find_chain

SHAPE = (300, 200)
SPINE = {"L1/L2": (60, 100), "L2/L3": (95, 96), "L3/L4": (130, 94), "L4/L5": (165, 97), "L5/S1": (198, 106)}
BOTTOM_UP = tuple(reversed(LEVELS))


def heat(bumps: dict[tuple[float, float], float]) -> np.ndarray:
    rows, columns = np.indices(SHAPE)
    drawn = np.zeros(SHAPE)
    for (row, column), height in bumps.items():
        drawn = np.maximum(drawn, height * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 3.0**2)))
    return drawn.astype(np.float32)


def chain(
    more: dict[tuple[float, float], float] | None = None, without: str = "", lowest: dict[str, float] | None = None
) -> DiscChain:
    """The chain of a whole spine with some bumps more, one less, and heights of the L5/S1 map by level."""
    discs = {place: 0.9 for level, place in SPINE.items() if level != without} | (more or {})
    looks = {SPINE[level]: height for level, height in (lowest or {"L5/S1": 0.9}).items()}
    return find_chain(heat(discs), heat(looks))


def seen(found: DiscChain) -> dict[str, tuple[int, int]]:
    return {
        level: (round(point.row), round(point.column)) for level, point in zip(found.levels, found.points, strict=True)
    }


def test_a_whole_spine_is_named_from_the_bottom() -> None:
    found = chain()
    assert found.levels == BOTTOM_UP
    assert seen(found) == SPINE
    assert found.name_is_sure
    assert all(point.score == pytest.approx(0.9, abs=0.01) for point in found.points)


def test_places_are_finer_than_a_pixel() -> None:
    (bump,) = find_bumps(heat({(100.4, 50.7): 0.9}), heat({}))
    assert (bump.row, bump.column) == (pytest.approx(100.4, abs=0.15), pytest.approx(50.7, abs=0.15))


@pytest.mark.parametrize("place", [(112, 40), (130, 165), (60, 30), (230, 20), (20, 180)])
def test_a_false_bump_beside_the_spine_is_ignored(place: tuple[int, int]) -> None:
    assert seen(chain({place: 0.6})) == SPINE


def test_a_strong_false_bump_between_two_discs_is_ignored() -> None:
    """A bright basivertebral vein lies half way between two discs."""
    assert seen(chain({(112, 112): 0.5})) == SPINE


@pytest.mark.parametrize("level", LEVELS[1:-1])
def test_a_lost_disc_is_filled_in_and_names_stay_right(level: str) -> None:
    found = chain({(25, 104): 0.9}, without=level)
    assert found.levels == (*BOTTOM_UP, "T12/L1")
    filled = {name: point for name, point in zip(found.levels, found.points, strict=True) if point.score == 0}
    assert list(filled) == [level]
    assert np.hypot(filled[level].row - SPINE[level][0], filled[level].column - SPINE[level][1]) < 6


def test_a_faint_disc_is_taken_up_where_it_lies() -> None:
    found = chain({SPINE["L3/L4"]: 0.15}, without="L3/L4")
    assert seen(found) == SPINE
    assert found.points[2].score == pytest.approx(0.15, abs=0.01)


def test_what_lies_below_the_lumbosacral_disc_is_sacrum() -> None:
    found = chain({(218, 122): 0.8, (236, 134): 0.6})
    assert seen(found) == SPINE
    assert found.name_is_sure


def test_nothing_like_the_lumbosacral_disc_means_names_are_a_guess() -> None:
    found = chain(lowest={"L5/S1": 0.0})
    assert found.levels == BOTTOM_UP
    assert not found.name_is_sure


def test_a_doubtful_lumbosacral_disc_counts_but_is_not_sure() -> None:
    found = chain({(218, 122): 0.8}, lowest={"L5/S1": 0.42})
    assert seen(found) == SPINE
    assert not found.name_is_sure


def test_discs_above_are_named_on_into_the_chest() -> None:
    found = chain({(28, 103): 0.9, (4, 106): 0.9})
    assert found.levels[5:] == ("T12/L1", "T11/T12")


def test_a_cut_off_spine_starts_where_it_starts() -> None:
    found = chain(without="L1/L2")
    assert found.levels == BOTTOM_UP[:4]
    assert found.name_is_sure


def test_a_single_clear_bump_is_a_disc() -> None:
    found = find_chain(heat({(150, 90): 0.6}), heat({}))
    assert found.levels == ("L5/S1",)
    assert (found.points[0].row, found.points[0].column) == (pytest.approx(150), pytest.approx(90))
    assert not found.name_is_sure


@pytest.mark.parametrize("bumps", [{}, {(150.0, 90.0): 0.2}])
def test_nothing_clear_is_no_chain(bumps: dict[tuple[float, float], float]) -> None:
    assert find_chain(heat(bumps), heat({})) == DiscChain((), (), name_is_sure=False)


def test_two_bumps_that_cannot_be_neighbours_are_no_pair() -> None:
    found = find_chain(heat({(100, 20): 0.9, (104, 180): 0.5}), heat({}))
    assert len(found.points) == 1
    assert found.points[0].column == pytest.approx(20)


def test_a_bump_at_the_very_edge_is_found() -> None:
    bumps = find_bumps(heat({(0, 0): 0.9, (299, 199): 0.9}), heat({}))
    assert [round(bump.row) for bump in bumps] == [1, 298]


def test_more_discs_than_there_are_names_keep_those_that_have_one() -> None:
    """A picture of the whole spine holds 23."""
    discs = {(float(5 + 14 * n), 100.0): 0.9 for n in range(21)}
    found = find_chain(heat(discs), heat({(285.0, 100.0): 0.9}))
    assert len(found.levels) == 17
    assert (found.levels[0], found.levels[-1]) == ("L5/S1", "T1/T2")
    assert round(found.points[0].row) == 285


def test_noise_gives_a_chain_or_none_but_no_error() -> None:
    rng = np.random.default_rng(3)
    for scale in (0.2, 0.6, 1.0):
        maps = rng.uniform(0, scale, (2, *SHAPE)).astype(np.float32)
        found = find_chain(maps[0], maps[1])
        assert len(found.points) == len(found.levels) <= 17


def test_a_weak_bump_below_is_sacrum_where_that_is_asked_for_and_nothing_looks_like_l5_s1() -> None:
    discs = dict.fromkeys(SPINE.values(), 0.5) | {(225, 122): 0.2}
    asked, not_asked = (find_chain(heat(discs), heat({}), share) for share in (0.6, 0.0))
    assert seen(asked) == SPINE and not asked.name_is_sure
    assert seen(not_asked)["L4/L5"] == SPINE["L5/S1"]
    told = find_chain(heat(discs), heat({(225, 122): 0.4}), 0.6)
    assert seen(told)["L4/L5"] == SPINE["L5/S1"]
    assert find_chain(heat({}), heat({}), 0.6).levels == ()


def test_weak_bumps_in_the_middle_of_bodies_are_ignored() -> None:
    places = list(SPINE.values())
    between = {((a[0] + b[0]) // 2, (a[1] + b[1]) // 2): 0.35 for a, b in pairwise(places)}
    assert seen(find_chain(heat(dict.fromkeys(places, 0.55) | between), heat({SPINE["L5/S1"]: 0.5}))) == SPINE

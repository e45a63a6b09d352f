"""Levels: their names run from the sacrum up and back."""

from itertools import pairwise

import pytest

from lumbago.anatomy.levels import LEVELS, SIDES, bodies_of, bottom_count, level_from_bottom

ALL_DISCS = [level_from_bottom(count) for count in range(1, 18)]


@pytest.mark.parametrize("count", range(1, 18))
def test_names_round_trip(count: int) -> None:
    assert bottom_count(level_from_bottom(count)) == count


def test_graded_levels_are_the_five_above_the_sacrum() -> None:
    assert tuple(ALL_DISCS[4::-1]) == LEVELS


def test_names_go_on_into_the_chest() -> None:
    assert ALL_DISCS[5:7] == ["T12/L1", "T11/T12"]
    assert ALL_DISCS[-1] == "T1/T2"


def test_neighbours_share_a_body() -> None:
    for lower, upper in pairwise(ALL_DISCS):
        assert bodies_of(upper)[1] == bodies_of(lower)[0]


@pytest.mark.parametrize("count", [-1, 0, 18])
def test_a_count_without_a_name_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"disc {count} from the bottom: expected 1 to 17"):
        level_from_bottom(count)


def test_there_are_two_sides() -> None:
    assert sorted(SIDES) == ["left", "right"]

"""High-intensity zones: how often, where, and of which form."""

from functools import cache

from lumbago.phantom.sample_spine import sample_spine
from lumbago.phantom.spine_spec import DiscSpec, ZoneSpec

SPINES = 300


@cache
def discs() -> tuple[tuple[str, DiscSpec], ...]:
    return tuple((segment.name, segment.disc) for seed in range(SPINES) for segment in sample_spine(seed).segments)


def zones(*, in_front: bool) -> list[tuple[str, DiscSpec, ZoneSpec]]:
    return [(name, disc, zone) for name, disc in discs() for zone in disc.zones if zone.in_front is in_front]


def share(found: list[bool]) -> float:
    return sum(found) / len(found)


def test_zones_lie_inside_their_disc() -> None:
    for _, disc, zone in (*zones(in_front=True), *zones(in_front=False)):
        assert abs(zone.down) + 0.5 * zone.half[2] < disc.height / 2


def test_most_lie_low_and_those_in_front_nearly_all() -> None:
    """59 % of zones behind and 88 % of those in front lie in the lower third."""
    behind, in_front = (
        share([zone.down > disc.height / 9 for _, disc, zone in zones(in_front=front)]) for front in (False, True)
    )
    assert 0.5 < behind < 0.72 and in_front > 0.78


def test_those_in_front_are_fewer_and_gather_at_the_middle_level() -> None:
    behind, in_front = zones(in_front=False), zones(in_front=True)
    assert 0.5 < len(in_front) / len(behind) < 1.0
    assert 0.33 < share([name == "L3/L4" for name, *_ in in_front]) < 0.6
    assert share([name in ("L4/L5", "L5/S1") for name, *_ in behind]) > 0.6


def test_four_in_ten_are_rims() -> None:
    """Rims are higher than they are deep."""
    rims = [zone.half[2] > 1.3 * zone.half[1] for _, disc, zone in zones(in_front=False) if disc.height > 6]
    assert 0.28 < share(rims) < 0.5

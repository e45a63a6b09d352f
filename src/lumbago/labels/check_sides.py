"""Whether left is left: sides of points against patient geometry (+x is the patient's left)."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import Side
from lumbago.labels.check_places import PlacedShape
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.problems import Problem

APART_MM: Final = 4.0
"""Left and right recess are about 20 mm apart, foramina 40: nearer than this they are on one side."""
ACROSS_MM: Final = 6.0
"""How far a point may lie on the other side of the middle, which is not known better."""
_WHOLE_STUDY: Final = 2

_Pairs = Mapping[str, Mapping[Side, float]]


def check_sides(study: LabelledStudy, placed: Sequence[PlacedShape]) -> Iterator[Problem]:
    """Points of one level whose left and right are exchanged, or lie on one side; whole studies that are mirrored."""
    by_condition: dict[str, dict[str, dict[Side, float]]] = defaultdict(lambda: defaultdict(dict))
    for item in placed:
        shape = item.shape
        if item.lps_mm is not None and shape.condition and shape.level and shape.side:
            by_condition[shape.condition][shape.level][shape.side] = item.lps_mm[0]
    middle = _middle(placed, by_condition)
    for condition, levels in by_condition.items():
        swapped = [level for level, x in levels.items() if len(x) == 2 and x["left"] < x["right"] - APART_MM]
        pairs = [level for level, x in levels.items() if len(x) == 2]
        if len(swapped) == len(pairs) >= _WHOLE_STUDY:
            yield _whole_swap(study, condition, len(pairs))
            continue
        for level, x in levels.items():
            yield from _check_level(study, f"{condition} {level}", x, middle)


def _middle(placed: Sequence[PlacedShape], pairs: Mapping[str, _Pairs]) -> float | None:
    """x of the middle of the spine: of points without side, else halfway between left and right."""
    unsided = [
        item.lps_mm[0]
        for item in placed
        if item.lps_mm is not None and item.shape.condition and not CONDITIONS[item.shape.condition].sided
    ]
    halfway = [sum(x.values()) / 2 for levels in pairs.values() for x in levels.values() if len(x) == 2]
    found = unsided or halfway
    return statistics.median(found) if found else None


def _check_level(study: LabelledStudy, place: str, x: Mapping[Side, float], middle: float | None) -> Iterator[Problem]:
    if len(x) == 2 and x["left"] - x["right"] <= APART_MM:
        apart = x["left"] - x["right"]
        found = f"left {-apart:.0f} mm to the right of right" if apart < -APART_MM else "both points on one side"
        yield Problem(
            "wrong_side", study.name, place, found, "left on the patient's left (+x in DICOM)",
            "look at both points; exchange them, or take them out",
        )  # fmt: skip
        return
    for side, value in x.items():
        across = 0.0 if middle is None else (middle - value if side == "left" else value - middle)
        if across > ACROSS_MM:
            yield Problem(
                "wrong_side", study.name, f"{side} {place}", f"a {side} point {across:.0f} mm beyond the middle",
                f"a point on the patient's {side}", "look at it; it may belong to the other side",
            )  # fmt: skip


def _whole_swap(study: LabelledStudy, condition: str, levels: int) -> Problem:
    return Problem(
        "side_swap", study.name, condition, f"left and right exchanged at all {levels} levels",
        "left on the patient's left (+x in DICOM)", "exchange them, unless the images themselves are mirrored",
    )  # fmt: skip

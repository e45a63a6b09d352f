"""Reviews of earlier findings of a study, once it was analyzed anew: a disc may be counted otherwise by now."""

import math
from collections.abc import Iterable
from typing import Final

from lumbago.anatomy.findings import LevelLocation, StudyFindings
from lumbago.anatomy.levels import bottom_count

_SAME_DISC_MM: Final = 12.0
"""Centers that lie nearer to each other are of one disc: the next one is 25 mm away or more."""
_ADVICE: Final = "Check the levels before you sign"


def counted_up(earlier: StudyFindings, findings: StudyFindings) -> int | None:
    """By how many discs further up `findings` count every disc than `earlier` did; None when they share none, or their
    discs say different things."""
    pairs = ((row, _nearest(row, earlier.levels)) for row in findings.levels)
    found = {bottom_count(row.level) - bottom_count(old.level) for row, old in pairs if old is not None}
    return found.pop() if len(found) == 1 else None


def _nearest(row: LevelLocation, others: Iterable[LevelLocation]) -> LevelLocation | None:
    def away_mm(other: LevelLocation) -> float:
        return math.dist(row.disc_center_lps_mm, other.disc_center_lps_mm)

    nearest = min(others, key=away_mm, default=None)
    return nearest if nearest is not None and away_mm(nearest) < _SAME_DISC_MM else None


def counted_otherwise(places: int | None) -> str:
    """What a reader has to know of findings that count discs so many places further up than those reviewed."""
    if places is None:
        return (
            "The discs of this analysis are not those of an earlier one that readers reviewed: its renumbering is not "
            f"applied, and what they said stands at the level that they named. {_ADVICE}."
        )
    count = "one level" if abs(places) == 1 else f"{abs(places)} levels"
    return (
        f"This analysis counts every disc {count} {'higher' if places > 0 else 'lower'} than an earlier one that "
        "readers reviewed: a renumbering of theirs still names the discs as they did, and what they said of a disc "
        f"stays with it. {_ADVICE}."
    )

"""The grade of a slip by its size."""

from typing import Any, Final

_MOST: Final = ((25.0, "I"), (50.0, "II"), (75.0, "III"), (100.0, "IV"))

SEVERE: Final = frozenset(("II", "III", "IV", "V"))
"""Grades that a reader wants to see as soon as a severe stenosis."""


def slip_details(slip_percent: float) -> dict[str, Any]:
    """Grade of a spondylolisthesis and its direction.

    Args:
        slip_percent: of the body above in front of the one below (negative: behind), in percent of that one's depth;
            quarters of it are the grades I to IV of Meyerding (1932), and beyond lies V, spondyloptosis.
    """
    grade = next((grade for most, grade in _MOST if abs(slip_percent) <= most), "V")
    return {"meyerding": grade, "direction": "forward" if slip_percent > 0 else "backward"}

"""Levels, sides and planes: their names and their order."""

from typing import Final, Literal

Side = Literal["left", "right"]
Plane = Literal["sagittal", "axial", "coronal"]

LEVELS: Final = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
"""The graded discs, from the top down."""

SIDES: Final[tuple[Side, ...]] = ("left", "right")
"""Sides are the patient's, always."""

_BODIES_FROM_SACRUM: Final = ("S1", *(f"L{n}" for n in range(5, 0, -1)), *(f"T{n}" for n in range(12, 0, -1)))
MOST_DISCS: Final = len(_BODIES_FROM_SACRUM) - 1
"""How many discs have a name: L5/S1 to T1/T2."""


def level_from_bottom(count: int) -> str:
    """Name of the disc that is number `count` from the sacrum upward: 1 is L5/S1, 6 is T12/L1.

    Counted in a spine of five lumbar bodies; a transitional spine needs a person's look.
    """
    if not 1 <= count <= MOST_DISCS:
        raise ValueError(f"disc {count} from the bottom: expected 1 to {MOST_DISCS}")
    return f"{_BODIES_FROM_SACRUM[count]}/{_BODIES_FROM_SACRUM[count - 1]}"


def bottom_count(level: str) -> int:
    """Number of the disc from the sacrum upward, the inverse of `level_from_bottom`."""
    return _BODIES_FROM_SACRUM.index(level.split("/")[1]) + 1


def bodies_of(level: str) -> tuple[str, str]:
    """The vertebral bodies above and below a disc: `L4/L5` -> `("L4", "L5")`."""
    upper, lower = level.split("/")
    return upper, lower

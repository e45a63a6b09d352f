"""What a person did to a study's findings, as the records keep it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol, runtime_checkable

from lumbago.anatomy.findings import Site
from lumbago.anatomy.levels import MOST_DISCS, Side, bottom_count, level_from_bottom

JUDGING: Final[frozenset[str]] = frozenset({"accept", "grade", "add", "move"})
"""Kinds by which a reader says something about one place."""


@runtime_checkable
class Act(Protocol):
    """One review; its place is "" where it is about the study.

    `payload` holds `grade`, `point_lps_mm`, `box_lps_mm`, `box_down_lps`, `text`, and `shift`, the numbering in
    force when it was made.
    """

    @property
    def id(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def made_at(self) -> Any: ...
    @property
    def kind(self) -> str: ...
    @property
    def condition(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def side(self) -> str: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


def renamed(level: str, shift: int) -> str | None:
    """The level's name when every disc is counted `shift` places further up; None when there is none."""
    count = bottom_count(level) + shift
    return level_from_bottom(count) if 1 <= count <= MOST_DISCS else None


def shift_of(acts: Iterable[Act]) -> int:
    """By how many discs the machine's numbering is off, as last said; 0 when nobody said so."""
    said = [int(act.payload.get("shift", 0)) for act in acts if act.kind == "numbering"]
    return said[-1] if said else 0


def site_of(act: Act, shift: int) -> Site | None:
    """Where an act belongs under the numbering now in force; None for one about the study, or off the spine."""
    if not act.condition or not act.level:
        return None
    level = renamed(act.level, shift - int(act.payload.get("shift", 0)))
    side: Side | None = "left" if act.side == "left" else "right" if act.side == "right" else None
    return None if level is None else (act.condition, level, side)

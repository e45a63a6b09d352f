"""A graded place: what a reader says of it, what a model says of it, and what else is known of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, Scale
from lumbago.anatomy.levels import MOST_DISCS, Side, level_from_bottom
from lumbago.errors import UnreadableInput, UsageError

VALIDATION: Final = "validation"
"""The split that thresholds and temperatures are chosen on, and nothing else is."""

OUT_OF_FOLD: Final = "out of fold"
"""The split of what models of folds graded, each of patients that it has not seen."""

_NEVER_CHOSEN_ON: Final = ("test", "external")
_SUM_TOLERANCE: Final = 0.01
_LEVEL_NAMES: Final = frozenset(level_from_bottom(count) for count in range(1, MOST_DISCS + 1))


def is_made(*names: str) -> bool:
    """Whether a source or a patient of one of these names was computer-made."""
    return any(name.startswith("phantom") for name in names)


def said_source(source: str, *patients: str) -> str:
    """What to call data wherever a score of them stands."""
    return f"{source} (computer-made, not patients)" if is_made(source, *patients) else source


@dataclass(frozen=True, slots=True)
class GradedCase:
    """One condition at one level and side, graded by a reader and, where it was found, by a model.

    Attributes:
        source: the data that it comes from; patient, study: keys, unique in the source.
        condition, level, side: the place, as in findings; side None for the middle.
        truth: the reader's grade.
        probabilities: of every grade, in the scale's order; None when the model found no such place or withheld.
        slice_name: the slice that was graded; "" where the disc was graded as a whole.
        split: `validation`, `test`, `out of fold`, `external`, or "" when not said.
        scanner, field_strength_t, age_years, sex: as known, else "" or None.
        second_reader: another reader's grade of the same place, or None.
        picture: file of a picture of it, or "".
        called: the grade that was given, where it need not be the most probable one; "" where it is that.
    """

    source: str
    patient: str
    study: str
    condition: str
    level: str
    side: Side | None
    truth: str
    probabilities: tuple[float, ...] | None
    slice_name: str = ""
    split: str = ""
    scanner: str = ""
    field_strength_t: float | None = None
    age_years: float | None = None
    sex: str = ""
    second_reader: str | None = None
    picture: str = ""
    called: str = ""

    def __post_init__(self) -> None:
        """Refuses what cannot be meant.

        Raises:
            UnreadableInput: an unknown condition, level, side or grade, or probabilities that are none.
        """
        if self.condition not in CONDITIONS:
            raise UnreadableInput(f"a case of the condition {self.condition!r}", f"one of {', '.join(CONDITIONS)}")
        sides, grades = CONDITIONS[self.condition].sides, self.scale.grades
        if self.side not in sides:
            raise UnreadableInput(f"a case of {self.condition} on the side {self.side!r}", f"one of {sides}")
        for grade in (self.truth, self.second_reader, self.called or None):
            if grade is not None and grade not in grades:
                raise UnreadableInput(f"a case of {self.condition} graded {grade!r}", f"one of {', '.join(grades)}")
        if self.level not in _LEVEL_NAMES:
            raise UnreadableInput(f"a case at the level {self.level!r}", "a name like L4/L5")
        if self.probabilities is not None:
            _check_probabilities(self.condition, self.probabilities, len(grades))

    @property
    def scale(self) -> Scale:
        """The scale of its condition."""
        return CONDITIONS[self.condition].scale

    @property
    def truth_index(self) -> int:
        """Place of the true grade in the scale."""
        return self.scale.grades.index(self.truth)

    @property
    def found_index(self) -> int | None:
        """Place of the given grade in the scale, the most probable one if nothing else is said; None when nothing was
        found."""
        if self.probabilities is None:
            return None
        if self.called:
            return self.scale.grades.index(self.called)
        return max(range(len(self.probabilities)), key=self.probabilities.__getitem__)

    @property
    def is_phantom(self) -> bool:
        """Whether it was computer-made."""
        return is_made(self.source, self.patient)

    @property
    def data(self) -> str:
        """What to call its data wherever a score stands."""
        return said_source(self.source, self.patient)

    @property
    def place(self) -> str:
        """Level and side."""
        return f"{self.level} {self.side}" if self.side else self.level

    @property
    def key(self) -> tuple[str, ...]:
        """What tells cases apart: the same in two models' tables of the same data."""
        return (self.source, self.patient, self.study, self.slice_name, self.condition, self.level, self.side or "")


def _check_probabilities(condition: str, values: Sequence[float], grades: int) -> None:
    is_whole = len(values) == grades and all(0 <= value <= 1 for value in values)
    if not is_whole or abs(sum(values) - 1) > _SUM_TOLERANCE:
        found = " ".join(f"{value:g}" for value in values)
        raise UnreadableInput(f"probabilities {found} of {condition}", f"{grades} numbers that add up to 1")


Group = tuple[str, str, str]
"""Data, split and condition: what is scored apart."""


def by_group(cases: Iterable[GradedCase]) -> dict[Group, list[GradedCase]]:
    """Cases by data, split and condition; patients before phantoms, conditions in the order of
    their rows."""
    order = list(CONDITIONS)

    def key(case: GradedCase) -> tuple[bool, str, str, int]:
        return case.is_phantom, case.data, case.split, order.index(case.condition)

    ordered = sorted(cases, key=key)
    return {(data, split, order[index]): list(rows) for (_, data, split, index), rows in groupby(ordered, key)}


def disc_wise(cases: Iterable[GradedCase]) -> list[GradedCase]:
    """Slices of the same place as one case: it has what any of its slices has.

    The truth is the worst grade of its slices, the prediction that of the slice with the worst expected grade. For
    two-grade scales that is "a disc is positive when any of its slices is".
    """
    places: dict[tuple[str, ...], list[GradedCase]] = {}
    for case in cases:
        places.setdefault((*case.key[:3], case.split, *case.key[4:]), []).append(case)
    return [_worst_of(rows) for rows in places.values()]


def _worst_of(rows: Sequence[GradedCase]) -> GradedCase:
    worst = max(rows, key=_expected_index)
    truth = max((row.truth for row in rows), key=worst.scale.grades.index)
    second = [row.second_reader for row in rows if row.second_reader is not None]
    return replace(
        worst,
        truth=truth,
        second_reader=max(second, key=worst.scale.grades.index) if second else None,
        slice_name="" if len(rows) > 1 else worst.slice_name,
    )


def _expected_index(case: GradedCase) -> float:
    """Mean place in the scale; of a scale without order, the chance of any change; -1 when nothing was found."""
    if case.probabilities is None:
        return -1.0
    if not case.scale.ordinal:
        return 1 - case.probabilities[0]
    return sum(index * value for index, value in enumerate(case.probabilities))


def has_slices(cases: Iterable[GradedCase]) -> bool:
    """Whether some place was graded on more than one slice."""
    seen: set[tuple[str, ...]] = set()
    for case in cases:
        place = (*case.key[:3], case.split, *case.key[4:])
        if place in seen:
            return True
        seen.add(place)
    return False


def by_second_reader(cases: Iterable[GradedCase]) -> list[GradedCase]:
    """The cases that have a second reader, with his grade as the truth: the truth of phantoms is measured, and sharper
    than any reader sees it."""
    return [replace(case, truth=case.second_reader, second_reader=None) for case in cases if case.second_reader]


def as_validation(cases: Iterable[GradedCase]) -> list[GradedCase]:
    """The cases, flagged for validation.

    Raises:
        UsageError: one is flagged as something that must never be chosen on: a test, an external set.
    """
    flagged = []
    for case in cases:
        if case.split.startswith(_NEVER_CHOSEN_ON):
            raise UsageError(
                f"a case of {case.patient} is of the split {case.split!r}",
                f"the split {VALIDATION!r}, or none said",
                "never choose on test cases",
            )
        flagged.append(replace(case, split=VALIDATION))
    return flagged

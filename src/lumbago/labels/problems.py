"""What can be wrong with labels: one row per kind of problem."""

from dataclasses import dataclass
from typing import Final, Literal

Weight = Literal["impossible", "suspicious", "note"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A label that is impossible, suspicious or worth knowing of.

    Attributes:
        kind: a row of `PROBLEMS`.
        study: name of the study, "" for a whole source.
        place: condition, level, side, file: whatever tells where.
        found, expected, advice: as in an error.
    """

    kind: str
    study: str
    place: str
    found: str
    expected: str
    advice: str = ""

    @property
    def weight(self) -> Weight:
        """How bad its kind is."""
        return PROBLEMS[self.kind][0]


PROBLEMS: Final[dict[str, tuple[Weight, str]]] = {
    "unknown_name": ("impossible", "a condition, level, side, grade or class of a name that nobody knows"),
    "contradiction": ("impossible", "two labels of one place that contradict each other"),
    "outside_image": ("impossible", "a point or shape beyond the edge of its image"),
    "missing_image": ("impossible", "a label on an image, series or instance that is not there"),
    "level_order": ("impossible", "levels that do not follow one another from the head down"),
    "level_gap": ("suspicious", "a gap between two levels far larger than the others: one may have been skipped"),
    "wrong_side": ("suspicious", "a left point to the right of the right one, or both on one side"),
    "side_swap": ("suspicious", "left and right exchanged in a whole study"),
    "no_images": ("suspicious", "labels of a study without images"),
    "no_labels": ("suspicious", "a study without labels"),
    "no_role": ("suspicious", "a picture of which nobody says whether it is a sagittal T1 or T2: it teaches nothing"),
    "incomplete": ("suspicious", "a label that lacks its level, side or grade, or is of a form that is not read"),
    "count_differs": ("suspicious", "another number of discs than the table says: names of levels may be shifted"),
    "missing_grades": ("suspicious", "a condition without grade at many places"),
    "several_names": ("suspicious", "one patient, or one image, under several names: splits would leak"),
    "one_patient": ("suspicious", "all pictures belong to one patient: no split is possible"),
    "damaged_image": ("suspicious", "an image that cannot be read"),
    "quirk": ("note", "a peculiarity of the source, and what is done with it"),
}
"""Kinds of problems, with their weight and what they are. Notes are no reason for concern."""

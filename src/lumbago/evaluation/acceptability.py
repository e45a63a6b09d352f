"""Clinical acceptability: the share of slices of which a reader would have nothing to correct that matters.

A slice is acceptable when every disc on it is within one grade of the truth and nothing significant is missed or
falsely called, as defined for one-stage detectors of Pfirrmann grade, herniation and high-intensity zone; the three
stenoses are judged alike. A finding that is present or absent by its scale must be right, on longer scales one grade is
borne, and a place without an answer is a miss. Other conditions do not count: nobody has said which of their errors
matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.intervals import Score, over_patients
from lumbago.evaluation.rsna_score import RSNA_CONDITIONS

JUDGED: Final = ("pfirrmann", "herniation", "high_intensity_zone", *RSNA_CONDITIONS)
"""The conditions whose errors count."""


@dataclass(frozen=True, slots=True)
class JudgedSlice:
    """A slice, or a study where no slice is named, and what is wrong on it."""

    data: str
    patient: str
    name: str
    faults: tuple[str, ...]

    @property
    def is_acceptable(self) -> bool:
        """Nothing on it is wrong."""
        return not self.faults


def fault_of(case: GradedCase) -> str:
    """What of a case cannot be accepted, or ""."""
    found, truth = case.found_index, case.truth_index
    where = f"{case.condition} {case.place}"
    if found is None:
        return f"{where}: no answer"
    if found == truth:
        return ""
    if len(case.scale.grades) == 2:
        return f"{where}: {'missed' if truth else 'falsely called'}"
    return f"{where}: {case.scale.grades[found]} for {case.truth}" if abs(found - truth) > 1 else ""


def judge_slices(cases: Sequence[GradedCase]) -> list[JudgedSlice]:
    """Every slice that has a condition among `JUDGED`, with its faults."""
    slices: dict[tuple[str, str, str, str], list[GradedCase]] = {}
    for case in (case for case in cases if case.condition in JUDGED):
        slices.setdefault((case.data, case.patient, case.study, case.slice_name), []).append(case)
    return [
        JudgedSlice(data, patient, name or study, tuple(fault for row in rows if (fault := fault_of(row))))
        for (data, patient, study, name), rows in slices.items()
    ]


def acceptable_share(slices: Sequence[JudgedSlice]) -> Score:
    """Share of acceptable slices, with its interval over patients."""
    good = np.array([piece.is_acceptable for piece in slices], np.float64)
    return over_patients(
        lambda rows: float(good[rows].mean()), np.array([f"{piece.data}\0{piece.patient}" for piece in slices])
    )

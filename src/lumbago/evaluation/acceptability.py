"""Clinical acceptability: the share of slices of which a reader would have nothing to correct that matters.

A slice is acceptable when every disc on it is within one grade of the truth and nothing significant is missed or
falsely called (as in the one-stage detectors of Pfirrmann grade, herniation and high-intensity zone). What is significant is
written here once: a finding that is present or absent by its scale must be right; on longer scales one grade is borne;
on a scale without order (Modic) a change must be seen as one, of whatever type; a place without an answer is a miss.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.intervals import Score, over_patients


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
    if not case.scale.ordinal or len(case.scale.grades) == 2:
        if bool(found) == bool(truth):
            return ""
        return f"{where}: {'missed' if truth else 'falsely called'}"
    return f"{where}: {case.scale.grades[found]} for {case.truth}" if abs(found - truth) > 1 else ""


def judge_slices(cases: Sequence[GradedCase]) -> list[JudgedSlice]:
    """Every slice with its faults."""
    slices: dict[tuple[str, str, str], list[GradedCase]] = {}
    for case in cases:
        slices.setdefault((case.data, case.patient, case.slice_name or case.study), []).append(case)
    return [
        JudgedSlice(data, patient, name, tuple(fault for row in rows if (fault := fault_of(row))))
        for (data, patient, name), rows in slices.items()
    ]


def acceptable_share(slices: Sequence[JudgedSlice]) -> Score:
    """Share of acceptable slices, with its interval over patients."""
    good = np.array([piece.is_acceptable for piece in slices], np.float64)
    return over_patients(
        lambda rows: float(good[rows].mean()), np.array([f"{piece.data}\0{piece.patient}" for piece in slices])
    )

"""What is impossible or suspicious in the labels of a source, found before any training."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, expected_sites
from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.decoder import Decoder
from lumbago.errors import PartsMissing
from lumbago.labels.check_patients import PatientLedger
from lumbago.labels.check_places import check_images, check_inside, check_level_order, place_shapes
from lumbago.labels.check_sides import check_sides
from lumbago.labels.image_frames import FrameReader
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.problems import PROBLEMS, Problem

MANY_MISSING: Final = 0.2
ENOUGH_STUDIES: Final = 10
"""With fewer studies, a share of missing grades says nothing."""

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class GradeShare:
    """How many places of a condition at a level, over all studies and sides, have a grade, and which."""

    condition: str
    level: str
    places: int
    grades: dict[str, int]

    @property
    def missing(self) -> float:
        """Share of places without grade."""
        return 1.0 - sum(self.grades.values()) / self.places if self.places else 0.0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What was found in a source."""

    studies: int
    patients: int
    labels: int
    shares: tuple[GradeShare, ...]
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """0 when there is nothing but notes, else 5."""
        return PartsMissing.exit_code if any(problem.weight != "note" for problem in self.problems) else 0


@dataclass
class _Counts:
    studies: int = 0
    labels: int = 0
    patients: set[str] = field(default_factory=set)
    grades: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    conditions: set[str] = field(default_factory=set)
    negative: Counter[str] = field(default_factory=Counter)


def check_labels(
    studies: Iterable[LabelledStudy], decoder: Decoder, progress: Progress = lambda done: None
) -> CheckReport:
    """Checks every study, then what only shows over all of them; headers are read, pixels are not.

    `progress` is called with the number of studies done.
    """
    counts, ledger, problems = _Counts(), PatientLedger(), list[Problem]()
    for done, study in enumerate(studies, 1):
        problems += _check_study(study, decoder, ledger)
        _count(counts, study)
        progress(done)
    shares = _shares(counts)
    return CheckReport(
        counts.studies, len(counts.patients), counts.labels, shares,
        tuple(_in_order([*problems, *ledger.shared(), *_missing(counts, shares)])),
    )  # fmt: skip


def _in_order(problems: list[Problem]) -> list[Problem]:
    kinds = list(PROBLEMS)
    return sorted(problems, key=lambda problem: kinds.index(problem.kind))


def _check_study(study: LabelledStudy, decoder: Decoder, ledger: PatientLedger) -> Iterator[Problem]:
    frames = FrameReader(decoder)
    placed = place_shapes(study, frames)
    yield from study.problems
    yield from check_images(study, frames)
    yield from check_inside(study, placed)
    yield from check_level_order(study, placed)
    yield from check_sides(study, placed)
    yield from ledger.enter(study, frames)


def _count(counts: _Counts, study: LabelledStudy) -> None:
    counts.studies += 1
    counts.patients.add(study.patient)
    graded = [row for row in study.truth.findings if row.grade is not None]
    counts.labels += len(graded)
    counts.conditions |= {row.condition for row in graded}
    counts.grades.update((row.condition, row.level, str(row.grade)) for row in graded)
    for condition, absence in study.absence.items():
        if absence == "negative":
            counts.conditions.add(condition)
            known = study.grades
            ungraded = (site for site in expected_sites(CONDITIONS[condition]) if (condition, *site) not in known)
            grade = CONDITIONS[condition].scale.grades[0]
            counts.grades.update((condition, level, grade) for level, _ in ungraded)


def _shares(counts: _Counts) -> tuple[GradeShare, ...]:
    return tuple(
        GradeShare(
            row.name, level, counts.studies * len(row.sides),
            {grade: counts.grades[row.name, level, grade] for grade in row.scale.grades},
        )
        for row in CONDITIONS.values()
        if row.name in counts.conditions
        for level in LEVELS
    )  # fmt: skip


def _missing(counts: _Counts, shares: Iterable[GradeShare]) -> Iterator[Problem]:
    """Levels at which many places have no grade; those that nobody ever graded are meant so."""
    for share in shares:
        if counts.studies < ENOUGH_STUDIES or share.missing <= MANY_MISSING:
            continue
        never = share.missing == 1.0
        yield Problem(
            "quirk" if never else "missing_grades", "", f"{share.condition} {share.level}",
            "never graded" if never else f"no grade at {100 * share.missing:.0f} % of {share.places} places",
            f"at most {100 * MANY_MISSING:.0f} % missing",
            "unknown places are left out of training; if absence means negative, say so under [absence] in names.toml",
        )  # fmt: skip

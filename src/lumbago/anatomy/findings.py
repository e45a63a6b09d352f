"""What is known about one study once it is read: frozen results, and their JSON (`lumbago/findings/1`).

Report, records, dashboard and evaluation read only this. Fields are added, never renamed; the published schema is
`docs/reference/findings.schema.json`. Points are patient millimetres in the DICOM frame (LPS: +x to the patient's
left, +y to the back, +z to the head).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lumbago.anatomy.conditions import CONDITIONS, Role, Scale
from lumbago.anatomy.levels import Side
from lumbago.anatomy.meyerding import SEVERE

SCHEMA: Final = "lumbago/findings/1"
RESEARCH_USE: Final = "Research use only. Not a diagnosis. To be read and confirmed by a medical professional."

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured number with its standard error; the unit is the ending of its name (`disc_height_mm`)."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where in the images a grade was seen.

    Attributes:
        series_instance_uid, sop_instance_uid, frame: the slice; `frame` counts from 1 and is None for single-frame
            files.
        role: the role of that series.
        point_lps_mm: the middle of what was graded.
        box_lps_mm: two opposite corners of the graded patch, in the plane of the slice.
        box_down_lps: unit vector down the rows of that patch; None when its sides follow those of the slice.
        outline: closed polygon around the disc without its endplates, in the slice's plane; empty when not outlined.
        heat_map: file name, beside findings.json, of the picture of what the grade rests on.
    """

    series_instance_uid: str
    sop_instance_uid: str
    frame: int | None
    role: Role
    point_lps_mm: Point
    box_lps_mm: tuple[Point, Point] | None = None
    outline: tuple[Point, ...] = ()
    heat_map: str | None = None
    box_down_lps: Point | None = None


SPOT_CONTRAST: Final = "spot_contrast"
"""Key of `Finding.details`: the evidence's point is that of a bright spot, and this is how far it stands out (1: as
fluid out of black)."""

Site = tuple[str, str, Side | None]
"""Condition, level, side."""

BY_A_PERSON: Final = "labels"
"""What `Finding.trained_on` says of a grade that a person gave."""

CALLED_FROM: Final = "called_from"
"""Key of `Finding.details`: the probability from which on an abnormal grade was called, see `Scale.called`."""

NOT_COUNTED: Final = "not_counted"
"""Key of `Finding.details`: the roles of those series whose answers did not count, see `pipeline.join_series`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The grade of one condition at one level and side.

    An abstained finding has no grade, a reason, and keeps its probabilities when there are any.
    `trained_on` says what the grader has seen: `real`, `phantoms`, `real and phantoms`, `truth` for a phantom's
    truth, or `labels` for what a person labelled.
    """

    condition: str
    level: str
    side: Side | None
    grade: str | None
    probabilities: Mapping[str, float]
    expected_grade: float | None = None
    abstained: bool = False
    reason: str | None = None
    evidence: Evidence | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    model: str | None = None
    trained_on: str | None = None

    @property
    def scale(self) -> Scale:
        """The scale of its condition."""
        return CONDITIONS[self.condition].scale

    @property
    def is_abnormal(self) -> bool:
        """Whether a reader wants to see it first."""
        return self.grade is not None and self.scale.grades.index(self.grade) >= self.scale.abnormal_from

    @property
    def steps_beyond(self) -> int:
        """By how many grades an abnormal finding lies beyond the first abnormal one of its scale. Scales without order
        count as just abnormal, slips from Meyerding II on as one grade beyond."""
        if self.details.get("meyerding") in SEVERE:
            return 1
        return self.scale.grades.index(self.grade or "") - self.scale.abnormal_from if self.scale.ordinal else 0

    @property
    def confidence(self) -> float | None:
        """Probability of the given grade."""
        return None if self.grade is None else self.probabilities[self.grade]

    @property
    def sizes(self) -> dict[str, Measurement]:
        """Its measurements, those of a side by that side's name, as `left_recess_depth_mm`."""
        side = f"{self.side}_" if self.side else ""
        return {side + name: size for name, size in self.measurements.items()}


@dataclass(frozen=True, slots=True)
class NotAssessed:
    """A condition that could not be graded, and why; level and side None mean all."""

    condition: str
    reason: str
    level: str | None = None
    side: Side | None = None


@dataclass(frozen=True, slots=True)
class LevelLocation:
    """A found disc. `name_is_sure` is False when the count could be off, for instance when the sacrum is not in
    view."""

    level: str
    disc_center_lps_mm: Point
    confidence: float
    name_is_sure: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """A structure as it was drawn on the slice of its level.

    Attributes:
        level: of the disc.
        structure: on axial slices `sac` (dural), `disc`, `left recess` or `right recess`; on sagittal ones the
            `foramen` or `ganglion` of a side, as `left foramen`.
        series_instance_uid, sop_instance_uid, frame: the slice, as in `Evidence`.
        points_lps_mm: closed polygon, in the plane of the slice.
    """

    level: str
    structure: str
    series_instance_uid: str
    sop_instance_uid: str
    frame: int | None
    points_lps_mm: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class QualityRemark:
    """Something about the images that a reader must know. `severity` is `info`, `warning` or `limit`."""

    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """A series of the study: its role (None when not used), and why."""

    series_instance_uid: str
    description: str
    role: Role | None
    plane: str
    weighting: str
    slices: int
    reason: str


@dataclass(frozen=True, slots=True)
class StudySummary:
    """Which study, of whom, with which series. Patient fields are as in the files, empty when absent."""

    name: str
    study_instance_uid: str
    patient_id: str = ""
    patient_name: str = ""
    patient_sex: str = ""
    patient_age: str = ""
    study_date: str = ""
    study_description: str = ""
    scanner: str = ""
    series: tuple[SeriesSummary, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that took part: its card's name, version, checksum, conditions, and what it was trained on."""

    name: str
    version: str
    sha256: str
    conditions: tuple[str, ...]
    trained_on: str
    caution: str = ""


@dataclass(frozen=True, slots=True)
class StudyFindings:
    """All results of one study; `measurements` are those of the spine as a whole, `outlines` what was drawn on
    axial slices and in foramina."""

    study: StudySummary
    levels: tuple[LevelLocation, ...]
    findings: tuple[Finding, ...]
    not_assessed: tuple[NotAssessed, ...] = ()
    quality: tuple[QualityRemark, ...] = ()
    models: tuple[ModelUse, ...] = ()
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    outlines: tuple[Outline, ...] = ()
    notice: str = RESEARCH_USE
    schema: str = SCHEMA

    def find(self, condition: str, level: str, side: Side | None = None) -> Finding | None:
        """The finding at a place, or None."""
        place = (condition, level, side)
        return next((f for f in self.findings if (f.condition, f.level, f.side) == place), None)

    def to_json(self) -> str:
        """The published JSON form."""
        return json.dumps({"schema": self.schema, **asdict(self)}, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "StudyFindings":
        """Reads what `to_json` wrote; unknown fields are left out.

        Raises:
            ValueError: not JSON of this schema.
        """
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise ValueError(f"expected a findings file of schema {SCHEMA}")
        study = _build(StudySummary, data["study"], series=_many(SeriesSummary, data["study"].get("series", ())))
        return cls(
            study=study,
            levels=_many(LevelLocation, data["levels"]),
            findings=tuple(_finding(row) for row in data["findings"]),
            not_assessed=_many(NotAssessed, data.get("not_assessed", ())),
            quality=_many(QualityRemark, data.get("quality", ())),
            models=_many(ModelUse, data.get("models", ())),
            measurements=_measurements(data),
            outlines=_many(Outline, data.get("outlines", ())),
            notice=data.get("notice", RESEARCH_USE),
        )


def _frozen(value: Any) -> Any:
    """JSON lists as tuples, so that what was read equals what was written."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _build(kind: type[Any], row: Mapping[str, Any], **parts: Any) -> Any:
    known = {name: _frozen(row[name]) for name in kind.__dataclass_fields__ if name in row}
    return kind(**{**known, **parts})


def _many(kind: type[Any], rows: Any) -> tuple[Any, ...]:
    return tuple(_build(kind, row) for row in rows)


def _finding(row: Mapping[str, Any]) -> Finding:
    evidence = row.get("evidence")
    finding: Finding = _build(
        Finding,
        row,
        evidence=None if evidence is None else _build(Evidence, evidence),
        measurements=_measurements(row),
    )
    return finding


def _measurements(row: Mapping[str, Any]) -> dict[str, Measurement]:
    return {name: _build(Measurement, value) for name, value in row.get("measurements", {}).items()}

"""All that was read of a study, brought into the one object that leaves the pipeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lumbago.anatomy.conditions import ROLE_TITLES, ROLES, Role
from lumbago.anatomy.findings import (
    Finding,
    LevelLocation,
    Measurement,
    ModelUse,
    NotAssessed,
    QualityRemark,
    SeriesSummary,
    StudyFindings,
    StudySummary,
)
from lumbago.dicom.study import SkippedFile, Study
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Card
from lumbago.pipeline.choose_series import Candidate, SeriesChoice
from lumbago.pipeline.disc_sizes import spine_sizes
from lumbago.pipeline.join_series import stand_in_remarks, unfollowed_remarks
from lumbago.pipeline.judge_quality import quality_remarks
from lumbago.pipeline.locate_discs import SpineLocation
from lumbago.pipeline.match_axials import frame_remarks
from lumbago.pipeline.name_gaps import not_assessed
from lumbago.pipeline.place_patches import LocatedSpine, middle_remarks
from lumbago.pipeline.read_volumes import ReadSagittal

_UNSTATED: Final = ("unknown", "pd")
_NAMED: Final = 3
"""So many damaged files are named in the findings; the manifest names all."""


@dataclass(frozen=True, eq=False)
class StudyReading:
    """What the steps of an analysis left behind."""

    study: Study
    choice: SeriesChoice
    sagittal: Mapping[Role, ReadSagittal]
    axial: Sequence[Volume]
    spine: LocatedSpine
    remarks: Sequence[QualityRemark]
    skipped: Sequence[SkippedFile]
    cards: Sequence[Card]
    unfit: Mapping[str, str]


def summarize_study(reading: StudyReading, findings: Sequence[Finding]) -> StudyFindings:
    """The findings with the study, the levels, what is missing, what to mind, and the models that took part."""
    return StudyFindings(
        study=_study(reading),
        levels=_levels(reading.spine),
        findings=tuple(findings),
        not_assessed=not_assessed(findings, reading.spine, _missing_roles(reading), reading.axial),
        quality=(*_quality(reading), *stand_in_remarks(findings), *unfollowed_remarks(findings)),
        models=tuple(
            ModelUse(card.name, card.version, card.sha256, card.conditions, card.trained_on, card.caution)
            for card in reading.cards
        ),
        measurements=_sizes(reading.spine.reference),
    )


def _sizes(location: SpineLocation) -> dict[str, Measurement]:
    """Of the spine as a whole, on the series whose discs stand for the study; angles need square pixels alone."""
    return spine_sizes(location) if location.name_is_sure else {}


def gaps(reading: StudyReading, entries: Sequence[NotAssessed]) -> tuple[str, ...]:
    """Why conditions that there is a model for could not be graded; empty when the study had all they need."""
    graded = {condition for card in reading.cards for condition in card.conditions}
    return tuple(dict.fromkeys(entry.reason for entry in entries if entry.condition in graded))


def _missing_roles(reading: StudyReading) -> dict[Role, str]:
    there = {*reading.sagittal, *(["axial_t2"] if reading.axial else [])}
    return {role: _why_missing(reading, role) for role in ROLES if role not in there}


def _why_missing(reading: StudyReading, role: Role) -> str:
    """A series that does not state its contrast, or states proton density, could have played either sagittal role."""
    candidates = reading.choice.candidates[role]
    if candidates and role not in ("sagittal_t1", "sagittal_t2"):
        return f"the {ROLE_TITLES[role]} series could not be used"
    stated = [row.series.series_instance_uid for row in candidates if row.description.weighting not in _UNSTATED]
    why = next((reading.unfit[uid] for uid in stated if uid in reading.unfit), "")
    return f"the {ROLE_TITLES[role]} series cannot be used: {why}" if why else f"no {ROLE_TITLES[role]} series"


def _levels(spine: LocatedSpine) -> tuple[LevelLocation, ...]:
    """The discs that were seen on the reference series, from the top down."""
    location = spine.reference
    return tuple(
        LevelLocation(
            disc.level,
            (round(float(x), 2), round(float(y), 2), round(float(z), 2)),
            round(disc.confidence, 3),
            location.name_is_sure,
        )
        for disc in reversed(location.discs)
        if disc.confidence > 0
        for x, y, z in [disc.center_lps_mm]
    )


def _quality(reading: StudyReading) -> tuple[QualityRemark, ...]:
    by_series = [
        remark for role, location in reading.spine.sagittal.items() for remark in quality_remarks(role, location)
    ]
    by_series += middle_remarks(reading.spine)
    of_axial = [QualityRemark("warning", f"axial T2: {text}") for volume in reading.axial for text in volume.remarks]
    of_axial += frame_remarks(reading.spine.reference, reading.spine.axials)
    conflicts = [
        QualityRemark("warning", f"{ROLE_TITLES[role]}: {text}")
        for role, candidate in _roles(reading)
        for text in candidate.description.conflicts
    ]
    damaged = [file.name for file in reading.skipped if file.is_damage]
    regrouped = [QualityRemark("warning", text) for series in reading.study.series for text in series.remarks]
    said = [*_left_out(damaged), *regrouped, *reading.remarks, *by_series, *of_axial, *conflicts]
    return tuple(dict.fromkeys(replace(remark, text=remark.text.rstrip(".") + ".") for remark in said))


def _left_out(damaged: Sequence[str]) -> list[QualityRemark]:
    if not damaged:
        return []
    more = f" and {len(damaged) - _NAMED} more" if len(damaged) > _NAMED else ""
    number = "1 damaged file was" if len(damaged) == 1 else f"{len(damaged)} damaged files were"
    return [QualityRemark("limit", f"{number} left out: {', '.join(damaged[:_NAMED])}{more}.")]


def _roles(reading: StudyReading) -> list[tuple[Role, Candidate]]:
    sagittal = [(role, found.candidate) for role, found in reading.sagittal.items()]
    return [*sagittal, *(("axial_t2", candidate) for candidate in reading.choice.candidates["axial_t2"])]


def _study(reading: StudyReading) -> StudySummary:
    first = reading.study.first
    return StudySummary(
        name=reading.study.name,
        study_instance_uid=reading.study.study_instance_uid,
        patient_id=first.patient_id,
        patient_name=first.patient_name,
        patient_sex=first.patient_sex,
        patient_age=first.patient_age,
        study_date=first.study_date,
        study_description=first.study_description,
        scanner=_scanner(reading),
        series=_series(reading),
    )


def _scanner(reading: StudyReading) -> str:
    first = reading.study.first
    field = f"{first.magnetic_field_strength:g} T" if first.magnetic_field_strength else ""
    return " ".join(part for part in (first.manufacturer, first.model_name, field) if part)


def _series(reading: StudyReading) -> tuple[SeriesSummary, ...]:
    used = _roles(reading)
    taken = {candidate.series.series_instance_uid for _, candidate in used}
    spare = {
        candidate.series.series_instance_uid: candidate
        for ranked in reading.choice.candidates.values()
        for candidate in ranked
        if candidate.series.series_instance_uid not in taken
    }
    rows = [_summary(candidate, role, candidate.reason) for role, candidate in used]
    rows += [
        _summary(candidate, None, f"{reading.unfit.get(uid, 'not needed')}; {candidate.reason}")
        for uid, candidate in spare.items()
    ]
    return (*rows, *(_summary(candidate, None, candidate.reason) for candidate in reading.choice.left_out))


def _summary(candidate: Candidate, role: Role | None, reason: str) -> SeriesSummary:
    series, text = candidate.series, candidate.description
    return SeriesSummary(
        series.series_instance_uid,
        series.first.series_description,
        role,
        text.plane,
        text.weighting,
        len(series.slices),
        reason,
    )

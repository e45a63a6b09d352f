"""Which series plays which role, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lumbago.anatomy.conditions import ROLE_TITLES, ROLES, Role
from lumbago.dicom.describe_series import SeriesDescription, describe_series, without_strays
from lumbago.dicom.series_words import WEIGHTING_TITLES
from lumbago.dicom.study import Series, Study
from lumbago.errors import NotALumbarStudy

_WEIGHTINGS: Mapping[Role, tuple[str, ...]] = {
    "sagittal_t1": ("t1",),
    "sagittal_t2": ("t2", "stir"),
    "axial_t2": ("t2",),
}
"""Weightings that can play a role, the best first."""
_STAND_INS: Mapping[str, tuple[str, ...]] = {"sagittal": ("unknown", "pd"), "axial": ("unknown", "t2_star", "pd")}
"""By plane, weightings that come last: of the sagittal ones and of those that are unknown the pixels decide."""
_AXIAL_T2: Final = (0, False)
_COARSE_MM: Final = 1.0
"""Pixels above this are those of a whole spine or a planning series: more slices do not make up for them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A series that could play a role, without its stray slices."""

    series: Series
    description: SeriesDescription
    reason: str


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """Candidates for each role, the best first, and what was left out with its reason."""

    candidates: Mapping[Role, tuple[Candidate, ...]]
    left_out: tuple[Candidate, ...]


def choose_series(study: Study) -> SeriesChoice:
    """Ranks the series of a study for each role by what their geometry and timing say.

    A sagittal series whose weighting the headers do not tell, or call proton density, is a last candidate for both
    sagittal roles: its pixels decide later. So is a single picture without any orientation. Reformatted series are
    candidates for a sagittal role that no other could play. Where no axial series is known to be T2, those of unknown
    weighting are candidates, and the best kind of the others: reformatted T2, T2* or proton density.

    Raises:
        NotALumbarStudy: no series is sagittal, or there are localizers only.
    """
    described = [(without_strays(series), describe_series(series)) for series in study.series]
    candidates: dict[Role, tuple[Candidate, ...]] = {role: _ranked(role, described) for role in ROLES}
    candidates |= {role: _originals(candidates[role]) for role in ("sagittal_t1", "sagittal_t2")}
    candidates["axial_t2"] = _needed(candidates["axial_t2"])
    if not (candidates["sagittal_t1"] or candidates["sagittal_t2"]):
        raise _nothing_sagittal(described)
    used = {id(candidate.series) for ranked in candidates.values() for candidate in ranked}
    left_out = [Candidate(series, text, why_not(text)) for series, text in described if id(series) not in used]
    return SeriesChoice(candidates, tuple(left_out))


def _ranked(role: Role, described: list[tuple[Series, SeriesDescription]]) -> tuple[Candidate, ...]:
    fitting = [(rank, series, text) for series, text in described if (rank := _rank(role, series, text)) is not None]
    fitting.sort(key=lambda row: row[0])
    return tuple(
        Candidate(series, text, f"{ROLE_TITLES[role]}: {'; '.join(text.reasons)}") for _, series, text in fitting
    )


def _originals(sagittal: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Without the reformatted, unless there are no others."""
    return tuple(row for row in sagittal if not row.description.is_derived) or sagittal


def _needed(axial: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Not what merely stands in for a better kind: all axial series that are left may be used."""
    known = [_kind(candidate) for candidate in axial if candidate.description.weighting != "unknown"]
    best = min(known, default=None)
    unknown = [] if best == _AXIAL_T2 else [row for row in axial if row.description.weighting == "unknown"]
    return (*unknown, *(candidate for candidate in axial if _kind(candidate) == best))


def _kind(candidate: Candidate) -> tuple[int, bool]:
    """Of an axial series, the better the smaller."""
    text = candidate.description
    return ("t2", *_STAND_INS["axial"]).index(text.weighting), text.is_derived


def _rank(role: Role, series: Series, text: SeriesDescription) -> tuple[float, ...] | None:
    """Sort key, smaller is better; None when the series cannot play the role. Several images of a place count once."""
    plane = role.split("_", maxsplit=1)[0]
    is_single_unknown = text.plane == "unknown" and plane == "sagittal" and len(series.slices) == 1
    if (
        not text.is_mr
        or text.is_localizer
        or (text.is_derived and not text.is_reformat)
        or text.dixon_part == "fat"
        or not (text.plane == plane or is_single_unknown)
    ):
        return None
    if text.weighting in _WEIGHTINGS[role]:
        penalty = 0.75 if text.dixon_part == "out_phase" else 0.5 if text.fat_suppressed else 0.0
        preference = _WEIGHTINGS[role].index(text.weighting) + penalty
    elif text.weighting in _STAND_INS[plane]:
        place = _STAND_INS[plane].index(text.weighting)
        preference = len(_WEIGHTINGS[role]) + place + (1.0 if is_single_unknown else 0.0)
    else:
        return None
    spacing_mm = series.first.pixel_spacing[0] if series.first.pixel_spacing else 9.0
    return (
        preference + text.has_contrast,
        float(spacing_mm > _COARSE_MM),
        -float(min(len({header.image_position or header.sop_instance_uid for header in series.slices}), 30)),
        spacing_mm,
        *_content_key(series),
    )


def _content_key(series: Series) -> tuple[float, ...]:
    """Breaks ties by what does not change with names and UIDs: the place and timing of the slices."""
    position = series.first.image_position or (0.0, 0.0, 0.0)
    return series.first.echo_time or 0.0, series.first.repetition_time or 0.0, *position


def why_not(text: SeriesDescription) -> str:
    """The reason why a series plays no role."""
    if not text.is_mr:
        return "not an MR image"
    if text.is_localizer:
        return "a localizer"
    if text.is_derived:
        return "computed from other images"
    return f"{text.plane} {WEIGHTING_TITLES[text.weighting]}: no role for it"


def _nothing_sagittal(described: list[tuple[Series, SeriesDescription]]) -> NotALumbarStudy:
    images = [(series, text) for series, text in described if text.is_mr]
    if not images:
        found = (
            f"the study holds no MR images ({', '.join(sorted({series.first.modality for series, _ in described}))})"
        )
    elif all(text.is_localizer for _, text in images):
        found = "the study holds localizers only"
    else:
        kinds = sorted(
            {f"{'computed ' * text.is_derived}{text.plane} {WEIGHTING_TITLES[text.weighting]}" for _, text in images}
        )
        found = f"the study holds no sagittal T1 or T2 series ({', '.join(kinds)})"
    return NotALumbarStudy(found, "a sagittal T1 or T2 series of the lumbar spine", "check that the export is complete")

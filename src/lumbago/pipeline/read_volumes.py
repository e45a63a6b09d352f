"""From chosen series to volumes in display orientation; the sagittal ones with their discs located.

What the pixels show counts more than what the header states: a series plays the role that its contrast fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

import numpy as np

from lumbago.anatomy.conditions import ROLE_TITLES, Role
from lumbago.anatomy.findings import QualityRemark
from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.describe_series import describe_series
from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal, slice_normal
from lumbago.dicom.study import Series, SkippedFile
from lumbago.dicom.volume import Volume
from lumbago.errors import NotAGrid
from lumbago.inference.weights import Model
from lumbago.pipeline.choose_series import Candidate, SeriesChoice, why_not
from lumbago.pipeline.judge_quality import doubt_of, seen_weighting, shows_axial_t2
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation, locate_discs
from lumbago.pipeline.normalise import without_inversion, without_offset

_LARGE: Final = 2
"""A part with more than one slice for this many of the largest part's is looked at."""
_PARALLEL: Final = 0.99
_SAME_PLACE_STEPS: Final = 0.25
_CONTRAST: Final = attrgetter("echo_time", "inversion_time", "image_type", "temporal_position")
_SEEN: Final = 0.5
"""A disc of this confidence counts where several series could play a role."""
_REFORMATTED: Final = "a reformatted series"
_STANDING_IN: Final = {"t2_star": "a T2* series", "pd": "a proton density series"}
_WANTED: Final[Mapping[Role, str]] = {"sagittal_t2": "t2", "sagittal_t1": "t1"}


@dataclass(frozen=True, eq=False)
class ReadSagittal:
    """A sagittal series that was read: what it shows (`t1`, `t2` or `unknown`), and why it may be no lumbar spine."""

    candidate: Candidate
    location: SpineLocation
    shows: str
    doubt: str


@dataclass(eq=False)
class SeriesReader:
    """Reads candidates, each once, and keeps what went wrong on the way."""

    locator: Model
    decoder: Decoder
    read: dict[str, ReadSagittal] = field(default_factory=dict)
    remarks: list[QualityRemark] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    refused: list[NotAGrid] = field(default_factory=list)
    empty: set[str] = field(default_factory=set)

    def sagittal(self, candidate: Candidate) -> ReadSagittal | None:
        """The candidate with its discs, None when it forms no volume."""
        uid = candidate.series.series_instance_uid
        if uid not in self.read and uid not in self.empty:
            volumes = self._volumes(candidate)
            if not volumes:
                self.empty.add(uid)
                return None
            location = self._best_location(volumes, _claimed(candidate))
            self.read[uid] = ReadSagittal(candidate, location, self._shows(candidate, location), doubt_of(location))
        return self.read.get(uid)

    def _best_location(self, volumes: tuple[Volume, ...], claimed: str) -> SpineLocation:
        """Of a series that falls into parts, as where a slice is missing, the large part that shows most of the
        discs and the canal; one of another contrast than is claimed, as a fat image that nothing tells from the others
        of its place, comes last."""
        most = max(volume.array.shape[0] for volume in volumes)
        parts = [canonical_sagittal(volume) for volume in volumes]
        locations = [locate_discs(self.locator, part) for part in parts if part.array.shape[0] * _LARGE > most]
        other = {"t1": "t2", "t2": "t1"}.get(claimed)
        fitting = [found for found in locations if seen_weighting(found) != other] if len(locations) > 1 else locations
        best = max(
            fitting or locations,
            key=lambda found: sum(disc.confidence + (disc.canal_mm or 0.0) / 10.0 for disc in found.discs),
        )
        return replace(best, further=tuple(part for part in parts if _adds_slices(part, best.volume)))

    @property
    def unfit(self) -> dict[str, str]:
        """Why sagittal series that were read cannot play the role that they state, by UID."""
        whys = {uid: _why_unfit(found) for uid, found in self.read.items()}
        return {**dict.fromkeys(self.empty, "it forms no volume"), **{uid: why for uid, why in whys.items() if why}}

    def axial(self, candidate: Candidate) -> tuple[Volume, ...]:
        """All volumes of an axial candidate, in display orientation."""
        return tuple(canonical_axial(volume) for volume in self._volumes(candidate))

    def _volumes(self, candidate: Candidate) -> tuple[Volume, ...]:
        built = build_volumes(candidate.series, self.decoder)
        self.skipped += built.skipped
        self.refused += built.refused
        self.remarks += [QualityRemark("warning", str(reason)) for reason in built.refused]
        return without_offset(without_inversion(_as_described(candidate, built.volumes)))

    def _shows(self, candidate: Candidate, location: SpineLocation) -> str:
        stated, claimed, seen = candidate.description.weighting, _claimed(candidate), seen_weighting(location)
        if seen == "unknown" and claimed == "pd":
            text = "A series is tagged PD, and its pixels do not tell T1 from T2."
            self.remarks.append(QualityRemark("warning", text))
            return seen
        if seen == "unknown":
            return claimed
        if claimed not in ("unknown", seen):
            text = f"A series is tagged {stated.upper()} but shows {seen.upper()} contrast; the pixels were followed."
            self.remarks.append(QualityRemark("warning", text))
        return seen


def _claimed(candidate: Candidate) -> str:
    stated = candidate.description.weighting
    return "t2" if stated == "stir" else stated


def _why_unfit(found: ReadSagittal) -> str:
    if found.doubt:
        return f"no lumbar spine is seen in it: {found.doubt}"
    is_other = found.shows not in {"unknown", _claimed(found.candidate)}
    return f"it shows {found.shows.upper()} contrast" if is_other else ""


def _adds_slices(part: Volume, chosen: Volume) -> bool:
    """Whether a part of a series shows what the chosen one lacks, as where a slice is missing or of another size: it is
    parallel and of the same contrast, and none of its slices lies at the place of a chosen one."""
    is_alike = _CONTRAST(part.headers[0]) == _CONTRAST(chosen.headers[0])
    if not is_alike or float(slice_normal(part) @ slice_normal(chosen)) < _PARALLEL:
        return False
    starts = part.affine[:3, 3] + np.arange(len(part.array))[:, None] * part.affine[:3, 0]
    places = chosen.to_ijk(starts)[:, 0]
    nearest = np.clip(np.round(places), 0, len(chosen.array) - 1)
    return bool((np.abs(places - nearest) > _SAME_PLACE_STEPS).all())


def _as_described(candidate: Candidate, volumes: tuple[Volume, ...]) -> tuple[Volume, ...]:
    """Of several images of a place, as of a Dixon series or of several echoes, those that the series was chosen for."""
    wanted = candidate.description.dixon_part, candidate.description.weighting
    texts = [describe_series(Series("", volume.headers)) for volume in volumes]
    fits = [(text.dixon_part, text.weighting) == wanted for text in texts]
    shown = {
        header.image_position for volume, fit in zip(volumes, fits, strict=True) if fit for header in volume.headers
    }
    return tuple(
        volume
        for volume, fit in zip(volumes, fits, strict=True)
        if fit or not all(header.image_position in shown for header in volume.headers)
    )


def read_sagittal(choice: SeriesChoice, reader: SeriesReader) -> dict[Role, ReadSagittal]:
    """The series that plays each sagittal role, T2 first."""
    chosen: dict[Role, ReadSagittal] = {}
    for role in _WANTED:
        fitting = _fitting(role, choice.candidates[role], reader)
        if fitting:
            chosen[role] = max(fitting, key=_clearness)
    for role in _WANTED:
        _fill_from_others(role, chosen, reader)
    reformatted = (role for role, found in chosen.items() if found.candidate.description.is_reformat)
    reader.remarks += [QualityRemark("limit", _standing_in(role, _REFORMATTED)) for role in reformatted]
    return chosen


def _fitting(role: Role, candidates: Sequence[Candidate], reader: SeriesReader) -> list[ReadSagittal]:
    """The candidates of the first kind that shows what the role wants, up to one whose discs are named for sure."""
    fitting: list[ReadSagittal] = []
    for candidate in candidates:
        if fitting and _kind(candidate) != _kind(fitting[0].candidate):
            continue
        found = reader.sagittal(candidate)
        if found is not None and found.shows == _WANTED[role] and not found.doubt:
            fitting.append(found)
            if found.location.name_is_sure:
                break
    return fitting


def _kind(candidate: Candidate) -> tuple[str, bool, bool]:
    """A T2 is not given up for a STIR, nor a plain T1 for one with contrast agent."""
    text = candidate.description
    return text.weighting, bool(text.fat_suppressed), text.has_contrast


def _clearness(found: ReadSagittal) -> tuple[bool, int]:
    """Sure names before many discs: a series that ends above the sacrum shows others than the lumbar ones."""
    return found.location.name_is_sure, sum(disc.confidence >= _SEEN for disc in found.location.discs)


def _fill_from_others(role: Role, chosen: dict[Role, ReadSagittal], reader: SeriesReader) -> None:
    """A role that nothing was named for goes to a series that was read and fits it, or whose contrast nobody can
    tell."""
    if role in chosen:
        return
    taken = {id(found) for found in chosen.values()}
    free = [found for found in reader.read.values() if id(found) not in taken and not found.doubt]
    fitting = [found for found in free if found.shows == _WANTED[role]]
    unknown = [found for found in free if found.shows == "unknown"] if role == "sagittal_t2" else []
    if fitting or unknown:
        chosen[role] = (fitting or unknown)[0]


def read_axial(
    choice: SeriesChoice, reader: SeriesReader, discs: Sequence[LocatedDisc]
) -> tuple[SeriesChoice, tuple[Volume, ...]]:
    """The axial volumes in display orientation, and the choice without the series that they do not come from.

    Series of unknown weighting are used when they show T2 contrast at the located discs, those that stand in for T2
    only when none does, and with a remark.
    """
    candidates = choice.candidates["axial_t2"]
    unknown = [(row, reader.axial(row)) for row in candidates if row.description.weighting == "unknown"]
    shown = [(row, volumes) for row, volumes in unknown if shows_axial_t2(discs, volumes)]
    used = shown or [(row, reader.axial(row)) for row in candidates if row.description.weighting != "unknown"]
    kept = tuple(row for row, _ in used)
    reader.remarks += [QualityRemark("limit", text) for text in dict.fromkeys(map(_stands_in, kept)) if text]
    dropped = tuple(replace(row, reason=_why_dropped(row)) for row in candidates if row not in kept)
    narrowed = SeriesChoice({**choice.candidates, "axial_t2": kept}, (*choice.left_out, *dropped))
    return narrowed, tuple(volume for _, volumes in used for volume in volumes)


def _stands_in(candidate: Candidate) -> str:
    """What must be said of an axial series that is no T2 of its own, "" for nothing."""
    text = candidate.description
    what = _REFORMATTED if text.is_reformat and text.weighting == "t2" else _STANDING_IN.get(text.weighting)
    return _standing_in("axial_t2", what) if what else ""


def _standing_in(role: Role, what: str) -> str:
    return f"{ROLE_TITLES[role]}: {what} stands in for it; its grades are less sure."


def _why_dropped(candidate: Candidate) -> str:
    if candidate.description.weighting == "unknown":
        return "axial unknown: its pixels do not show T2 contrast"
    return why_not(candidate.description)

"""Where each grader looks: the frames of its patches at every level and side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from lumbago.anatomy.conditions import ROLE_TITLES, Role
from lumbago.anatomy.findings import QualityRemark
from lumbago.anatomy.levels import LEVELS, SIDES, Side
from lumbago.dicom.patient_geometry import nearest_slice
from lumbago.dicom.volume import Volume
from lumbago.pipeline.crop_patches import PatchFrame, Vector
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation
from lumbago.pipeline.locate_points import LocatedPoint
from lumbago.pipeline.measure_spine import SignalReference, fat_references, signal_references
from lumbago.pipeline.measured_features import MEASURES, UNKNOWN, Measures, measure_place

ReferencesOf = Callable[[SpineLocation], dict[str, SignalReference]]

BEHIND_DISC_MM: Final = 5.0


@dataclass(frozen=True, eq=False)
class LocatedSpine:
    """All that was located in a study.

    Attributes:
        sagittal: the discs on each sagittal series that plays a role.
        foramina: on the sagittal T1 series, by (level, side).
        recesses: on the axial series, by (level, side).
        axials: the axial volumes that were matched to discs; axial_doubt: why others were not, or "".
    """

    sagittal: Mapping[Role, SpineLocation]
    foramina: Mapping[tuple[str, Side], LocatedPoint]
    recesses: Mapping[tuple[str, Side], LocatedPoint]
    axials: tuple[Volume, ...] = ()
    axial_doubt: str = ""

    @property
    def reference(self) -> SpineLocation:
        """The series whose discs stand for the study: T2 where there is one."""
        return reference_of(self.sagittal)


def reference_of(sagittal: Mapping[Role, SpineLocation]) -> SpineLocation:
    """T2 where there is one, else T1; the other one where only its places in the patient are believed."""
    there = [sagittal[role] for role in ("sagittal_t2", "sagittal_t1") if role in sagittal]
    return next((location for location in there if not location.turned), there[0])


@dataclass(frozen=True, eq=False)
class PlacedPatch:
    """A patch to be graded: its place, the volume it is cut from, the disc it belongs to, and how bright things are
    there.

    `point_lps_mm` is the middle of what is graded, which is not always the middle of the patch; `scale` is that of the
    location: where the stated pixel size is not believed, a patch covers as much of the body all the same. `doubt` says
    why nothing there may be graded, or is empty; `unseen` why no grade is stated there, though a reader's grade of the
    place may be learned. `location` is the series whose tissues are measured there, None for none.
    """

    level: str
    side: Side | None
    volume: Volume
    frame: PatchFrame
    point_lps_mm: Vector
    disc: LocatedDisc
    reference: SignalReference | None
    scale: float = 1.0
    doubt: str = ""
    unseen: str = ""
    location: SpineLocation | None = None

    @cached_property
    def measures(self) -> Measures:
        """What is measured of the place, when it is asked for."""
        if self.location is None or self.reference is None:
            return UNKNOWN
        return measure_place(self.location, self.disc, self.reference)


def disc_frame(disc: LocatedDisc, scale: float) -> PatchFrame:
    """Levelled with the disc, a little behind its middle so that the canal is in view."""
    center = disc.center_lps_mm + BEHIND_DISC_MM / scale * disc.frame.back
    return PatchFrame(disc.slice_index, center, disc.frame.back, disc.frame.down)


def canal_frame(disc: LocatedDisc, _scale: float = 1.0) -> PatchFrame:
    """Levelled with the disc, about the canal behind it, at any scale."""
    return PatchFrame(disc.slice_index, disc.canal_lps_mm, disc.frame.back, disc.frame.down)


def foramen_frame(disc: LocatedDisc, point: LocatedPoint) -> PatchFrame:
    """Levelled with the disc, about the foramen."""
    return PatchFrame(point.slice_index, point.point_lps_mm, disc.frame.back, disc.frame.down)


def recess_frame(side: Side, point: LocatedPoint) -> PatchFrame:
    """Along the axial slice, about the recess; columns run outward on both sides."""
    outward = 1.0 if side == "left" else -1.0
    volume = point.volume
    along = outward * volume.affine[:3, 2] / volume.spacing_mm[2]
    return PatchFrame(point.slice_index, point.point_lps_mm, along, volume.affine[:3, 1] / volume.spacing_mm[1])


def axial_disc_frame(disc: LocatedDisc, recesses: Sequence[LocatedPoint]) -> PatchFrame:
    """About the disc's middle on the axial slice through it, as it is displayed: rows run back, columns to the
    patient's left on both sides.

    Sideways the middle lies between the recesses that were seen on the axial series: a sagittal slice is millimetres
    thick, and patients move between series.
    """
    volume = recesses[0].volume
    along, down = (volume.affine[:3, axis] / volume.spacing_mm[axis] for axis in (2, 1))
    middle = np.mean([point.point_lps_mm for point in recesses], axis=0)
    center = disc.center_lps_mm + float((middle - disc.center_lps_mm) @ along) * along
    return PatchFrame(nearest_slice(volume, center), center, along, down)


def _at_discs(spine: LocatedSpine) -> list[PlacedPatch]:
    return _discs_on(spine.sagittal.get("sagittal_t2"), signal_references)


def _at_discs_on_t1(spine: LocatedSpine) -> list[PlacedPatch]:
    return _discs_on(spine.sagittal.get("sagittal_t1"), fat_references)


def _discs_on(location: SpineLocation | None, references_of: ReferencesOf) -> list[PlacedPatch]:
    patches = _along_the_middle(
        location, references_of, lambda disc, scale: (disc_frame(disc, scale), disc.center_lps_mm)
    )
    unseen = "the disc is not seen on the middle slice"
    return [patch if patch.disc.is_drawn else replace(patch, doubt=unseen) for patch in patches]


def _at_canals(spine: LocatedSpine) -> list[PlacedPatch]:
    """A slice that leaves the canal, as in scoliosis, shows its wall there, which looks like a narrow canal."""
    location = spine.sagittal.get("sagittal_t2")
    patches = _along_the_middle(location, signal_references, lambda disc, _: (canal_frame(disc), disc.canal_lps_mm))
    return [replace(patch, doubt=_canal_doubt(patch)) for patch in patches]


def _canal_doubt(patch: PlacedPatch) -> str:
    if patch.disc.canal_goes_on:
        return "the middle of the canal may lie beyond the first or last slice"
    return "" if _passes_canal(patch) else "the slice does not pass through the canal"


def middle_remarks(spine: LocatedSpine) -> list[QualityRemark]:
    """What a reader must know of discs that are seen where the middle may not be: those whose canal is withheld for it,
    and those whose canal is graded on the only slice there is.

    On 17 phantoms (seeds 5000 to 5019) with the two or three slices from 4 mm beside the middle on alone, it was said
    of 161 of 170 discs. There 11 of 26 high-intensity zones were found, 24 on all slices, and Pfirrmann grades were as
    often right. Of 60 whole phantoms (seeds 5000 to 5059) it was said of none. On one slice alone of 15 phantoms (seeds
    5000 to 5014) the canal's grade was right at 37 of 37 discs whose canal's middle lay within 4 mm, and too severe at
    3 of 14 up to 6 mm and at 83 of 90 beyond, where it was given.
    """
    title = ROLE_TITLES["sagittal_t2"]
    patches = [patch for patch in _at_canals(spine) if patch.disc.is_drawn]
    texts = []
    if levels := [patch.level for patch in patches if patch.doubt]:
        texts.append(
            f"{title}: the slices may miss the middle of the canal at {', '.join(levels)}; discs there were graded and "
            "measured beside it, and a small finding, as a high-intensity zone, can be missed."
        )
    if any(patch.volume.array.shape[0] == 1 for patch in patches if not patch.doubt):
        texts.append(
            f"{title}: whether the only slice passes through the middle of the canal is not known; some "
            "millimetres beside it a canal of any width looks narrow and is graded as a stenosis."
        )
    return [QualityRemark("warning", text) for text in texts]


def _passes_canal(patch: PlacedPatch) -> bool:
    """Whether the slice shows canal behind the disc, or a little above or below: a canal that is closed at the disc is
    a stenosis, and what most needs a grade (13 of 15 such discs of real patients were called stenotic by a reader)."""
    return patch.disc.canal_mm is not None or bool(np.isfinite(patch.measures[MEASURES.index("canal_ratio")]))


def _along_the_middle(
    location: SpineLocation | None,
    references_of: ReferencesOf,
    place: Callable[[LocatedDisc, float], tuple[PatchFrame, Vector]],
) -> list[PlacedPatch]:
    if location is None:
        return []
    references = references_of(location)
    discs = [disc for level in LEVELS if (disc := location.disc(level)) is not None]
    return [
        PlacedPatch(
            disc.level,
            None,
            location.volume,
            *place(disc, location.scale),
            disc,
            references[disc.level],
            location.scale,
            location=location,
        )
        for disc in discs
    ]


def _at_foramina(spine: LocatedSpine) -> list[PlacedPatch]:
    location = spine.sagittal.get("sagittal_t1")
    if location is None:
        return []
    references = fat_references(location)
    return [
        PlacedPatch(
            level,
            side,
            point.volume,
            foramen_frame(disc, point),
            point.point_lps_mm,
            disc,
            references[level],
            location.scale,
            unseen="the foramen is not seen there" if point.is_blind else "",
        )
        for (level, side), point in spine.foramina.items()
        if (disc := location.disc(level)) is not None and level in LEVELS
    ]


def _at_recesses(spine: LocatedSpine) -> list[PlacedPatch]:
    location = spine.reference
    return [
        PlacedPatch(
            level,
            side,
            point.volume,
            recess_frame(side, point),
            point.point_lps_mm,
            disc,
            None,
            unseen="the recess is not seen there" if point.is_blind else "",
        )
        for (level, side), point in spine.recesses.items()
        if (disc := location.disc(level)) is not None and level in LEVELS
    ]


def _at_axial_discs(spine: LocatedSpine) -> list[PlacedPatch]:
    """At every level whose recesses were found: on the same axial volume, on the slice nearest the disc's middle."""
    placed = []
    for level in LEVELS:
        recesses = [spine.recesses[level, side] for side in SIDES if (level, side) in spine.recesses]
        disc = spine.reference.disc(level)
        if len(recesses) == len(SIDES) and disc is not None:
            frame = axial_disc_frame(disc, recesses)
            placed.append(PlacedPatch(level, None, recesses[0].volume, frame, frame.center_lps_mm, disc, None))
    return placed


ANCHORS: Final[Mapping[str, Callable[[LocatedSpine], list[PlacedPatch]]]] = {
    "disc": _at_discs,
    "disc_t1": _at_discs_on_t1,
    "canal": _at_canals,
    "foramen": _at_foramina,
    "recess": _at_recesses,
    "axial_disc": _at_axial_discs,
}
"""How the patches of a grader are placed, by the anchor on its card."""

SEEN_ON: Final[Mapping[str, Role]] = {
    "disc": "sagittal_t2",
    "disc_t1": "sagittal_t1",
    "canal": "sagittal_t2",
    "foramen": "sagittal_t1",
    "recess": "axial_t2",
    "axial_disc": "axial_t2",
}
"""The role of the series that an anchor's patches are cut from."""

"""Graded places of labelled studies as a grader meets them: located, placed and cut as an analysis does it.

Series are chosen, discs located and patches placed by the pipeline's own functions, so that training sees the geometry
that analysis will see. Labels say which grade holds where, and nothing of where to look.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from jaxtyping import Float64

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.levels import LEVELS, SIDES, Side
from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.dicom.volume import Volume
from lumbago.errors import InputError, NotALumbarStudy, UnreadableInput
from lumbago.inference.weights import Model
from lumbago.labels.image_frames import FrameReader
from lumbago.labels.labelled_study import LabelledStudy, Shape
from lumbago.labels.open_images import open_images
from lumbago.labels.open_study import WITH_HEADERS, open_study
from lumbago.labels.sources import read_source
from lumbago.learning.disc_samples import ELSEWHERE_MM, LEAST_DISCS, GradedPatch
from lumbago.learning.experiment import Experiment
from lumbago.learning.places import ModelOf, Places, model_of
from lumbago.learning.sample_cache import Piece, Preparation, kept_samples
from lumbago.learning.splits import HELD_OUT, VALIDATION, fold_rule, part_of
from lumbago.pipeline.crop_patches import PatchFrame, PatchRecipe, crop_patch
from lumbago.pipeline.grade_patches import why_abstain
from lumbago.pipeline.grade_study import also_placed
from lumbago.pipeline.judge_quality import doubt_of, require_lumbar
from lumbago.pipeline.locate_discs import locate_discs
from lumbago.pipeline.locate_study import locate_spine, locate_study
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine, PlacedPatch

_SAGITTAL: Final[tuple[Role, ...]] = ("sagittal_t2", "sagittal_t1")
_SPARE_MM: Final = 10.0
_SPARE_SCALE: Final = 1.3
_SPARE_SLICES: Final = 1
"""What is kept around a patch, for frames that training shakes."""

_TOLD: Final = 100
MADE: Final = "phantoms"
"""What data is called that no patient stands behind, whichever label source it came through."""

log: Final = logging.getLogger(__name__)
Site = tuple[str, Side | None]
_Result = TypeVar("_Result")


def locate_labelled(study: LabelledStudy, locator: Model, decoder: Decoder) -> LocatedSpine:
    """The spine of a labelled study: of DICOM and NIfTI images as in an analysis; of other volumes, which have no
    headers, by the roles that the label source states.

    Raises:
        UnreadableInput, NotAGrid, MixedPatients: its images cannot be read; NotALumbarStudy: no lumbar spine is seen.
    """
    if any(image.kind in WITH_HEADERS for image in study.images):
        return locate_study(open_study(study, decoder), locator, decoder).spine
    opened = open_images(study, decoder)
    volumes = {role: opened.by_role(role) for role in _SAGITTAL}
    sagittal = {role: locate_discs(locator, found[0]) for role, found in volumes.items() if found}
    if not sagittal:
        why = f" ({opened.remarks[0]})" if opened.remarks else ""
        raise UnreadableInput(f"no sagittal volume of {study.name} can be read{why}", "volumes, each with its role")
    require_lumbar([doubt_of(location) for location in sagittal.values()], ())
    return locate_spine(locator, sagittal, opened.by_role("axial_t2"))


@dataclass(eq=False)
class StudySampler:
    """Gives the graded places of a labelled study, call by call; the same study gives the same places.

    Attributes:
        experiment: says which conditions, about which anchor, cut how large.
        locators: gives the locator for a patient, of the fold that has not seen him.
        left_out: how many places were left out so far, by reason.
    """

    experiment: Experiment
    locators: ModelOf
    decoder: Decoder
    left_out: Counter[str] = field(default_factory=Counter)

    def __call__(self, study: LabelledStudy) -> list[GradedPatch]:
        """The places of the experiment's anchor with a known grade, located; each holds only the voxels it needs.

        A place is left out when its labelled point lies elsewhere; without a point, when the names of the discs are
        not sure; and always when an analysis would say that it cannot be graded, but for what it does not see there.

        Raises:
            UnreadableInput, NotAGrid, MixedPatients: the study cannot be read; NotALumbarStudy: no lumbar spine is
                seen.
        """
        spine = locate_labelled(study, self.locators(study.patient), self.decoder)
        points = self._points(study)
        series = (ANCHORS[self.experiment.anchor](spine), *also_placed(self.experiment.recipe, spine))
        return [
            replace(self._sample(study, patch, grades), series=number)
            for number, patches in enumerate(series)
            for patch in patches
            if (grades := known_grades(study, self.experiment.conditions, (patch.level, patch.side)))
            and self._is_there(patch, points, spine)
        ]

    def known_by(self, study: LabelledStudy) -> tuple[Any, ...]:
        """What the places depend on: the locator, what is wanted, the labels, and the files, by size and time."""
        wanted = self.experiment
        files = [
            (str(path), path.stat().st_size, path.stat().st_mtime_ns)
            for image in study.images
            for path in (sorted(image.path.rglob("*")) if image.path.is_dir() else [image.path])
            if path.is_file()
        ]
        labels = (study.patient, *map(repr, (study.truth.findings, study.shapes, study.absence, study.images)))
        sha256 = self.locators(study.patient).card.sha256
        return sha256, asdict(self.experiment.recipe), wanted.conditions, labels, files

    def _points(self, study: LabelledStudy) -> dict[Site, Float64[np.ndarray, "3"]]:
        """Labelled points of the experiment's conditions in patient millimetres."""
        frames = FrameReader(self.decoder)
        shapes = [shape for shape in study.shapes if shape.kind == "point" and shape.level is not None]
        placed = {
            (str(shape.level), shape.side): _to_lps_mm(study, shape, frames)
            for shape in shapes
            if shape.condition in self.experiment.conditions
        }
        return {site: point for site, point in placed.items() if point is not None}

    def _is_there(self, patch: PlacedPatch, points: dict[Site, Float64[np.ndarray, "3"]], spine: LocatedSpine) -> bool:
        recipe = self.experiment.recipe.place
        picture = crop_patch(patch.volume, patch.frame, recipe.scaled(1 / patch.scale))
        reason = why_abstain(patch, picture, recipe) or _why_not(patch, points.get((patch.level, patch.side)), spine)
        if reason:
            self.left_out[reason] += 1
        return not reason

    def _sample(self, study: LabelledStudy, patch: PlacedPatch, grades: dict[str, int]) -> GradedPatch:
        volume, frame = cut_out(patch.volume, patch.frame, self.experiment.recipe.scaled(1 / patch.scale))
        made = is_made(patch.volume.headers[0].patient_id)
        return GradedPatch(
            MADE if made else study.source, study.patient, f"{study.source}:{study.name}", patch.level, volume, frame,
            patch.reference, grades, patch.scale, patch.side, measures=patch.measures,
        )  # fmt: skip


def _to_lps_mm(study: LabelledStudy, shape: Shape, frames: FrameReader) -> Float64[np.ndarray, "3"] | None:
    if shape.frame == "lps_mm":
        return np.array(shape.middle, np.float64)
    image = study.image(shape.image)
    frame = frames.frame(image, shape.instance) if image is not None else None
    return None if frame is None else frame.to_lps_mm(*shape.middle)


def _why_not(patch: PlacedPatch, point: Float64[np.ndarray, "3"] | None, spine: LocatedSpine) -> str:
    """Why its labels are not those of a place, or ""."""
    if point is not None:
        away_mm = patch.scale * float(np.linalg.norm(patch.point_lps_mm - point))
        return "its labelled point lies elsewhere" if away_mm > ELSEWHERE_MM else ""
    if not spine.reference.name_is_sure or len(spine.reference.discs) < LEAST_DISCS:
        return "the names of the discs are not sure"
    return ""


def known_grades(study: LabelledStudy, conditions: Iterable[str], site: Site) -> dict[str, int]:
    """The grades that are known at a (level, side), as indices into their scales; what nobody graded is not there."""
    level, side = site
    grades = {name: study.grade(name, level, side) for name in conditions if side in CONDITIONS[name].sides}
    return {name: CONDITIONS[name].scale.grades.index(grade) for name, grade in grades.items() if grade is not None}


def is_made(patient_id: str) -> bool:
    """Whether a PatientID is that of a phantom, in whatever layout its images came."""
    return patient_id.startswith("PHANTOM-")


def cut_out(volume: Volume, frame: PatchFrame, recipe: PatchRecipe) -> tuple[Volume, PatchFrame]:
    """The part of a volume that a patch, shaken by training, can need, and the patch's frame in it."""
    half = _SPARE_SCALE * recipe.pixel_mm / 2 * np.array([recipe.rows, recipe.columns]) + _SPARE_MM
    corners = [
        frame.center_lps_mm + down * half[0] * frame.down + along * half[1] * frame.along
        for down in (-1, 1)
        for along in (-1, 1)
    ]
    places = volume.to_ijk(np.array(corners))[:, 1:]
    reach = recipe.slices // 2 + recipe.votes // 2 + _SPARE_SLICES
    first = np.array([frame.slice_index - reach, *np.floor(places.min(0))], int)
    last = np.array([frame.slice_index + reach, *np.ceil(places.max(0))], int)
    first, last = np.clip([first, last], 0, np.array(volume.array.shape) - 1)
    slices, rows, columns = (slice(a, b + 1) for a, b in zip(first, last, strict=True))
    affine = volume.affine.copy()
    affine[:3, 3] = volume.to_lps_mm(first.astype(np.float64))
    array = np.ascontiguousarray(volume.array[slices, rows, columns])
    kept = replace(volume, array=array, affine=affine, headers=volume.headers[slices])
    return kept, replace(frame, slice_index=frame.slice_index - int(first[0]))


def studies_with_volumes(data: Path, sources: Iterable[str]) -> list[LabelledStudy]:
    """The studies of label sources under the folder `data` that are more than pictures.

    Raises:
        UnreadableInput: a table of a source is not there.
    """
    studies = (study for source in sources for study in read_source(source, data / source))
    return [study for study in studies if any(image.kind != "picture" for image in study.images)]


def study_samples(data: Experiment, places: Places) -> tuple[list[GradedPatch], list[GradedPatch]]:
    """Graded places of an experiment's sources that have DICOM series or volumes: to learn from, to validate on.

    A study that cannot be read or located is left out with a sentence in the log.

    Raises:
        UnreadableInput: none of them can be used; label tables that are not there.
        ModelRefused: a locator that has seen the patients it is to place.
    """
    fold = fold_rule(data)
    chosen = [
        study
        for study in studies_with_volumes(places.data, data.sources)
        if _is_graded(study, data.conditions) and part_of(data, fold(study.patient)) != HELD_OUT
    ]
    found: dict[bool, list[GradedPatch]] = {False: [], True: []}
    if chosen:
        with open_decoder() as decoder:
            sampler = StudySampler(data, model_of(places.locators, fold), decoder)
            for study, patches in each_usable(chosen, lambda one: _kept(sampler, one, places.preparing)):
                found[part_of(data, fold(study.patient)) == VALIDATION] += patches or []
        for reason, count in sampler.left_out.items():
            log.warning("%d graded places are left out: %s.", count, reason)
    return found[False], found[True]


def _kept(sampler: StudySampler, study: LabelledStudy, how: Preparation) -> list[GradedPatch]:
    """The places of a study, out of the cache where they are there; a study that cannot be read leaves nothing in
    it."""
    piece = Piece(sampler.__call__, (study,), sampler.known_by(study))
    return kept_samples(
        [piece], GradedPatch.of_parts, replace(how, processes=1, show=_shows_nothing), "located studies"
    )


def _shows_nothing(*_: object) -> None:
    """Each study by itself is no progress."""


def _is_graded(study: LabelledStudy, conditions: Iterable[str]) -> bool:
    return any(known_grades(study, conditions, (level, side)) for level in LEVELS for side in (None, *SIDES))


def each_usable(
    studies: Sequence[LabelledStudy], read: Callable[[LabelledStudy], _Result]
) -> Iterator[tuple[LabelledStudy, _Result | None]]:
    """What is read of each study; one that cannot be read costs itself and a sentence, and gives None.

    Raises:
        UnreadableInput: none of them can be used.
    """
    reasons = []
    for number, study in enumerate(studies, 1):
        try:
            yield study, read(study)
        except (InputError, NotALumbarStudy) as error:
            reasons.append(str(error))
            log.warning("%s study %s cannot be used: %s", study.source, study.name, error)
            yield study, None
        if number % _TOLD == 0:
            log.info("%d of %d studies are read.", number, len(studies))
    if reasons and len(reasons) == len(studies):
        raise UnreadableInput(f"none of {len(studies)} studies can be used: {reasons[0]}", "images beside the labels")
    if reasons:
        log.warning("%d of %d studies cannot be used.", len(reasons), len(studies))

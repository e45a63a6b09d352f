"""Patches to calibrated probabilities, and probabilities to findings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from jaxtyping import Float32

from lumbago.anatomy.conditions import CONDITIONS, Condition, Role
from lumbago.anatomy.findings import CALLED_FROM, SPOT_CONTRAST, Evidence, Finding, Measurement, Point, Site
from lumbago.anatomy.herniation import herniation_zone
from lumbago.anatomy.meyerding import slip_details
from lumbago.dicom.patient_geometry import is_inside_slice
from lumbago.inference.weights import Model
from lumbago.pipeline.crop_patches import PLACE, PatchRecipe, crop_patch, patch_views
from lumbago.pipeline.disc_sizes import disc_sizes
from lumbago.pipeline.grade_boxes import grades_of_boxes
from lumbago.pipeline.grade_study import also_placed, run_on_study
from lumbago.pipeline.join_series import join_series
from lumbago.pipeline.locate_discs import LocatedDisc
from lumbago.pipeline.place_patches import ANCHORS, SEEN_ON, LocatedSpine, PlacedPatch
from lumbago.pipeline.spot_details import along_mm, each_alone, part_of_disc, peak_lps_mm, seen_alone, slice_details
from lumbago.pipeline.zone_spot import Spot, find_spot, t1_signal, t1_words

Patch = Float32[np.ndarray, "slices rows columns"]

_UNSEEN: Final = 0.3
_NO_SIGNAL: Final = 0.03
_FLAT: Final = 0.01
_BRIGHT: Final = 99.5
"""Percentile of a volume that counts as its brightest: single pixels may be anything."""
_MARGIN_MM: Final = 10.0
_BETWEEN_ENDPLATES: Final = 0.7
"""Height of a disc as a share of that from body to body: chosen by Dice with the masks of SPIDER's readers, 90 T2-SPACE
slices of 30 patients, of which every half chose 0.65 or 0.7."""
_FARTHER_OUT: Final = 1.5
"""A herniation lies so many times as far from the middle as what its map shows: the slope of a line through 17
herniations of phantoms that the grader had not seen (seeds 7000 to 7059; correlation 0.97)."""


@dataclass(frozen=True, eq=False)
class Graded:
    """A finding; the map of what its grade rests on (rows and columns of the patch at the network's stride); what it
    counts for beside others of its place and series."""

    finding: Finding
    heat: Float32[np.ndarray, "h w"] | None
    weight: float = 1.0


def grade_patches(models: Iterable[Model], spine: LocatedSpine) -> list[Graded]:
    """Grades every condition of every model wherever its patches could be placed, one finding for each place. What a
    series is read for instead of another (`Condition.instead_from`) stands where no other gave a grade."""
    graded: list[Graded] = []
    for model in sorted(models, key=lambda one: bool(_instead(one))):
        given = {_site(item) for item in graded if not item.finding.abstained}
        patches = ANCHORS[str(model.card.inputs["anchor"])](spine)
        found = _grade(model, patches, spine) if patches else []
        graded += [one for one in found if one.finding.condition not in _instead(model) or _site(one) not in given]
    graded = [_sized(item) for item in _one_each(graded)]
    return graded + [degeneration for item in graded if (degeneration := _degeneration(item)) is not None]


def _instead(model: Model) -> set[str]:
    """The conditions that the model's series is read for where no other gives a grade."""
    role = SEEN_ON[str(model.card.inputs["anchor"])]
    return {name for name in model.card.conditions if role in CONDITIONS[name].instead_from}


def _site(item: Graded) -> Site:
    return item.finding.condition, item.finding.level, item.finding.side


def _one_each(graded: Sequence[Graded]) -> list[Graded]:
    """One of each condition, level and side: where several models graded it, their answers joined, with a map of the
    patch that is its evidence, if one of them made it."""
    places: dict[Site, list[Graded]] = {}
    for item in graded:
        places.setdefault(_site(item), []).append(item)
    joined = []
    for items in places.values():
        finding = join_series([item.finding for item in items], [item.weight for item in items])
        heats = [item.heat for item in items if item.finding.evidence == finding.evidence and item.heat is not None]
        joined.append(Graded(finding, heats[0] if heats else None))
    return joined


def _sized(item: Graded) -> Graded:
    """Of an abnormal finding that has a size: what grade that is."""
    finding = item.finding
    size = finding.measurements.get(CONDITIONS[finding.condition].sized_by)
    if size is None or not finding.is_abnormal:
        return item
    return replace(item, finding=replace(finding, details={**finding.details, **slip_details(size.value)}))


def _degeneration(pfirrmann: Graded) -> Graded | None:
    """Disc degeneration in three steps from a Pfirrmann finding: 1-2 normal, 3-4 mild to moderate, 5 severe."""
    finding = pfirrmann.finding
    if finding.condition != "pfirrmann":
        return None
    one, two, three, four, five = (finding.probabilities[grade] for grade in finding.scale.grades)
    scale = CONDITIONS["disc_degeneration"].scale
    values = dict(zip(scale.grades, (round(one + two, 4), round(three + four, 4), five), strict=True))
    expected = scale.expected_grade(values)
    derived = replace(
        finding,
        condition="disc_degeneration",
        grade=None if finding.abstained else max(values, key=lambda grade: values[grade]),
        probabilities=values,
        expected_grade=None if finding.abstained or expected is None else round(expected, 2),
        measurements={},
    )
    return Graded(derived, None)


def _grade(model: Model, patches: Sequence[PlacedPatch], spine: LocatedSpine) -> list[Graded]:
    beside = also_placed(PatchRecipe.of(model.card.inputs), spine)
    recipe = PatchRecipe.of(model.card.inputs).place
    votes = [crop_votes(patch, recipe) for patch in patches]
    values = predict(model, patches, votes, beside)
    graded = []
    for number, patch in enumerate(patches):
        reason = why_abstain(patch, votes[number][recipe.votes // 2], recipe) or patch.unseen
        for name in model.card.conditions:
            probabilities = values.probabilities[name][number]
            finding = _finding(CONDITIONS[name], model, patch, recipe, probabilities)
            heat = None if reason else values.heat(finding, number)
            item = Graded(_abstained(finding, reason) if reason else finding, heat, model.card.weight)
            item = _with_zone(item, patch, recipe) if CONDITIONS[name].has_zone else item
            graded.append(_with_spot(item, model, patch, spine) if CONDITIONS[name].is_spot else item)
    return graded


def _with_zone(item: Graded, patch: PlacedPatch, recipe: PatchRecipe) -> Graded:
    """Of an abnormal finding on axial slices, whose columns run to the patient's left: the zone that its map shows."""
    finding = item.finding
    if not finding.is_abnormal or item.heat is None or SEEN_ON[recipe.anchor] != "axial_t2":
        return item
    zone = herniation_zone(_FARTHER_OUT * along_mm(item.heat, recipe.scaled(1 / patch.scale)))
    return replace(item, finding=replace(finding, details={**finding.details, "zone": zone}))


def _with_spot(item: Graded, model: Model, patch: PlacedPatch, spine: LocatedSpine) -> Graded:
    """Of an abnormal finding that is a spot: the slices that show it when the grader sees them one by one; on sagittal
    slices also the part of the disc where its map is strongest, the spot itself there, which becomes the evidence, and
    its signal on T1. On axial phantoms the map's peak lies on the wrong side of the disc's middle in 3 of 15 zones, so
    there nothing is said of the part."""
    finding, recipe = item.finding, PatchRecipe.of(model.card.inputs)
    if not finding.is_abnormal:
        return item
    believed = recipe.scaled(1 / patch.scale)
    alone = each_alone(patch.volume, patch.frame, believed)
    seen = predict(model, [patch] * len(alone), [[one] * recipe.votes for one in alone])
    details = slice_details(1 - seen.probabilities[finding.condition][:, 0])
    if item.heat is not None and SEEN_ON[recipe.anchor] != "axial_t2":
        peak = peak_lps_mm(item.heat, patch.frame, believed)
        part = details["part"] = part_of_disc(peak, patch.disc.center_lps_mm, patch.disc.frame.back)
        spot = find_spot(patch, part, seen_alone(patch.volume, patch.frame, believed))
        if spot is not None:
            there = replace(patch, frame=replace(patch.frame, slice_index=spot.slice_index))
            evidence = replace(_evidence(there, recipe), point_lps_mm=_rounded(spot.point_lps_mm))
            finding = replace(finding, evidence=evidence)
            details |= {SPOT_CONTRAST: round(spot.contrast, 2), **_on_t1(spot, patch, spine)}
    return replace(item, finding=replace(finding, details={**finding.details, **details}))


def _on_t1(spot: Spot, patch: PlacedPatch, spine: LocatedSpine) -> dict[str, Any]:
    """The signal of a spot on T1, where there is such a series."""
    location = spine.sagittal.get("sagittal_t1")
    if location is None:
        return {}
    ratio = t1_signal(location.volume, spot.point_lps_mm, patch.disc.center_lps_mm, patch.frame)
    return {} if ratio is None else {"t1_signal": t1_words(ratio), "t1_to_disc_ratio": round(ratio, 2)}


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a grader says of a row of patches, by condition: probabilities, and maps of what every grade rests on; no
    maps of a grader that sees features instead of pictures."""

    probabilities: Mapping[str, Float32[np.ndarray, "patches grades"]]
    maps: Mapping[str, Float32[np.ndarray, "patches grades h w"]]

    def heat(self, finding: Finding, number: int) -> Float32[np.ndarray, "h w"] | None:
        """The map of the grade that a patch was given; None without maps."""
        if finding.condition not in self.maps or finding.grade is None:
            return None
        return np.asarray(self.maps[finding.condition][number, finding.scale.grades.index(finding.grade)])


def predict(
    model: Model,
    patches: Sequence[PlacedPatch],
    votes: Sequence[Sequence[Patch]],
    beside: Sequence[Sequence[PlacedPatch]] = (),
) -> Predictions:
    """Calibrated probabilities of every patch: logits averaged over its votes, divided by the card's temperature. A
    grader that sees a whole study is given all patches at once, and those `beside` them on its other series. A
    detector's are those of its boxes on the slice of the patch's disc."""
    if "boxes" in model.card.outputs:
        return Predictions(grades_of_boxes(model, patches), {})
    recipe = PatchRecipe.of(model.card.inputs)
    outputs = _run_on_places(model, patches, votes) if recipe.sees == PLACE else run_on_study(model, patches, beside)
    names, sizes = list(model.card.outputs), [len(grades) for grades in model.card.outputs.values()]
    maps = np.split(outputs["maps"], np.cumsum(sizes)[:-1], axis=1) if "maps" in outputs else []
    probabilities = {name: _softmax(outputs[name] / model.card.calibration.get(name, 1.0)) for name in names}
    return Predictions(probabilities, dict(zip(names, maps, strict=bool(maps))))


def _run_on_places(
    model: Model, patches: Sequence[PlacedPatch], votes: Sequence[Sequence[Patch]]
) -> dict[str, Float32[np.ndarray, "patches ..."]]:
    recipe = PatchRecipe.of(model.card.inputs)
    views = np.stack([_views(patch, vote, recipe) for patch, row in zip(patches, votes, strict=True) for vote in row])
    return {name: _averaged(values, recipe.votes) for name, values in model.run(views).items()}


def _views(patch: PlacedPatch, vote: Patch, recipe: PatchRecipe) -> Float32[np.ndarray, "..."]:
    return patch_views(vote, patch.reference, recipe, patch.measures if recipe.is_measured else None)


def crop_votes(patch: PlacedPatch, recipe: PatchRecipe) -> list[Patch]:
    """The patch about its middle slice and, where the card asks for it, about the slices beside it."""
    reach, believed = recipe.votes // 2, recipe.scaled(1 / patch.scale)
    frames = [patch.frame.shaken((0.0, 0.0), 0.0, n) for n in range(-reach, reach + 1)]
    return [crop_patch(patch.volume, frame, believed) for frame in frames]


def _averaged(values: Float32[np.ndarray, "all ..."], votes: int) -> Float32[np.ndarray, "patches ..."]:
    return np.asarray(values.reshape(-1, votes, *values.shape[1:]).mean(1))


def _softmax(logits: Float32[np.ndarray, "patches grades"]) -> Float32[np.ndarray, "patches grades"]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def why_abstain(patch: PlacedPatch, picture: Patch, recipe: PatchRecipe) -> str:
    """Why a patch must be neither graded nor learned, or ""; `patch.unseen` forbids grades alone.

    Args:
        picture: its middle vote, cut by the recipe.
    """
    middle = picture[picture.shape[0] // 2]
    full = (
        patch.reference.bright
        if patch.reference is not None
        else float(np.percentile(patch.volume.array[:, ::4, ::4], _BRIGHT))
    )
    if patch.disc.confidence < _UNSEEN:
        return "the disc is not clearly seen"
    if patch.doubt:
        return patch.doubt
    if not _is_in_view(patch):
        return "the place is cut off at the edge of the image"
    if float(np.percentile(_core(middle, recipe), 95)) <= _NO_SIGNAL * full:
        return "no signal there"
    if float(middle.std()) < _FLAT * full:
        return "no structure is seen there"
    return ""


def _core(picture: Float32[np.ndarray, "rows columns"], recipe: PatchRecipe) -> Float32[np.ndarray, "high wide"]:
    """The middle 10 x 14 mm: a disc and a rim of its bodies, so that even a black disc leaves some signal in it."""
    (rows, columns), (high, wide) = picture.shape, (round(half / recipe.pixel_mm) for half in (5.0, 7.0))
    return picture[max(rows // 2 - high, 0) : rows // 2 + high, max(columns // 2 - wide, 0) : columns // 2 + wide]


def _is_in_view(patch: PlacedPatch) -> bool:
    """Whether the middle of the patch and what lies 10 mm above and below it are on the image."""
    steps = [patch.point_lps_mm + offset * patch.frame.down for offset in (-_MARGIN_MM, 0.0, _MARGIN_MM)]
    return all(is_inside_slice(patch.volume, place) for place in steps)


def _finding(
    condition: Condition, model: Model, patch: PlacedPatch, recipe: PatchRecipe, values: Float32[np.ndarray, " grades"]
) -> Finding:
    probabilities = {grade: round(float(value), 4) for grade, value in zip(condition.scale.grades, values, strict=True)}
    expected = condition.scale.expected_grade(probabilities)
    least = model.card.calls.get(condition.name)
    return Finding(
        condition=condition.name,
        level=patch.level,
        side=patch.side,
        grade=condition.scale.called(probabilities, least),
        probabilities=probabilities,
        expected_grade=None if expected is None else round(expected, 2),
        evidence=_evidence(patch, recipe),
        details={} if least is None else {CALLED_FROM: least},
        measurements=_sizes(patch, SEEN_ON[recipe.anchor]),
        model=model.card.name,
        trained_on=model.card.trained_on,
    )


def _sizes(patch: PlacedPatch, role: Role) -> dict[str, Measurement]:
    """Sizes are read off sagittal slices; on T1, where fluid is dark, without the signal against it."""
    sizes = {} if role == "axial_t2" else stated_sizes(patch)
    return {name: size for name, size in sizes.items() if role == "sagittal_t2" or name != "nucleus_to_fluid_ratio"}


def stated_sizes(patch: PlacedPatch) -> dict[str, Measurement]:
    """The sizes that stand beside a grade: none beside one of a side, no millimetres where those stated are not
    believed, and nothing of the canal on the first or last of many slices, or where the canal goes on there: its middle
    may lie beyond."""
    if patch.side is not None:
        return {}
    is_in_mm = patch.scale == 1.0 and not patch.volume.geometry_is_assumed
    sizes = disc_sizes(patch.disc, patch.measures, is_in_mm=is_in_mm)
    slices = patch.volume.array.shape[0]
    is_at_end = patch.disc.canal_goes_on or (slices > 1 and patch.disc.slice_index in {0, slices - 1})
    return {name: size for name, size in sizes.items() if not (is_at_end and name.startswith("canal"))}


def _evidence(patch: PlacedPatch, recipe: PatchRecipe) -> Evidence:
    """Where it was seen; the outline of the disc, if it lies on the same series."""
    role = SEEN_ON[recipe.anchor]
    header = patch.volume.headers[min(max(patch.frame.slice_index, 0), len(patch.volume.headers) - 1)]
    return Evidence(
        series_instance_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        frame=header.frame,
        role=role,
        point_lps_mm=_rounded(patch.point_lps_mm),
        box_lps_mm=tuple(
            _rounded(np.array(corner)) for corner in patch.frame.box_lps_mm(recipe.scaled(1 / patch.scale))
        ),  # type: ignore[arg-type]
        outline=() if patch.side or role == "axial_t2" else disc_outline(patch.disc),
        box_down_lps=tuple(round(float(part), 5) for part in patch.frame.down),  # type: ignore[arg-type]
    )


def disc_outline(disc: LocatedDisc) -> tuple[Point, ...]:
    """The disc without its endplates, as a closed polygon on its slice; empty when it was not outlined.

    What the locator draws reaches from body to body, like the outlines that it has learned from; it is made lower about
    the disc's middle.
    """
    less = 1 - _BETWEEN_ENDPLATES
    away = ((np.array(corner), np.array(corner) - disc.center_lps_mm) for corner in disc.outline_lps_mm)
    return tuple(_rounded(corner - less * (offset @ disc.frame.down) * disc.frame.down) for corner, offset in away)


def _rounded(point: np.ndarray) -> Point:
    return round(float(point[0]), 2), round(float(point[1]), 2), round(float(point[2]), 2)


def _abstained(finding: Finding, reason: str) -> Finding:
    return replace(finding, grade=None, expected_grade=None, abstained=True, reason=reason)

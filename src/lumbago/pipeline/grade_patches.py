"""Patches to calibrated probabilities, and probabilities to findings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float32

from lumbago.anatomy.conditions import CONDITIONS, Condition
from lumbago.anatomy.findings import Evidence, Finding, Measurement, Point
from lumbago.dicom.patient_geometry import is_inside_slice
from lumbago.inference.weights import Model
from lumbago.pipeline.crop_patches import PatchRecipe, crop_patch, patch_views
from lumbago.pipeline.measure_spine import measure_disc
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine, PlacedPatch

Patch = Float32[np.ndarray, "slices rows columns"]

_UNSEEN: Final = 0.3
_NO_SIGNAL: Final = 0.03
_FLAT: Final = 0.01
_MARGIN_MM: Final = 10.0


@dataclass(frozen=True, eq=False)
class Graded:
    """A finding and the map of what its grade rests on (rows and columns of the patch at the network's stride)."""

    finding: Finding
    heat: Float32[np.ndarray, "h w"] | None


def grade_patches(models: Iterable[Model], spine: LocatedSpine) -> list[Graded]:
    """Grades every condition of every model wherever its patches could be placed."""
    graded = []
    for model in models:
        patches = ANCHORS[str(model.card.inputs["anchor"])](spine)
        if patches:
            graded += _grade(model, patches)
    return graded + [degeneration for item in graded if (degeneration := _degeneration(item)) is not None]


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


def _grade(model: Model, patches: Sequence[PlacedPatch]) -> list[Graded]:
    recipe = PatchRecipe.of(model.card.inputs)
    votes = [crop_votes(patch, recipe) for patch in patches]
    values = predict(model, patches, votes)
    graded = []
    for number, patch in enumerate(patches):
        reason = why_abstain(patch, votes[number][recipe.votes // 2], recipe)
        for name in model.card.conditions:
            probabilities = values.probabilities[name][number]
            finding = _finding(CONDITIONS[name], model, patch, recipe, probabilities)
            heat = None if reason else values.heat(name, number)
            graded.append(Graded(_abstained(finding, reason) if reason else finding, heat))
    return graded


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a grader says of a row of patches, by condition: probabilities, and maps of what every grade rests on; no
    maps of a grader that sees features instead of pictures."""

    probabilities: Mapping[str, Float32[np.ndarray, "patches grades"]]
    maps: Mapping[str, Float32[np.ndarray, "patches grades h w"]]

    def heat(self, condition: str, number: int) -> Float32[np.ndarray, "h w"] | None:
        """The map of the likeliest grade of a patch; None without maps."""
        likeliest = int(np.argmax(self.probabilities[condition][number]))
        return self.maps[condition][number, likeliest] if condition in self.maps else None


def predict(model: Model, patches: Sequence[PlacedPatch], votes: Sequence[Sequence[Patch]]) -> Predictions:
    """Calibrated probabilities of every patch: logits averaged over its votes, divided by the card's temperature."""
    recipe = PatchRecipe.of(model.card.inputs)
    views = np.stack(
        [patch_views(vote, patch.reference, recipe) for patch, row in zip(patches, votes, strict=True) for vote in row]
    )
    outputs = {name: _averaged(values, recipe.votes) for name, values in model.run(views).items()}
    names, sizes = list(model.card.outputs), [len(grades) for grades in model.card.outputs.values()]
    maps = np.split(outputs["maps"], np.cumsum(sizes)[:-1], axis=1) if "maps" in outputs else []
    probabilities = {name: _softmax(outputs[name] / model.card.calibration.get(name, 1.0)) for name in names}
    return Predictions(probabilities, dict(zip(names, maps, strict=bool(maps))))


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
    """Why a patch must not be graded, or "".

    Args:
        picture: its middle vote, cut by the recipe.
    """
    middle = picture[picture.shape[0] // 2]
    full = patch.reference.bright if patch.reference is not None else float(patch.volume.array.max())
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
    return Finding(
        condition=condition.name,
        level=patch.level,
        side=patch.side,
        grade=max(probabilities, key=lambda grade: probabilities[grade]),
        probabilities=probabilities,
        expected_grade=None if expected is None else round(expected, 2),
        evidence=_evidence(condition, patch, recipe),
        measurements=_measurements(patch),
        model=model.card.name,
        trained_on=model.card.trained_on,
    )


def _measurements(patch: PlacedPatch) -> dict[str, Measurement]:
    """None beside a grade of a side, none without true millimetres, and no canal depth on the first or last of many
    slices: the middle of the canal may lie beyond it."""
    if patch.side is not None or patch.scale != 1.0 or patch.volume.geometry_is_assumed:
        return {}
    slices = patch.volume.array.shape[0]
    is_at_end = slices > 1 and patch.disc.slice_index in {0, slices - 1}
    return measure_disc(replace(patch.disc, canal_mm=None) if is_at_end else patch.disc)


def _evidence(condition: Condition, patch: PlacedPatch, recipe: PatchRecipe) -> Evidence:
    header = patch.volume.headers[min(max(patch.frame.slice_index, 0), len(patch.volume.headers) - 1)]
    return Evidence(
        series_instance_uid=header.series_instance_uid,
        sop_instance_uid=header.sop_instance_uid,
        frame=header.frame,
        role=condition.source,
        point_lps_mm=_rounded(patch.point_lps_mm),
        box_lps_mm=tuple(
            _rounded(np.array(corner)) for corner in patch.frame.box_lps_mm(recipe.scaled(1 / patch.scale))
        ),  # type: ignore[arg-type]
        outline=tuple(_rounded(np.array(corner)) for corner in patch.disc.outline_lps_mm) if patch.side is None else (),
        box_down_lps=tuple(round(float(part), 5) for part in patch.frame.down),  # type: ignore[arg-type]
    )


def _rounded(point: np.ndarray) -> Point:
    return round(float(point[0]), 2), round(float(point[1]), 2), round(float(point[2]), 2)


def _abstained(finding: Finding, reason: str) -> Finding:
    return replace(finding, grade=None, expected_grade=None, abstained=True, reason=reason)

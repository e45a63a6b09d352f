"""How well places are found: average precision of boxes and points, overlap of masks, distance of points.

Average precision is COCO's (Lin et al. 2014, 101 points of recall): in each image the surest detections take the best
free truth of their label first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Integer, Shaped

from lumbago.evaluation.intervals import Score, Values, Weights, over_patients, weighted_scores
from lumbago.evaluation.metrics import ratio

COCO_OVERLAPS: Final = tuple(float(value) for value in np.linspace(0.5, 0.95, 10))
_RECALLS: Final = np.linspace(0, 1, 101)
_MOST_AN_IMAGE: Final = 100
"""Detections of one label that COCO looks at in one image."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A place in an image: a box (left, top, right, bottom) or a point (x, y, or x, y, z), of one label.

    `score` is a detection's sureness, None for a truth. Units are the caller's, the same throughout.
    """

    patient: str
    image: str
    label: str
    place: tuple[float, ...]
    score: float | None = None

    @property
    def owner(self) -> tuple[str, str]:
        """The image that it lies in: several patients may have one of the same name."""
        return self.patient, self.image


Closeness = Callable[[tuple[float, ...], tuple[float, ...]], float]
"""How well a detection fits a truth; more is better."""


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    shared = _area_of((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))
    whole = _area_of(one) + _area_of(other) - shared
    return shared / whole if whole > 0 else 0.0


def _area_of(box: tuple[float, ...]) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def nearness(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Minus the distance of two points: at least -3 means within 3 units."""
    return -float(np.linalg.norm(np.subtract(one, other)))


def average_precision(
    truths: Sequence[Marked], detections: Sequence[Marked], closeness: Closeness, least: float
) -> Score:
    """Average precision of one label at one tolerance, with its interval over patients.

    Args:
        closeness, least: a detection counts as right at `closeness` of `least` or more.
    """
    return _precision([_match(truths, detections, closeness, least)], _patients(truths, detections))


def mean_average_precision(
    truths: Sequence[Marked], detections: Sequence[Marked], closeness: Closeness, tolerances: Sequence[float]
) -> dict[str, Score]:
    """Average precision of each label that occurs, over all tolerances, and `mean` of the labels.

    With `overlap` and `COCO_OVERLAPS` it is COCO's mAP.
    """
    patients = _patients(truths, detections)
    matches = {
        label: [_match(_of(label, truths), _of(label, detections), closeness, least) for least in tolerances]
        for label in dict.fromkeys(mark.label for mark in truths)
    }
    scores = {label: _precision(of_label, patients) for label, of_label in matches.items()}
    return scores | {"mean": _precision([match for of_label in matches.values() for match in of_label], patients)}


def _of(label: str, marks: Iterable[Marked]) -> list[Marked]:
    return [mark for mark in marks if mark.label == label]


def _patients(truths: Sequence[Marked], detections: Sequence[Marked]) -> dict[str, int]:
    return {name: index for index, name in enumerate(dict.fromkeys(mark.patient for mark in (*truths, *detections)))}


@dataclass(frozen=True, eq=False)
class _Matched:
    """Detections from the surest down, whether each is right, and whose truths there are."""

    is_right: Bool[np.ndarray, " detections"]
    detection_patient: Shaped[np.ndarray, " detections"]
    truth_patient: Shaped[np.ndarray, " truths"]


def _match(truths: Sequence[Marked], detections: Sequence[Marked], closeness: Closeness, least: float) -> _Matched:
    free: dict[tuple[str, str], list[Marked]] = {}
    for truth in truths:
        free.setdefault(truth.owner, []).append(truth)
    seen: dict[tuple[str, str], int] = {}
    ordered, is_right = [], []
    for detection in sorted(detections, key=lambda mark: -(mark.score or 0.0)):
        seen[detection.owner] = seen.get(detection.owner, 0) + 1
        if seen[detection.owner] <= _MOST_AN_IMAGE:
            ordered.append(detection)
            is_right.append(_take(free.get(detection.owner, []), detection, closeness, least))
    return _Matched(
        np.array(is_right, bool),
        np.array([mark.patient for mark in ordered], str),
        np.array([mark.patient for mark in truths], str),
    )


def _take(free: list[Marked], detection: Marked, closeness: Closeness, least: float) -> bool:
    """Takes the closest free truth away; False when none is close enough."""
    fits = [closeness(detection.place, truth.place) for truth in free]
    if not fits or max(fits) < least:
        return False
    free.pop(len(fits) - 1 - fits[::-1].index(max(fits)))
    return True


def _precision(matches: Sequence[_Matched], patients: Mapping[str, int]) -> Score:
    """Mean over the matches, resampled over patients."""

    def figure(weights: Weights) -> Values:
        return np.asarray(np.mean([_area(match, patients, weights) for match in matches], axis=0))

    return weighted_scores({"": figure}, np.array(list(patients), str))[""]


def _area(match: _Matched, patients: Mapping[str, int], weights: Weights) -> Values:
    """Mean of the precision, made falling, at 101 recalls, when each patient counts as often as its weight."""
    owner = [patients[name] for name in match.detection_patient]
    truths = weights[:, [patients[name] for name in match.truth_patient]].sum(1)
    if not owner:
        return ratio(np.zeros(truths.size), truths)
    right = np.cumsum(weights[:, owner] * match.is_right, axis=1)
    called = np.cumsum(weights[:, owner], axis=1)
    precision = np.nan_to_num(ratio(right, called))
    falling = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = ratio(right, truths[:, None])
    return np.array([_at_recalls(*rows) for rows in zip(recall, falling, strict=True)])


def _at_recalls(recall: Float64[np.ndarray, " n"], falling: Float64[np.ndarray, " n"]) -> float:
    if np.isnan(recall).any():
        return float("nan")
    index = np.searchsorted(recall, _RECALLS, side="left")
    return float(np.append(falling, 0.0)[index].mean())


def dice(
    truth: Integer[np.ndarray, "..."], found: Integer[np.ndarray, "..."], labels: Sequence[int]
) -> dict[int, float]:
    """Overlap of each label's voxels (Dice 1945): twice the shared by the sum; not-a-number where neither has any."""
    return {
        label: float(
            ratio(2 * ((truth == label) & (found == label)).sum(), (truth == label).sum() + (found == label).sum())
        )
        for label in labels
    }


def distance_figures(
    errors_mm: Float64[np.ndarray, " n"], patients: Shaped[np.ndarray, " n"], within_mm: Sequence[float] = (2.0, 5.0)
) -> dict[str, Score]:
    """Localisation error in millimetres, infinite where nothing was found: mean and 95th percentile of the found, and
    the share of all within some distances."""

    def of_found(figure: Callable[[np.ndarray], float]) -> Score:
        def known(rows: np.ndarray) -> float:
            errors = errors_mm[rows][np.isfinite(errors_mm[rows])]
            return figure(errors) if errors.size else float("nan")

        return over_patients(known, patients)

    def share_within(limit: float) -> Score:
        return over_patients(lambda rows: float((errors_mm[rows] <= limit).mean()), patients)

    return {
        "mean error of the found, mm": of_found(lambda errors: float(errors.mean())),
        "95th percentile of the error of the found, mm": of_found(lambda errors: float(np.percentile(errors, 95))),
        **{f"within {limit:g} mm": share_within(limit) for limit in within_mm},
    }

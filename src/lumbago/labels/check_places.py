"""Whether labels lie on images that are there, inside them, and one level below the other."""

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from lumbago.anatomy.levels import bottom_count
from lumbago.labels.image_frames import FrameReader, SliceFrame
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, kind_of
from lumbago.labels.problems import Problem

_WIDE: Final = 1.6
_ENOUGH_GAPS: Final = 3
_BODIES: Final = ("S1", *(f"L{n}" for n in range(5, 0, -1)), *(f"T{n}" for n in range(12, 0, -1)))


@dataclass(frozen=True, slots=True)
class PlacedShape:
    """A drawn shape with the slice it lies on; `lps_mm` is its middle, None when the slice states no place."""

    shape: Shape
    frame: SliceFrame | None
    lps_mm: tuple[float, float, float] | None

    @property
    def is_on_image(self) -> bool:
        """Whether its middle can be compared with others."""
        return self.lps_mm is not None if self.frame is None else self.frame.holds(*self.shape.middle[:2])


def place_shapes(study: LabelledStudy, frames: FrameReader) -> tuple[PlacedShape, ...]:
    """All shapes but masks, each on its slice."""
    return tuple(_placed(study, shape, frames) for shape in study.shapes if shape.kind != "mask")


def _placed(study: LabelledStudy, shape: Shape, frames: FrameReader) -> PlacedShape:
    if shape.frame == "lps_mm":
        x, y, z = shape.middle
        return PlacedShape(shape, None, (x, y, z))
    image = study.image(shape.image)
    frame = None if image is None else frames.frame(image, shape.instance)
    place = None if frame is None else frame.to_lps_mm(*shape.middle[:2])
    return PlacedShape(shape, frame, None if place is None else (float(place[0]), float(place[1]), float(place[2])))


def name_of(shape: Shape) -> str:
    """What a shape is called in a message."""
    parts = (shape.side, shape.condition or shape.structure or shape.kind, shape.level)
    where = f"on {shape.image}" if shape.image else ""
    slice_ = f"slice {shape.instance}" if shape.instance is not None else ""
    return " ".join(part for part in (*parts, where, slice_) if part)


def check_images(study: LabelledStudy, frames: FrameReader) -> Iterator[Problem]:
    """Images that are not there, masks that are not there or do not fit, labels without images, images without; and
    labelled pictures of unknown role."""
    is_labelled = bool(study.truth.findings or study.shapes)
    if is_labelled and not study.images:
        yield Problem(
            "no_images", study.name, "", f"{len(study.truth.findings)} labels of a study without images",
            "its images in the folder", "add them, or take the study out of the labels",
        )  # fmt: skip
    if study.images and not is_labelled:
        yield Problem(
            "no_labels", study.name, "", f"{len(study.images)} images without any label", "labels for every study",
            "nothing is learned from it; label it, or take it out",
        )  # fmt: skip
    unknown = [image.name for image in study.images if image.kind == "picture" and image.role is None]
    if is_labelled and unknown:
        yield Problem(
            "no_role", study.name, unknown[0], f"pictures of unknown role: {len(unknown)}",
            "sagittal_t1, sagittal_t2 or axial_t2", "put t1 or t2 into their names, or a role into images.csv",
        )  # fmt: skip
    for image in study.images:
        if not image.path.exists():
            yield _not_there(study, f"image {image.name}", str(image.path))
    for shape in study.shapes:
        if shape.kind == "mask":
            yield from _check_mask(study, shape, frames)


def _not_there(study: LabelledStudy, place: str, what: str) -> Problem:
    return Problem(
        "missing_image", study.name, place, f"{what} is not there", "the image that the label is about",
        "add it, or take the label out",
    )  # fmt: skip


def _check_mask(study: LabelledStudy, shape: Shape, frames: FrameReader) -> Iterator[Problem]:
    image = study.image(shape.image)
    if shape.mask is None or not shape.mask.exists():
        yield _not_there(study, f"mask of {shape.image}", str(shape.mask))
        return
    kind = kind_of(shape.mask)
    if image is None or kind is None or kind != image.kind or kind == "dicom":
        return
    drawn, seen = frames.frame(ImageRef("mask", shape.mask, kind), 1), frames.frame(image, 1)
    if drawn is None:
        yield Problem(
            "damaged_image", study.name, f"mask of {shape.image}", f"{shape.mask.name} cannot be read", "a label mask",
            "write it again",
        )  # fmt: skip
    elif seen is not None and drawn.size != seen.size:
        yield Problem(
            "outside_image", study.name, f"mask of {shape.image}",
            f"a mask of {drawn.size[0]} x {drawn.size[1]} pixels on an image of {seen.size[0]} x {seen.size[1]}",
            "the same grid", "draw it on that image",
        )  # fmt: skip


def check_inside(study: LabelledStudy, placed: Sequence[PlacedShape]) -> Iterator[Problem]:
    """Shapes on slices that are not there, and beyond the edges of those that are."""
    for item in placed:
        shape = item.shape
        if shape.frame == "lps_mm":
            continue
        image = study.image(shape.image)
        if image is None:
            yield _not_there(study, name_of(shape), f"series {shape.image}")
        elif item.frame is None and image.path.exists():
            slice_ = "it" if shape.instance is None else f"instance {shape.instance} in {image.path.name}"
            yield _not_there(study, name_of(shape), slice_)
        elif item.frame is not None and not all(item.frame.holds(*point[:2]) for point in shape.points):
            yield _outside(study, shape, item.frame)


def _outside(study: LabelledStudy, shape: Shape, frame: SliceFrame) -> Problem:
    row, column = next(point for point in shape.points if not frame.holds(*point[:2]))[:2]
    return Problem(
        "outside_image", study.name, name_of(shape), f"row {row:.1f}, column {column:.1f}",
        f"0 to {frame.size[0]} and 0 to {frame.size[1]}", "correct it; rows and columns may have changed places",
    )  # fmt: skip


def check_level_order(study: LabelledStudy, placed: Sequence[PlacedShape]) -> Iterator[Problem]:
    """Levels, and bodies, must follow one another from head to feet: by patient millimetres, on pictures by rows."""
    groups: dict[tuple[object, ...], dict[int, list[tuple[float, Shape]]]] = defaultdict(lambda: defaultdict(list))
    for item in placed:
        rank = _rank(item.shape)
        if rank is not None and item.shape.is_certain and item.is_on_image:
            groups[_group(item)][rank].append((_height(study, item), item.shape))
    for ranks in groups.values():
        pairs = list(pairwise(sorted(ranks)))
        gaps = [_mean(ranks[upper]) - _mean(ranks[lower]) for lower, upper in pairs]
        usual = statistics.median(gaps) if len(gaps) >= _ENOUGH_GAPS else float("inf")
        for (lower, upper), gap in zip(pairs, gaps, strict=True):
            both = ranks[upper][0][1], ranks[lower][0][1]
            if gap <= 0:
                yield _out_of_order(study, *both, -gap)
            elif gap > _WIDE * usual * (upper - lower):
                yield _wide_gap(study, *both, gap / usual)


def _rank(shape: Shape) -> int | None:
    """Number from the sacrum up; None for what has no place in the row of levels."""
    if shape.level is not None:
        return bottom_count(shape.level)
    return _BODIES.index(shape.structure) if shape.structure in _BODIES and shape.condition is None else None


def _group(item: PlacedShape) -> tuple[object, ...]:
    """What is compared with one another: the same thing on the same side, on pictures within one picture."""
    shape = item.shape
    what = shape.condition or ("body" if shape.level is None else shape.structure)
    return what, shape.side, shape.image if item.lps_mm is None else None


def _height(study: LabelledStudy, item: PlacedShape) -> float:
    """Larger towards the head."""
    if item.lps_mm is not None:
        return item.lps_mm[2]
    image = study.image(item.shape.image)
    return item.shape.middle[0] * (1 if image is not None and image.upside_down else -1)


def _mean(rows: Sequence[tuple[float, Shape]]) -> float:
    return sum(height for height, _ in rows) / len(rows)


def _wide_gap(study: LabelledStudy, upper: Shape, lower: Shape, times: float) -> Problem:
    first, second = upper.level or upper.structure, lower.level or lower.structure
    return Problem(
        "level_gap", study.name, name_of(upper), f"{first} is {times:.1f} times as far from {second} as is usual here",
        "even distances", "look whether a level was skipped: the names above it would be one off",
    )  # fmt: skip


def _out_of_order(study: LabelledStudy, upper: Shape, lower: Shape, by: float) -> Problem:
    first, second = upper.level or upper.structure, lower.level or lower.structure
    return Problem(
        "level_order", study.name, name_of(upper), f"{first} lies {by:.1f} below {second}",
        f"{first} above {second}", "look at both; one level may be named wrongly",
    )  # fmt: skip

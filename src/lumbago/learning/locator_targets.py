"""What the locator is to draw on a labelled slice: one map per channel, and where nothing is known.

Maps are on the network's grid (1 mm pixels), uint8: 0 to 200 stand for 0 to 1, 255 for unknown. The loss skips what is
unknown, so tables that label different things train one network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8
from PIL import Image, ImageDraw
from scipy import ndimage

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.levels import level_from_bottom
from lumbago.errors import SettingsRefused
from lumbago.labels.picture_slices import Box, LabelledSlice, Polygon, flipped, read_label_values, read_picture
from lumbago.learning.array_files import StoredArray
from lumbago.learning.sample_cache import Facts
from lumbago.pipeline.locate_discs import CHANNELS, PIXEL_MM
from lumbago.pipeline.normalise import resample_image

ONE: Final = 200
UNKNOWN: Final = 255
_POINT_SIGMA_MM = 3.0
_DISC_GREY, _VERTEBRA_GREY, _CANAL_GREY = 29, 76, 150
_MASK_VALUES: Final = {(_DISC_GREY, "disc", None), (_VERTEBRA_GREY, "vertebra", None), (_CANAL_GREY, "canal", None)}
"""Of SPIDER's pictures, whose masks draw the lowest disc always, arches with their bodies, and no sacrum."""
_BODY_ORDER = ("L1", "L2", "L3", "L4", "L5", "S1")

Maps = UInt8[np.ndarray, "channels rows columns"]
Mask = Bool[np.ndarray, "rows columns"]
Vector = Float64[np.ndarray, " n"]
Pair = Float64[np.ndarray, "2"]


@dataclass(frozen=True, slots=True)
class GradedDisc:
    """A disc's middle, (row, column) on the network's grid, and its known grades as indices into their scales."""

    row: float
    column: float
    grades: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class LocatorSample:
    """A slice on the network's grid with its target maps, and the discs on it whose grades are known."""

    name: str
    patient: str
    image: Float32[np.ndarray, "rows columns"]
    targets: Maps
    graded: tuple[GradedDisc, ...] = ()

    def open(self) -> "LocatorSample":
        """Itself: it is in memory."""
        return self

    def parts(self) -> tuple[Facts, dict[str, np.ndarray]]:
        """What it is called, and its arrays."""
        graded = [[disc.row, disc.column, dict(disc.grades)] for disc in self.graded]
        facts = {"name": self.name, "patient": self.patient, "graded": graded}
        return facts, {"image": self.image, "targets": self.targets}


@dataclass(frozen=True, slots=True)
class StoredSlice:
    """A `LocatorSample` whose arrays lie in a file."""

    name: str
    patient: str
    arrays: Mapping[str, StoredArray]
    graded: tuple[GradedDisc, ...] = ()

    def open(self) -> LocatorSample:
        """The slice, read."""
        image, targets = self.arrays["image"].read(), self.arrays["targets"].read()
        return LocatorSample(self.name, self.patient, image, targets, self.graded)

    @classmethod
    def of_parts(cls, facts: Facts, arrays: Mapping[str, StoredArray]) -> "StoredSlice":
        """The slice whose `parts` these are."""
        return cls(facts["name"], facts["patient"], arrays, tuple(GradedDisc(*disc) for disc in facts["graded"]))


def locator_sample(row: LabelledSlice) -> LocatorSample | None:
    """The slice and its targets; None when nothing on it is labelled.

    Raises:
        UnreadableInput: its picture or its mask cannot be read.
        SettingsRefused: its mask has other values than SPIDER's pictures.
    """
    if not (row.bodies or row.boxes or row.mask):
        return None
    image = resample_image(read_picture(row), (row.spacing_mm, row.spacing_mm), PIXEL_MM)
    targets = np.full((len(CHANNELS), *image.shape), UNKNOWN, np.uint8)
    targets[CHANNELS.index("recess")] = 0
    to_grid = row.spacing_mm / PIXEL_MM
    if row.mask is not None:
        _draw_masks(targets, _read_mask(row, image.shape))
    elif not _draw_bodies(targets, {name: corners * to_grid for name, corners in row.bodies.items()}):
        if not row.boxes:
            return None
        _draw_boxes(targets, row.boxes, to_grid)
    return LocatorSample(row.name, row.patient, image, targets, _graded_discs(row, to_grid))


def _graded_discs(row: LabelledSlice, to_grid: float) -> tuple[GradedDisc, ...]:
    """The labelled discs of a T2 slice with the grades of their levels; on T1 these grades are not seen."""
    found = []
    for count, disc in true_discs(row).items() if row.weighting == "t2" else ():
        level = level_from_bottom(count)
        grades = {
            name: CONDITIONS[name].scale.grades.index(grade) for (name, at), grade in row.grades.items() if at == level
        }
        found += [GradedDisc(disc.center[0] * to_grid, disc.center[1] * to_grid, grades)] if grades else []
    return tuple(found)


@dataclass(frozen=True, slots=True)
class TrueDisc:
    """Where a label says a disc is, (row, column) in pixels of the picture, head up, and half its height there."""

    center: tuple[float, float]
    half_height: float


def true_discs(row: LabelledSlice) -> dict[int, TrueDisc]:
    """Labelled discs of a slice by number from the sacrum up, between its bodies, else by its boxes; empty when there
    are none that can be trusted."""
    return _between_bodies(row.bodies) or {
        box.count: TrueDisc(box.center, max((box.rows[1] - box.rows[0]) / 2, 0.1 * (box.columns[1] - box.columns[0])))
        for box in row.boxes
        if box.is_certain
    }


def _between_bodies(bodies: dict[str, Polygon]) -> dict[int, TrueDisc]:
    if any(name not in bodies for name in _BODY_ORDER):
        return {}
    discs = [disc_between(bodies[a], bodies[b]) for a, b in pairwise(_BODY_ORDER)]
    if any(disc is None for disc in discs):
        return {}
    numbered = zip(range(len(discs), 0, -1), discs, strict=True)
    return {count: TrueDisc(_middle(disc), _half_height(disc)) for count, disc in numbered if disc is not None}


def _half_height(disc: Polygon) -> float:
    """Half the mean distance between the facing edges, which the polygon holds one after the other."""
    half = len(disc) // 2
    return float(np.linalg.norm(disc[:half] - disc[half:][::-1], axis=1).mean() / 2)


def point_map(
    shape: tuple[int, int], points: list[tuple[float, float]], sigma: float = _POINT_SIGMA_MM / PIXEL_MM
) -> UInt8[np.ndarray, "rows columns"]:
    """Gaussian bumps of height ONE at (row, column) points."""
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    heat = np.zeros(shape, np.float32)
    for row, column in points:
        np.maximum(heat, np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2)), out=heat)
    return np.rint(heat * ONE).astype(np.uint8)


def _fill(shape: tuple[int, int], polygon: Float64[np.ndarray, "points 2"]) -> Mask:
    canvas = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(canvas).polygon([(float(c), float(r)) for r, c in polygon], fill=1)
    return np.asarray(canvas, bool)


# --- body polygons ---------------------------------------------------------------------------------------------------


def disc_between(upper: Polygon, lower: Polygon, samples: int = 48) -> Polygon | None:
    """The disc between two bodies as a polygon between their facing edges; None when they do not face each other.

    The edges are read along lines that run from body to body; the direction of these lines is then set square to the
    middle of the gap and the reading repeated, since centroids (above all S1's) are a poor guide to it. Corners join
    only in the last reading: while the direction is still off, their side walls would pull it away.
    """
    down = lower.mean(0) - upper.mean(0)
    for margin in (0.3, 0.25, 0.2, 0.15, 0.04):
        down = down / np.linalg.norm(down)
        across = np.array([-down[1], down[0]])
        low = max((upper @ across).min(), (lower @ across).min())
        high = min((upper @ across).max(), (lower @ across).max())
        if high - low < 5:
            return None
        offsets = np.linspace(low + margin * (high - low), high - margin * (high - low), samples)
        top, bottom = _edge(upper, across, down, offsets, np.max), _edge(lower, across, down, offsets, np.min)
        slope = np.polyfit(offsets, (top + bottom) / 2, 1)[0] if margin > 0.1 else 0.0
        down = down - slope * across
    facing = _is_endplate(offsets, top) & _is_endplate(offsets, bottom)
    offsets, top, bottom = offsets[facing], top[facing], bottom[facing]
    if facing.sum() < 8 or not 0.05 < np.median(bottom - top) / np.ptp(offsets) < 0.6 or (bottom < top).mean() > 0.2:
        return None
    upper_edge = offsets[:, None] * across + top[:, None] * down
    lower_edge = offsets[:, None] * across + bottom[:, None] * down
    return np.concatenate([upper_edge, lower_edge[::-1]])


def _is_endplate(offsets: Vector, edge: Vector) -> Bool[np.ndarray, " n"]:
    """The span around the middle where an edge runs across the spine; where it turns steep it is a side wall."""
    steep = np.abs(np.gradient(edge, offsets)) > 1.0
    middle = offsets.size // 2
    before, after = np.nonzero(steep[:middle])[0], np.nonzero(steep[middle:])[0]
    index = np.arange(offsets.size)
    first, last = before[-1] if before.size else -1, middle + after[0] if after.size else offsets.size
    return np.asarray((index > first) & (index < last))


def _edge(polygon: Polygon, across: Pair, down: Pair, offsets: Vector, pick: Callable[[Vector], float]) -> Vector:
    """Where lines along `down` at the given offsets cross the polygon: the last (`np.max`) or first crossing."""
    u, v = polygon @ across, polygon @ down
    u_next, v_next = np.roll(u, -1), np.roll(v, -1)
    crosses = (u[None] <= offsets[:, None]) != (u_next[None] <= offsets[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = v[None] + (offsets[:, None] - u[None]) / (u_next - u)[None] * (v_next - v)[None]
    return np.array([pick(row[hit]) for row, hit in zip(at, crosses, strict=True)])


def _above(shape: tuple[int, int], polygon: Polygon, below: Polygon) -> Mask:
    """The half plane that lies on the head's side of a body, square to the line to the next body below."""
    down = below.mean(0) - polygon.mean(0)
    down = down / np.linalg.norm(down)
    rows, columns = np.indices(shape)
    return np.asarray(rows * down[0] + columns * down[1] < (polygon @ down).min())


def _draw_bodies(targets: Maps, bodies: dict[str, Polygon]) -> bool:
    """Targets from body polygons L1 to S1, drawn on the middle slice; False when they are too broken to use.

    Above L1 nothing was drawn, below S1 the sacrum was drawn to a varying depth: both are unknown. So is the canal,
    except that it is in no body and no disc.
    """
    if any(name not in bodies for name in _BODY_ORDER):
        return False
    gaps = [float(np.linalg.norm(bodies[b].mean(0) - bodies[a].mean(0))) for a, b in pairwise(_BODY_ORDER)]
    discs = [disc_between(bodies[a], bodies[b]) for a, b in pairwise(_BODY_ORDER)]
    whole = [disc for disc in discs if disc is not None]
    if len(whole) < len(discs) or max(gaps) > 1.5 * float(np.median(gaps)):
        return False
    shape = (targets.shape[1], targets.shape[2])
    disc = _union(shape, whole)
    vertebra, sacrum = _union(shape, [bodies[name] for name in _BODY_ORDER[:-1]]), _union(shape, [bodies["S1"]])
    centers = [_middle(polygon) for polygon in whole]
    above = _above(shape, bodies["L1"], bodies["L2"])
    below = np.arange(shape[0])[:, None] > bodies["S1"][:, 0].max() - 3
    _put(targets, "disc", disc * ONE, above)
    _put(targets, "vertebra", vertebra * ONE, above)
    _put(targets, "sacrum", sacrum * ONE, below & ~sacrum)
    _put(targets, "canal", np.zeros(shape), ~(disc | vertebra | sacrum))
    _put(targets, "disc_center", point_map(shape, centers), above)
    _put(targets, "lumbosacral_center", point_map(shape, centers[-1:]))
    _put(targets, "foramen", np.zeros(shape))
    return True


def _union(shape: tuple[int, int], polygons: list[Polygon]) -> Mask:
    return np.asarray(np.logical_or.reduce([_fill(shape, polygon) for polygon in polygons]))


def _middle(polygon: Polygon) -> tuple[float, float]:
    return float(polygon[:, 0].mean()), float(polygon[:, 1].mean())


def _put(targets: Maps, channel: str, values: np.ndarray, unknown: Mask | None = None) -> None:
    drawn = values if unknown is None else np.where(unknown, UNKNOWN, values)
    targets[CHANNELS.index(channel)] = drawn.astype(np.uint8)


# --- masks -----------------------------------------------------------------------------------------------------------


def _read_mask(row: LabelledSlice, shape: tuple[int, int]) -> np.ndarray:
    assert row.mask is not None
    if set(row.mask_values) != _MASK_VALUES:
        told = (
            ", ".join(f"{value} {structure}" for value, structure, _ in row.mask_values) or "values that nothing names"
        )
        raise SettingsRefused(
            f"a locator is to learn from the mask {row.mask}, which has {told}",
            ", ".join(f"{value} {structure}" for value, structure, _ in sorted(_MASK_VALUES))
            + ", as SPIDER's pictures",
            f"leave {row.source} out of the sources",
        )
    values = read_label_values(row.mask)
    mask = Image.fromarray(flipped(values, row.flips))
    return np.asarray(mask.resize((shape[1], shape[0]), Image.Resampling.NEAREST))


def _draw_masks(targets: Maps, mask: np.ndarray) -> None:
    """Targets from a segmentation with discs, vertebrae (arches included) and canal; the sacrum is not drawn in it."""
    shape = (targets.shape[1], targets.shape[2])
    disc = mask == _DISC_GREY
    discs = _disc_components(disc)
    if not discs:
        return
    lowest = max(discs, key=lambda part: part.center[0])
    vertebra = (mask == _VERTEBRA_GREY) & (np.arange(shape[1])[None] < _back_edge(discs, shape)[:, None])
    below = np.arange(shape[0])[:, None] > lowest.center[0]
    _put(targets, "disc", disc * ONE)
    _put(targets, "vertebra", vertebra * ONE)
    _put(targets, "sacrum", np.zeros(shape), below & ~disc)
    _put(targets, "canal", (mask == _CANAL_GREY) * ONE)
    _put(targets, "disc_center", point_map(shape, [part.center for part in discs]))
    _put(targets, "lumbosacral_center", point_map(shape, [lowest.center]))


@dataclass(frozen=True, slots=True)
class _DiscPart:
    center: tuple[float, float]
    back_column: float


def _disc_components(disc: Mask, least_mm2: float = 60.0) -> list[_DiscPart]:
    labels, count = ndimage.label(disc)
    parts = []
    for index in range(1, count + 1):
        rows, columns = np.nonzero(labels == index)
        if rows.size * PIXEL_MM**2 >= least_mm2:
            parts.append(_DiscPart((float(rows.mean()), float(columns.mean())), float(np.percentile(columns, 98))))
    return parts


def _back_edge(discs: list[_DiscPart], shape: tuple[int, int], margin_mm: float = 3.0) -> np.ndarray:
    """Column behind which, at each row, a vertebra is arch and no longer body: the back of the discs, interpolated."""
    ordered = sorted(discs, key=lambda part: part.center[0])
    rows = [part.center[0] for part in ordered]
    edge = np.interp(np.arange(shape[0]), rows, [part.back_column for part in ordered])
    return np.asarray(edge + margin_mm / PIXEL_MM)


# --- boxes -----------------------------------------------------------------------------------------------------------


def _draw_boxes(targets: Maps, boxes: tuple[Box, ...], to_grid: float) -> None:
    """Points from disc boxes. A box whose count is in doubt, all above the highest box, and where a disc without a box
    lies stay unknown."""
    shape = (targets.shape[1], targets.shape[2])
    inside = np.zeros(shape, bool)
    doubtful = np.zeros(shape, bool)
    for box in boxes:
        window = tuple(slice(round(a * to_grid), round(b * to_grid) + 1) for a, b in (box.rows, box.columns))
        inside[window] = True
        if not box.is_certain:
            doubtful[window] = True
    unknown = ndimage.binary_dilation(doubtful, iterations=8) | _without_box(boxes, to_grid, shape[0])[:, None]
    certain = [box for box in boxes if box.is_certain]
    centers = {box.count: (box.center[0] * to_grid, box.center[1] * to_grid) for box in certain}
    _put(targets, "disc_center", point_map(shape, list(centers.values())), unknown)
    _put(targets, "disc", np.zeros(shape), inside | unknown)
    if 1 in centers:
        _put(targets, "lumbosacral_center", point_map(shape, [centers[1]]))
    _put(targets, "foramen", np.zeros(shape))


def _without_box(boxes: tuple[Box, ...], to_grid: float, rows: int) -> Bool[np.ndarray, " rows"]:
    """Rows above the highest box, below the lowest unless it is that above the sacrum, and between two of discs that do
    not follow one another."""
    ordered = sorted(boxes, key=lambda box: box.count)
    found = np.zeros(rows, bool)
    found[: max(0, round(min(box.rows[0] for box in boxes) * to_grid) - 3)] = True
    if ordered[0].count > 1:
        found[max(0, round(max(box.rows[1] for box in boxes) * to_grid) + 3) :] = True
    for lower, upper in pairwise(ordered):
        if upper.count > lower.count + 1:
            found[max(0, round(upper.rows[1] * to_grid) + 3) : max(0, round(lower.rows[0] * to_grid) - 2)] = True
    return found

"""The patch that a grader sees: oriented with the disc, resampled, freed of the scanner's scale.

Training crops through here as well, with a shaken frame, so that both see the same thing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from jaxtyping import Float32, Float64

from lumbago.anatomy.findings import Point
from lumbago.dicom.patient_geometry import sample_plane
from lumbago.dicom.volume import Volume
from lumbago.errors import ModelRefused
from lumbago.pipeline.bright_areas import bright_areas
from lumbago.pipeline.classical_features import classical_features
from lumbago.pipeline.measure_spine import SignalReference
from lumbago.pipeline.measured_features import UNKNOWN, Measures
from lumbago.pipeline.normalise import Picture, local_contrast

Vector = Float64[np.ndarray, "3"]
Patch = Float32[np.ndarray, "slices rows columns"]
Channels = Float32[np.ndarray, "slices 3 rows columns"]

PLACE: Final = "place"
PLACES: Final = "places"
PICTURE: Final = "picture"
SEES: Final = (PLACE, PLACES, PICTURE)
"""What a grader has before it when it grades: one place; or all places of a study, each in its patch; or all of them
in one picture."""

_PICTURED: Final = (56, 80, 0.9)
"""Rows, columns and millimetres of what is shown as a place that was graded in a picture of the study."""
MEASURED: Final = "measured"
"""The views of a grader that is given no pixels, but what was measured of a place."""


@dataclass(frozen=True, slots=True)
class PatchRecipe:
    """What a grader's card says of its input.

    Attributes:
        anchor: what lies in the middle: a row of `place_patches.ANCHORS`.
        rows, columns: size in pixels; pixel_mm: their size.
        slices: neighbouring slices, an odd number; at the edge of a volume the last slice is repeated.
        votes: middle slices that are graded one by one and averaged, an odd number.
        views: what the grader is given of it, a row of `VIEWS`; cards that do not say mean the three views.
        sees: of `SEES`, what the grader has before it at once, a place on cards that do not say. All places of a study
            come as `study_input` has them; `rows`, `columns` and `pixel_mm` are of each patch, or of the one picture.
        also_on: roles of the sagittal series on which a grader of a whole study sees the same places once more.
    """

    anchor: str
    rows: int
    columns: int
    pixel_mm: float
    slices: int
    votes: int = 1
    views: str = "three"
    sees: str = PLACE
    also_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> "PatchRecipe":
        """The recipe on a card.

        Raises:
            ModelRefused: views, or a way of seeing a study, that this version does not know.
        """
        if inputs.get("views", "three") not in VIEWS:
            raise ModelRefused(f"a model asks for the views {inputs['views']!r}", f"one of {', '.join(VIEWS)}")
        if inputs.get("sees", PLACE) not in SEES:
            raise ModelRefused(f"a model is to see a {inputs['sees']!r}", f"one of {', '.join(SEES)}")
        told = {name: inputs[name] for name in cls.__dataclass_fields__ if name in inputs}
        return cls(**{**told, "also_on": tuple(told.get("also_on", ()))})

    @property
    def place(self) -> "PatchRecipe":
        """What lies about one place: the patch itself, or the piece of a picture of the study that is shown for it."""
        if self.sees == PLACE:
            return self
        rows, columns, pixel_mm = _PICTURED if self.sees == PICTURE else (self.rows, self.columns, self.pixel_mm)
        return replace(self, rows=rows, columns=columns, pixel_mm=pixel_mm, sees=PLACE, also_on=())

    @property
    def is_measured(self) -> bool:
        """Whether the grader is given what was measured of the place."""
        return self.views == MEASURED

    def scaled(self, factor: float) -> "PatchRecipe":
        """The same pixels over a larger or smaller piece of the body."""
        return replace(self, pixel_mm=self.pixel_mm * factor)


@dataclass(frozen=True, eq=False)
class PatchFrame:
    """Where a patch lies: its middle slice, centre, and unit vectors along its columns and down its rows.

    For one side of the body `along` is turned around, so that left and right look alike to a grader.
    """

    slice_index: int
    center_lps_mm: Vector
    along: Vector
    down: Vector

    def shaken(self, shift_mm: tuple[float, float], degrees: float, slices: int) -> "PatchFrame":
        """The frame moved by (down, along) millimetres, turned in its plane, and shifted by whole slices."""
        angle = np.radians(degrees)
        along = np.cos(angle) * self.along + np.sin(angle) * self.down
        down = np.cos(angle) * self.down - np.sin(angle) * self.along
        center = self.center_lps_mm + shift_mm[0] * self.down + shift_mm[1] * self.along
        return replace(self, slice_index=self.slice_index + slices, center_lps_mm=center, along=along, down=down)

    def box_lps_mm(self, recipe: PatchRecipe) -> tuple[Point, Point]:
        """Two opposite corners of the patch."""
        half = (recipe.rows * self.down + recipe.columns * self.along) * recipe.pixel_mm / 2
        first, last = self.center_lps_mm - half, self.center_lps_mm + half
        return (float(first[0]), float(first[1]), float(first[2])), (float(last[0]), float(last[1]), float(last[2]))


def crop_patch(volume: Volume, frame: PatchFrame, recipe: PatchRecipe) -> Float32[np.ndarray, "slices rows columns"]:
    """Grey values of the patch on neighbouring slices, untouched but for resampling."""
    count = volume.array.shape[0]
    reach = recipe.slices // 2
    wanted = [min(max(frame.slice_index + n, 0), count - 1) for n in range(-reach, reach + 1)]
    sampled = {index: _plane(volume, index, frame, recipe) for index in set(wanted)}
    return np.stack([sampled[index] for index in wanted])


def _plane(volume: Volume, index: int, frame: PatchFrame, recipe: PatchRecipe) -> Picture:
    row_step, column_step = frame.down * recipe.pixel_mm, frame.along * recipe.pixel_mm
    origin = frame.center_lps_mm - (recipe.rows - 1) / 2 * row_step - (recipe.columns - 1) / 2 * column_step
    return sample_plane(volume, index, origin, row_step, column_step, (recipe.rows, recipe.columns))


def patch_views(
    patch: Float32[np.ndarray, "slices rows columns"],
    reference: SignalReference | None,
    recipe: PatchRecipe,
    measures: Measures | None = None,
) -> Float32[np.ndarray, "..."]:
    """What a grader is given of a patch, by the recipe's row of `VIEWS`. Without a reference the patch's own 99th
    percentile and median stand in.

    Args:
        measures: of the place, where the recipe `is_measured`; they come first.
    """
    if reference is None:
        reference = SignalReference(max(float(np.percentile(patch, 99)), 1e-6), max(float(np.median(patch)), 1e-6))
    views = VIEWS[recipe.views](patch, reference, recipe.pixel_mm)
    return np.concatenate([UNKNOWN if measures is None else measures, views]) if recipe.is_measured else views


def three_views(patch: Patch, reference: SignalReference, pixel_mm: float) -> Channels:
    """Three channels, each about -1 to 1: signal against the bright reference, against the middle one, and local
    contrast."""
    bright = np.clip(patch / reference.bright, 0, 1.6)
    middle = np.clip(patch / (2.5 * reference.middle), 0, 1.2)
    local = np.stack([local_contrast(picture, pixel_mm) for picture in patch / reference.bright])
    views = np.stack([2 * np.sqrt(bright) - 1, 2 * middle - 1, local], axis=1)
    return views.astype(np.float32)


def byte_views(patch: Patch, reference: SignalReference, pixel_mm: float) -> Channels:
    """Whole grey values of 0 to 255, the bright reference at 255, copied to three channels: a picture as networks for
    photographs are given it, and as DeepScoreNet's paper feeds its crops."""
    grey = np.rint(255 * np.clip(patch / reference.bright, 0, 1)).astype(np.float32)
    return np.repeat(grey[:, None], 3, axis=1)


def classical_views(patch: Patch, reference: SignalReference, pixel_mm: float) -> Float32[np.ndarray, " features"]:
    """The classical features of the three views."""
    return classical_features(three_views(patch, reference, pixel_mm))


def area_views(patch: Patch, reference: SignalReference, pixel_mm: float) -> Float32[np.ndarray, " areas"]:
    """The sizes of what is bright about the middle; `patch_views` puts what was measured of the place before them."""
    return bright_areas(patch / np.float32(reference.bright), pixel_mm)


VIEWS: Final[Mapping[str, Callable[[Patch, SignalReference, float], Float32[np.ndarray, "..."]]]] = {
    "three": three_views,
    "byte": byte_views,
    "classical": classical_views,
    MEASURED: area_views,
}
"""What a grader can be given of a patch, by the name that stands on its card."""

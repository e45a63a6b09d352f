"""What a grade rests on, laid over the slice it was read from."""

from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Float64
from PIL import Image

from lumbago.anatomy.findings import Evidence
from lumbago.report.slice_view import SliceView

_TINT: Final = (255, 196, 0)
_STRONGEST: Final = 0.35
"""Share of the tint where heat is full: the anatomy must stay readable below it."""
_CONTOUR_AT: Final = 0.5
_LARGEST_PX: Final = 4096


def lay_heat(image: Image.Image, view: SliceView, evidence: Evidence, folder: Path) -> bool:
    """Tints the image where the heat map is warm and draws a line around its hotter half; False when there is no map.

    The map is an 8-bit grey picture in `folder`; its first pixel lies at the first corner of `box_lps_mm`, its last
    at the second, its columns along `box_down_lps`, or, where that is not said, along those of the slice.
    """
    heat = _heat_in_view(image.size, view, evidence, folder)
    if heat is None:
        return False
    shares = np.maximum(_STRONGEST * heat, _rim(heat >= _CONTOUR_AT))
    image.paste(_TINT, (0, 0), Image.fromarray((255 * shares).astype(np.uint8)))
    return True


def _heat_in_view(
    size: tuple[int, int], view: SliceView, evidence: Evidence, folder: Path
) -> Float32[np.ndarray, "rows columns"] | None:
    """Heat from 0 to 1 on the pixels of the picture, 0 outside of the map."""
    grey = _read_map(folder, evidence.heat_map)
    if grey is None or evidence.box_lps_mm is None:
        return None
    first, last = (np.array(view.to_px(corner)) for corner in evidence.box_lps_mm)
    down = _down_in_view(view, evidence)
    height = float((last - first) @ down)
    across = last - first - height * down
    width = float(np.linalg.norm(across))
    if min(abs(height), width) < 1:
        return None
    rows = (across / width * grey.width / width, down * grey.height / height)
    numbers = [float(value) for row in rows for value in (*row, -row @ first)]
    placed = grey.transform(size, Image.Transform.AFFINE, tuple(numbers), Image.Resampling.BILINEAR)
    return np.asarray(placed, np.float32) / 255


def _down_in_view(view: SliceView, evidence: Evidence) -> Float64[np.ndarray, "2"]:
    """Unit vector down the rows of the map, in pixels of the picture."""
    if evidence.box_down_lps is None or evidence.box_lps_mm is None:
        return np.array([0.0, 1.0])
    start = np.array(evidence.box_lps_mm[0])
    x, y, z = (start + np.array(evidence.box_down_lps)).tolist()
    step = np.array(view.to_px((x, y, z))) - np.array(view.to_px(evidence.box_lps_mm[0]))
    return np.asarray(step / max(float(np.linalg.norm(step)), 1e-9))


def _read_map(folder: Path, name: str | None) -> Image.Image | None:
    """The picture of that name, or None when the name leads elsewhere or the file is no picture of a sane size."""
    if not name or Path(name).name != name or not (folder / name).is_file():
        return None
    try:
        with Image.open(folder / name, formats=["PNG"]) as picture:
            return picture.convert("L") if max(picture.size) <= _LARGEST_PX else None
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return None


def _rim(hot: Bool[np.ndarray, "rows columns"]) -> Float32[np.ndarray, "rows columns"]:
    """1 on the inner edge of a region, two pixels wide."""
    inner = hot.copy()
    for axis in (0, 1):
        for shift in (-2, 2):
            inner &= np.roll(hot, shift, axis)
    rim: Float32[np.ndarray, "rows columns"] = (hot & ~inner).astype(np.float32)
    return rim

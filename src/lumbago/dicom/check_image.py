"""Whether an image's declared shape, format and scaling make sense, before anything is allocated (limited child)."""

import math
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pydicom import uid
from pydicom.dataset import Dataset

from lumbago.dicom.open_source import BadImageError
from lumbago.dicom.parse_dicom import PIXEL_DATA, ParsedFile, PixelElement, fragments_end

MAX_FRAME_PIXELS: Final = 1 << 24
MAX_FRAMES: Final = 1 << 14
MAX_STORED_VALUE: Final = 1e30
COMPRESSED: Final = frozenset((
    uid.RLELossless, uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless, uid.JPEG2000, uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit,
    uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K,
))  # fmt: skip


_COLOURS: Final = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
"""Models of three samples to a pixel, of which all but RGB may be those of a compressed picture alone."""


class NotGreyError(Exception):
    """A picture in colour, or a map of floating-point numbers: whole, but no MR image to grade."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """The image pixel module (PS3.3 section C.7.6.3) of an image that has passed the checks; `padding` is the stored
    value of pixels that lie outside of what was imaged, None where none is stated. Three `samples` are red, green and
    blue, or what stands for them, of a picture that may yet be grey; `planar` 1 has each in a plane of its own."""

    rows: int
    columns: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_inverted: bool
    photometric_interpretation: str
    padding: int | None = None
    samples: int = 1
    planar: int = 0

    @property
    def frame_bytes(self) -> int:
        """Bytes of one native frame."""
        return self.rows * self.columns * self.samples * self.bits_allocated // 8


def whole_number(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """An attribute that must be one whole number.

    Raises:
        BadImageError: absent without a default, several, or no number.
    """
    try:
        value = dataset.get(keyword)
        return default if value in (None, "") and default is not None else int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadImageError(f"its {keyword} is missing or no whole number") from error


def refuse_colour(photometric: str) -> NotGreyError:
    """What a picture in colour is called."""
    return NotGreyError(f"a picture in colour ({photometric}), not an MR image in grey")


def _grey_or_refused(dataset: Dataset) -> tuple[str, int]:
    """Photometric interpretation and samples to a pixel: one picture of eight bits to each of three may be grey."""
    photometric = str(dataset.get("PhotometricInterpretation") or "MONOCHROME2").strip().upper()
    samples = whole_number(dataset, "SamplesPerPixel", 1)
    if photometric in ("MONOCHROME1", "MONOCHROME2") and samples == 1:
        return photometric, samples
    is_one = whole_number(dataset, "NumberOfFrames", 1) == 1 and whole_number(dataset, "BitsAllocated", 0) == 8
    if photometric not in _COLOURS or samples != 3 or not is_one:
        raise refuse_colour(photometric)
    return photometric, samples


def _check_ranges(pixel_format: PixelFormat) -> PixelFormat:
    rows, columns, frames = pixel_format.rows, pixel_format.columns, pixel_format.frames
    if rows < 1 or columns < 1 or rows * columns > MAX_FRAME_PIXELS:
        raise BadImageError(f"declares {rows} x {columns} pixels; allowed are 1 to {MAX_FRAME_PIXELS}")
    if not 1 <= frames <= MAX_FRAMES:
        raise BadImageError(f"declares {frames} frames; allowed are 1 to {MAX_FRAMES}")
    allocated, stored, high = pixel_format.bits_allocated, pixel_format.bits_stored, pixel_format.high_bit
    if allocated not in (8, 16, 32) or not 1 <= stored <= high + 1 <= allocated:
        raise BadImageError(f"declares {stored} bits stored, highest {high}, in {allocated} allocated, which cannot be")
    return pixel_format


def read_pixel_format(dataset: Dataset) -> PixelFormat:
    """The checked image pixel module.

    Raises:
        NotGreyError: in colour.
        BadImageError: sizes or bits that cannot be.
    """
    photometric, samples = _grey_or_refused(dataset)
    stored = whole_number(dataset, "BitsStored", whole_number(dataset, "BitsAllocated"))
    return _check_ranges(
        PixelFormat(
            rows=whole_number(dataset, "Rows"),
            columns=whole_number(dataset, "Columns"),
            frames=whole_number(dataset, "NumberOfFrames", 1),
            bits_allocated=whole_number(dataset, "BitsAllocated"),
            bits_stored=stored,
            high_bit=whole_number(dataset, "HighBit", stored - 1),
            is_signed=whole_number(dataset, "PixelRepresentation", 0) == 1,
            is_inverted=photometric == "MONOCHROME1",
            photometric_interpretation=photometric,
            padding=_padding(dataset) if samples == 1 else None,
            samples=samples,
            planar=whole_number(dataset, "PlanarConfiguration", 0),
        )
    )


def _padding(dataset: Dataset) -> int | None:
    with suppress(TypeError, ValueError, OverflowError):
        return int(dataset.get("PixelPaddingValue"))
    return None


def _check_native(parsed: ParsedFile, pixels: PixelElement, needed: int) -> None:
    if pixels.length is None:
        raise BadImageError("pixels of undefined length, but a transfer syntax without compression")
    available = min(pixels.length, parsed.size - pixels.start)
    if available < needed:
        what = "cut off" if pixels.length >= needed else "holds fewer pixels than it declares"
        raise BadImageError(f"{what}: {max(available, 0)} of {needed} pixel bytes")


def check_pixels(parsed: ParsedFile, pixel_format: PixelFormat) -> PixelElement:
    """The pixel element, once it is certain that the file is long enough for what the header declares.

    Raises:
        NotGreyError: floating-point maps, and colours that only a compressed picture can have.
        BadImageError: no pixels, too few, cut off, or a transfer syntax that cannot be decoded.
    """
    pixels = parsed.pixels
    if pixels is None:
        raise BadImageError("no pixels")
    if pixels.tag != PIXEL_DATA:
        raise NotGreyError("a map of floating-point numbers, not an MR image in grey")
    if parsed.is_native and pixel_format.photometric_interpretation.startswith("YBR"):
        raise refuse_colour(pixel_format.photometric_interpretation)
    if parsed.is_native:
        _check_native(parsed, pixels, pixel_format.frame_bytes * pixel_format.frames)
    elif parsed.transfer_syntax not in COMPRESSED:
        raise BadImageError(f"its transfer syntax {uid.UID(parsed.transfer_syntax).name!r} cannot be decoded")
    elif pixels.length is not None:
        raise BadImageError("pixels of defined length, but a transfer syntax with compression")
    else:
        fragments_end(parsed, pixels.start)
    return pixels


def check_rescale(slope: float, intercept: float) -> tuple[float, float]:
    """Slope and intercept, if they leave an image.

    Raises:
        BadImageError: a slope of zero, numbers that are none, or so large that the image overflows.
    """
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0.0:
        raise BadImageError(f"its rescale slope {slope:g} and intercept {intercept:g} leave no image")
    if abs(slope) * 2.0**32 + abs(intercept) > MAX_STORED_VALUE:
        raise BadImageError(f"its rescale slope {slope:g} or intercept {intercept:g} is absurdly large")
    return slope, intercept

"""One frame of a parsed DICOM image as stored values (limited child only)."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels.decoders.base import get_decoder

from lumbago.dicom.check_image import PixelFormat, refuse_colour
from lumbago.dicom.compressed_sizes import check_frame_size
from lumbago.dicom.open_source import BadImageError
from lumbago.dicom.parse_dicom import ParsedFile, PixelElement

Stored = NDArray[Any]

_NEARLY_GREY: Final = 2
"""What compression with losses may leave between red, green and blue."""

_DECODERS: Final[dict[str, str]] = {
    uid.RLELossless: "pylibjpeg",
    uid.JPEGLSLossless: "pyjpegls",
    uid.JPEGLSNearLossless: "pyjpegls",
    uid.JPEG2000Lossless: "pylibjpeg",
    uid.JPEG2000: "pylibjpeg",
}
"""The one decoder per syntax that is asked; for the old JPEG kinds there is only GDCM, and Pillow for eight bits."""

_KEEPS_ALL_BITS: Final = frozenset((
    uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL,
))  # fmt: skip
"""Syntaxes that give back bits above BitsStored, such as an overlay's, as they were before; of the other lossless ones
the decoder takes them away."""

_UNSIGNED: Final = {8: "u1", 16: "u2", 32: "u4"}


def _without_unused_bits(stored: Stored, pixel_format: PixelFormat) -> Stored:
    """Bits outside of BitsStored say nothing (PS3.5 section 8.1.1); signs are extended over them."""
    above = pixel_format.bits_allocated - 1 - pixel_format.high_bit
    below = pixel_format.high_bit + 1 - pixel_format.bits_stored
    return stored if above == below == 0 else (stored << above) >> (above + below)


def _native_frame(parsed: ParsedFile, pixels: PixelElement, pixel_format: PixelFormat, index: int) -> Stored:
    parsed.stream.seek(pixels.start + index * pixel_format.frame_bytes)
    data = parsed.stream.read(pixel_format.frame_bytes)
    if len(data) != pixel_format.frame_bytes:
        raise BadImageError(f"cut off: {len(data)} of {pixel_format.frame_bytes} pixel bytes")
    order = "<" if parsed.little_endian else ">"
    if pixel_format.bits_allocated == 8 and not parsed.little_endian and pixels.vr == "OW" and len(data) % 2 == 0:
        data = np.frombuffer(data, "<u2").byteswap().tobytes()  # 8-bit samples in 16-bit words (PS3.5 annex A.3)
    kind = _UNSIGNED[pixel_format.bits_allocated]
    stored = np.frombuffer(data, order + (kind.replace("u", "i") if pixel_format.is_signed else kind))
    if pixel_format.samples > 1:
        stored = stored.reshape(-1, 3) if pixel_format.planar == 0 else stored.reshape(3, -1).T
    return _without_unused_bits(stored, pixel_format)


def _decoding_options(pixel_format: PixelFormat) -> dict[str, Any]:
    return {
        "rows": pixel_format.rows,
        "columns": pixel_format.columns,
        "samples_per_pixel": pixel_format.samples,
        "photometric_interpretation": pixel_format.photometric_interpretation,
        "bits_allocated": pixel_format.bits_allocated,
        "bits_stored": pixel_format.bits_stored,
        "pixel_representation": int(pixel_format.is_signed),
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
    } | ({"planar_configuration": pixel_format.planar} if pixel_format.samples > 1 else {})


def _compressed_frame(parsed: ParsedFile, pixels: PixelElement, pixel_format: PixelFormat, index: int) -> Stored:
    parsed.stream.seek(pixels.start)
    frame = get_frame(parsed.stream, index, number_of_frames=pixel_format.frames)
    shape = (pixel_format.rows, pixel_format.columns, pixel_format.samples)
    check_frame_size(parsed.transfer_syntax, frame, shape, pixel_format.bits_allocated // 8)
    stored, _ = get_decoder(uid.UID(parsed.transfer_syntax)).as_array(
        encapsulate([frame]),
        index=0,
        raw=pixel_format.samples == 1,
        decoding_plugin=_DECODERS.get(parsed.transfer_syntax, ""),
        **_decoding_options(pixel_format),
    )
    return _without_unused_bits(stored, pixel_format) if _may_hold_others(stored, parsed, pixel_format) else stored


def _may_hold_others(stored: Stored, parsed: ParsedFile, pixel_format: PixelFormat) -> bool:
    """Whether decoded values can hold bits above BitsStored that were there before they were compressed."""
    is_in_place = pixel_format.high_bit + 1 == pixel_format.bits_stored
    is_whole = 8 * stored.itemsize == pixel_format.bits_allocated
    return parsed.transfer_syntax in _KEEPS_ALL_BITS and is_in_place and is_whole


def _grey_of(stored: Stored, pixel_format: PixelFormat) -> Stored:
    """The one value of each pixel: red, green and blue of a picture in grey are the same."""
    if pixel_format.samples == 1:
        return stored
    colours = stored.reshape(-1, 3).astype(np.int16)
    if int(np.ptp(colours, axis=1).max()) > _NEARLY_GREY:
        raise refuse_colour(pixel_format.photometric_interpretation)
    return stored.reshape(-1, 3)[:, 1]


def _without_padding(stored: Stored, pixel_format: PixelFormat) -> Stored:
    """Padding far beyond all other values, as around a resampled image, as dark as the darkest of these: it would pass
    for signal, or everything else for it."""
    if pixel_format.padding is None:
        return stored
    value = int(np.array(pixel_format.padding % (1 << 8 * stored.itemsize)).astype(stored.dtype))
    is_padding = stored == value
    if not is_padding.any() or is_padding.all():
        return stored
    least, most = int(stored[~is_padding].min()), int(stored[~is_padding].max())
    if least - (most - least) <= value <= most + (most - least):
        return stored
    dark = most if pixel_format.is_inverted else min(least, 0)
    return np.where(is_padding, stored.dtype.type(dark), stored)


def decode_frame(parsed: ParsedFile, pixels: PixelElement, pixel_format: PixelFormat, index: int) -> Stored:
    """Stored values (rows, columns), little endian, of frame `index` (from 0).

    Raises:
        BadImageError: cut off, or a compressed frame that announces another size.
        NotGreyError: in colour.
        Exception: anything a decoder comes up with.
    """
    read = _native_frame if parsed.is_native else _compressed_frame
    stored = _grey_of(read(parsed, pixels, pixel_format, index), pixel_format)
    stored = _without_padding(stored.reshape(pixel_format.rows, pixel_format.columns), pixel_format)
    return np.ascontiguousarray(stored.astype(stored.dtype.newbyteorder("<"), copy=False))


def mirror_of(pixel_format: PixelFormat) -> int | None:
    """For MONOCHROME1: lowest plus highest stored value, from which a value is subtracted to turn dark into bright."""
    if not pixel_format.is_inverted:
        return None
    return -1 if pixel_format.is_signed else (1 << pixel_format.bits_stored) - 1


def pack(stored: Stored, scale: Iterable[float | None]) -> tuple[dict[str, Any], memoryview]:
    """A frame as a message; `scale` is slope, intercept, and what `mirror_of` gives."""
    slope, intercept, mirror = scale
    fields = {"rows": stored.shape[0], "columns": stored.shape[1], "dtype": stored.dtype.str}
    return fields | {"slope": slope, "intercept": intercept, "mirror": mirror}, memoryview(stored.data).cast("B")

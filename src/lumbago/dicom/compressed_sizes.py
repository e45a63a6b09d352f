"""The size that a compressed frame itself announces, checked against the header before a decoder allocates anything.

A JPEG header of a few bytes can ask for 65535 x 65535 pixels inside an image of 64 x 64.
Sources: ITU-T T.81 (JPEG) B.2.2, T.87 (JPEG-LS) C.2.2, T.800 (JPEG 2000) A.5.1, DICOM PS3.5 annex G (RLE).
"""

import struct
from itertools import pairwise
from typing import Final

from pydicom import uid

from lumbago.dicom.open_source import BadImageError

_MAX_TILES: Final = 4096
_NO_LENGTH: Final = frozenset((0x01, *range(0xD0, 0xD9)))
_START_OF_FRAME: Final = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN: Final = 0xDA
_CODESTREAM: Final = b"\xff\x4f\xff\x51"
_RLE_HEADER_BYTES: Final = 64
_RLE_MOST_OUT_PER_BYTE: Final = 64

Size = tuple[int, int, int]
"""(rows, columns, components)"""


def _damaged(what: str) -> BadImageError:
    return BadImageError(f"its {what} frame is damaged: it announces no size")


def _jpeg_frames(data: bytes) -> list[Size]:
    """The size in every start-of-frame segment before the first scan."""
    sizes, position = [], 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            raise _damaged("JPEG")
        marker = data[position + 1]
        if marker in _START_OF_FRAME and position + 10 <= len(data):
            rows, columns, components = struct.unpack(">HHB", data[position + 5 : position + 10])
            sizes.append((rows, columns, components))
        if marker == _START_OF_SCAN:
            break
        if marker == 0xFF:
            position += 1
        elif marker in _NO_LENGTH:
            position += 2
        else:
            position += 2 + max(2, int.from_bytes(data[position + 2 : position + 4], "big"))
    return sizes


def jpeg_size(data: bytes) -> Size:
    """Of a JPEG or JPEG-LS frame.

    Raises:
        BadImageError: no such frame, or one with several sizes.
    """
    sizes = _jpeg_frames(data) if data[:2] == b"\xff\xd8" else []
    if len(sizes) != 1:
        raise _damaged("JPEG")
    return sizes[0]


def jpeg2000_size(data: bytes) -> Size:
    """Of a JPEG 2000 or HTJ2K codestream, bare or in a JP2 box.

    Raises:
        BadImageError: no codestream, or one of absurdly many tiles, or with subsampled components.
    """
    start = data.find(_CODESTREAM)
    if start < 0 or start + 45 > len(data):
        raise _damaged("JPEG 2000")
    right, bottom, left, top, tile_w, tile_h, tile_left, tile_top = struct.unpack(">8I", data[start + 8 : start + 40])
    components = int.from_bytes(data[start + 40 : start + 42], "big")
    if not tile_w or not tile_h or right <= left or bottom <= top:
        raise _damaged("JPEG 2000")
    tiles = -((tile_left - right) // tile_w) * -((tile_top - bottom) // tile_h)
    if tiles > _MAX_TILES or data[start + 43 : start + 45] != b"\x01\x01":
        raise BadImageError(f"its JPEG 2000 frame has {tiles} tiles or subsampled pixels, which no MR image has")
    return bottom - top, right - left, components


def check_rle(data: bytes, pixels: int, sample_bytes: int) -> None:
    """That an RLE frame has one segment per byte of a pixel, and that each can hold `pixels` bytes, not much more.

    Raises:
        BadImageError: otherwise.
    """
    if len(data) < _RLE_HEADER_BYTES:
        raise _damaged("RLE")
    count, *offsets = struct.unpack("<16I", data[:_RLE_HEADER_BYTES])
    edges = [*offsets[: min(count, 15)], len(data)]
    lengths = [end - start for start, end in pairwise(edges)]
    if count != sample_bytes or edges[0] != _RLE_HEADER_BYTES:
        raise BadImageError(f"its RLE frame has {count} segments; expected {sample_bytes}")
    most = pixels + pixels // 64 + 1024
    if any(not pixels / _RLE_MOST_OUT_PER_BYTE <= length <= most for length in lengths):
        raise BadImageError(f"its RLE frame is damaged: segments of {lengths} bytes for {pixels} pixels")


def check_frame_size(transfer_syntax: str, data: bytes, shape: Size, sample_bytes: int) -> None:
    """That a compressed frame announces the (rows, columns, components) of the header.

    Raises:
        BadImageError: otherwise.
    """
    if transfer_syntax == uid.RLELossless:
        check_rle(data, shape[0] * shape[1], sample_bytes * shape[2])
        return
    is_2000 = uid.UID(transfer_syntax) in (*uid.JPEG2000TransferSyntaxes, *_HIGH_THROUGHPUT)
    rows, columns, components = jpeg2000_size(data) if is_2000 else jpeg_size(data)
    if (rows, columns, components) != shape:
        raise BadImageError(
            f"its compressed frame announces {rows} x {columns} x {components} values; "
            f"the header declares {shape[0]} x {shape[1]} x {shape[2]}"
        )


_HIGH_THROUGHPUT: Final = (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)

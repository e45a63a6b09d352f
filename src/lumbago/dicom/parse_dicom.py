"""A DICOM data set up to its pixels, and whether those pixels can be what the header declares (limited child only).

The standard's parts are named by number: PS3.5 is encoding, PS3.10 the file format.
"""

from collections.abc import Collection
from dataclasses import dataclass
from io import BufferedIOBase
from typing import BinaryIO, Final, cast

from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.values import converters

from lumbago.dicom.open_source import BadImageError, inflate, sniff

PIXEL_DATA: Final = 0x7FE00010
_FLOAT_PIXELS: Final = (0x7FE00008, 0x7FE00009)
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
NATIVE: Final[dict[str, tuple[bool, bool]]] = {
    uid.ImplicitVRLittleEndian: (True, True),
    uid.ExplicitVRLittleEndian: (False, True),
    uid.DeflatedExplicitVRLittleEndian: (False, True),
    uid.ExplicitVRBigEndian: (False, False),
}


class NotDicomError(Exception):
    """The bytes are no DICOM; its text says what they look like."""


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixel data lie in the stream; `length` is None when encapsulated (undefined length)."""

    tag: int
    vr: str | None
    start: int
    length: int | None


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A data set without its pixels, and where those lie. `stream` is unpacked when the file was deflated.

    `sop_class` is the one of the data set, or else of the file's meta header, which survives in files that are cut off.
    """

    dataset: Dataset
    sop_class: str
    stream: BufferedIOBase
    size: int
    transfer_syntax: str
    little_endian: bool
    pixels: PixelElement | None

    @property
    def is_native(self) -> bool:
        """Whether the pixels are not compressed."""
        return bool(self.transfer_syntax in NATIVE)


class _StopAtPixels:
    """Stops the parser at the pixels, remembers where they are, and refuses elements that reach beyond the end."""

    def __init__(self, stream: BufferedIOBase, size: int) -> None:
        self.stream, self.size = stream, size
        self.pixels: PixelElement | None = None

    def __call__(self, tag: BaseTag, vr: str | None, length: int) -> bool:
        start = self.stream.tell()
        if tag == PIXEL_DATA or tag in _FLOAT_PIXELS:
            self.pixels = PixelElement(int(tag), vr, start, None if length == _UNDEFINED else length)
            return True
        if length != _UNDEFINED and start + length > self.size:
            missing = start + length - self.size
            raise BadImageError(
                f"cut off or damaged in its header: element {tag} lacks {missing} of its {length} bytes"
            )
        return False


def _starts_like_dicom(head: bytes) -> bool:
    """Whether bytes without the DICM mark still start with a plausible first element (PS3.5 section 7.1)."""
    if len(head) < 8:
        return False
    group_little, group_big = int.from_bytes(head[:2], "little"), int.from_bytes(head[:2], "big")
    if head[4:6].decode("latin1") in converters:
        return group_little in (0x0002, 0x0008) or group_big == 0x0008
    element, length = int.from_bytes(head[2:4], "little"), int.from_bytes(head[4:8], "little")
    return group_little == 0x0008 and element <= 0x0070 and length <= 256


def _after_preamble(stream: BufferedIOBase) -> None:
    head = stream.read(132)
    if head[128:] == b"DICM":
        return
    if not _starts_like_dicom(head):
        raise NotDicomError(sniff(head))
    stream.seek(0)


def _read_file_meta(stream: BufferedIOBase) -> Dataset:
    """Group 2, always explicit little endian (PS3.10 section 7.1); stray ones of group 0 are passed over."""
    meta = read_dataset(cast(BinaryIO, stream), False, True, stop_when=lambda tag, vr, length: int(tag) >> 16 != 2)
    read_dataset(cast(BinaryIO, stream), True, True, stop_when=lambda tag, vr, length: int(tag) >> 16 != 0)
    return meta


def _guess_encoding(stream: BufferedIOBase) -> uid.UID:
    """The transfer syntax of a data set that does not name it, from its first element."""
    head = stream.read(6)
    stream.seek(-len(head), 1)
    if head[4:6].decode("latin1") not in converters:
        return uid.ImplicitVRLittleEndian
    return uid.ExplicitVRBigEndian if head[:1] == b"\x00" else uid.ExplicitVRLittleEndian


def parse_dicom(stream: BufferedIOBase, size: int, tags: Collection[int]) -> ParsedFile:
    """The elements named by `tags`, up to the pixels.

    Raises:
        NotDicomError: the bytes are something else.
        BadImageError: cut off inside the header, or deflated beyond the limits.
    """
    _after_preamble(stream)
    meta = _read_file_meta(stream)
    syntax = uid.UID(str(meta.get("TransferSyntaxUID", "") or _guess_encoding(stream)))
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        stream = inflate(stream, size)
        size = len(stream.getbuffer())
    implicit, little_endian = NATIVE.get(syntax, (False, True))
    stop = _StopAtPixels(stream, size)
    dataset = read_dataset(cast(BinaryIO, stream), implicit, little_endian, stop_when=stop, specific_tags=list(tags))
    sop_class = str(dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or "")
    return ParsedFile(dataset, sop_class, stream, size, str(syntax), little_endian, stop.pixels)


def fragments_end(parsed: ParsedFile, start: int) -> int:
    """Where the encapsulated fragments end (PS3.5 section A.4).

    Raises:
        BadImageError: a fragment is cut off, or what lies there is no fragment.
    """
    position, count = start, 0
    while True:
        parsed.stream.seek(position)
        header = parsed.stream.read(8)
        if len(header) < 8 or header[:4] == _SEQUENCE_END:
            break
        if header[:4] != _ITEM:
            raise BadImageError(
                "its compressed pixels are damaged: a fragment does not start where the one before ends"
            )
        position += 8 + int.from_bytes(header[4:], "little")
        count += 1
        if position > parsed.size:
            raise BadImageError(f"cut off: its compressed pixels lack {position - parsed.size} bytes")
    if count < 2:
        raise BadImageError("cut off: it holds no compressed pixels")
    return position

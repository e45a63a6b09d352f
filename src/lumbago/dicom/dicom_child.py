"""The limited child process that parses and decodes DICOM files: `python -m lumbago.dicom.dicom_child`."""

from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from pydicom import config, uid

from lumbago.dicom.check_image import NotGreyError, PixelFormat, check_pixels, read_pixel_format
from lumbago.dicom.child_loop import Reply, serve
from lumbago.dicom.decode_frame import decode_frame, mirror_of, pack
from lumbago.dicom.frame_headers import (
    HEADER_TAGS,
    PIXEL_TAGS,
    FunctionalGroups,
    identity,
    read_frame_headers,
    rescale,
    tags_of,
    text,
)
from lumbago.dicom.open_source import BadImageError, list_archive, open_source, version_of
from lumbago.dicom.parse_dicom import NotDicomError, ParsedFile, PixelElement, parse_dicom

_MR_CLASSES: Final = frozenset((
    uid.MRImageStorage, uid.EnhancedMRImageStorage, uid.EnhancedMRColorImageStorage,
    uid.LegacyConvertedEnhancedMRImageStorage,
))  # fmt: skip
_ANY_PICTURE: Final = frozenset((
    uid.SecondaryCaptureImageStorage, uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage, uid.MultiFrameTrueColorSecondaryCaptureImageStorage, "",
))  # fmt: skip
_INDEX_TAGS: Final = tags_of(("DirectoryRecordSequence", "SpecificCharacterSet"))
_HASH_CHUNK: Final = 1 << 20


def _is_mr_image(parsed: ParsedFile) -> bool:
    is_known = uid.UID(parsed.sop_class).name != parsed.sop_class
    says_mr = text(parsed.dataset, "Modality") == "MR"
    return parsed.sop_class in _MR_CLASSES or (says_mr and (parsed.sop_class in _ANY_PICTURE or not is_known))


def _kind_of_object(parsed: ParsedFile) -> str:
    """What a DICOM object that is no MR image is called, by its SOP class."""
    name = str(uid.UID(parsed.sop_class).name)
    modality = text(parsed.dataset, "Modality")
    if name != parsed.sop_class:
        return name.removesuffix(" Storage")
    if not modality:
        raise BadImageError("cut off or damaged: states neither SOPClassUID nor Modality")
    return f"{modality} object"


def _headers_of(parsed: ParsedFile) -> Mapping[str, Any]:
    if not _is_mr_image(parsed):
        return {"object": _kind_of_object(parsed), "identity": identity(parsed.dataset)}
    try:
        pixel_format = read_pixel_format(parsed.dataset)
        pixels = check_pixels(parsed, pixel_format)
        if pixel_format.samples > 1:
            decode_frame(parsed, pixels, pixel_format, 0)
        shared, frames = read_frame_headers(parsed.dataset, pixel_format, parsed.transfer_syntax)
    except NotGreyError as error:
        return {"object": str(error), "identity": identity(parsed.dataset), "is_mr": True}
    return {"shared": shared, "frames": frames}


def read_headers(request: Mapping[str, Any]) -> Reply:
    """`shared` and `frames` of an MR image, `object` of another DICOM object, or `no_dicom` for anything else."""
    stream, size = open_source(request["path"], request["member"])
    with stream:
        try:
            return _headers_of(parse_dicom(stream, size, HEADER_TAGS)), b""
        except NotDicomError as error:
            return {"no_dicom": str(error)}, b""


@lru_cache(maxsize=1)
def _kept_open(
    path: str, member: str | None, _version: tuple[int, int]
) -> tuple[ParsedFile, PixelFormat, PixelElement]:
    """The checked file of the last frame, since the next one often lies in the same."""
    stream, size = open_source(path, member)
    parsed = parse_dicom(stream, size, PIXEL_TAGS)
    pixel_format = read_pixel_format(parsed.dataset)
    return parsed, pixel_format, check_pixels(parsed, pixel_format)


def read_frame(request: Mapping[str, Any]) -> Reply:
    """The stored values of one frame, and how they are scaled."""
    path, member = request["path"], request["member"]
    parsed, pixel_format, pixels = _kept_open(path, member, version_of(path))
    index = (request["frame"] or 1) - 1
    if not 0 <= index < pixel_format.frames:
        raise BadImageError(f"holds {pixel_format.frames} frames, not frame {index + 1}")
    groups = FunctionalGroups(parsed.dataset)
    scale = groups.rescale(index) if groups else rescale(parsed.dataset)
    return pack(decode_frame(parsed, pixels, pixel_format, index), (*scale, mirror_of(pixel_format)))


def read_digest(request: Mapping[str, Any]) -> Reply:
    """SHA-256 of the bytes of a file."""
    stream, _ = open_source(request["path"], request["member"])
    digest = sha256()
    with stream:
        while data := stream.read(_HASH_CHUNK):
            digest.update(data)
    return {"sha256": digest.hexdigest()}, b""


def read_index(request: Mapping[str, Any]) -> Reply:
    """The files that a DICOMDIR refers to, as lists of path components; nothing is opened."""
    stream, size = open_source(request["path"], None)
    with stream:
        try:
            dataset = parse_dicom(stream, size, _INDEX_TAGS).dataset
        except NotDicomError as error:
            raise BadImageError(f"{error}, no DICOMDIR") from error
    records = dataset.get("DirectoryRecordSequence") or ()
    files = [text(record, "ReferencedFileID").split("\\") for record in records if text(record, "ReferencedFileID")]
    return {"files": files}, b""


def list_members(request: Mapping[str, Any]) -> Reply:
    """The members of a zip archive."""
    return list_archive(request["path"]), b""


HANDLERS: Final = {
    "headers": read_headers,
    "frame": read_frame,
    "digest": read_digest,
    "index": read_index,
    "members": list_members,
}

if __name__ == "__main__":
    config.settings.reading_validation_mode = config.IGNORE
    serve(HANDLERS)

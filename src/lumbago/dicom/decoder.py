"""Headers and pixels of files that nobody vouches for, read in a limited child process.

`with open_decoder() as decoder:` starts the child at once; hand the same decoder to `read_studies` and `build_volumes`,
and its start is paid for once.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float32

from lumbago.dicom.limited_child import REQUEST_SECONDS, ChildDiedError, LimitedChild
from lumbago.dicom.study import SkippedFile, SliceHeader, SourceFile

MAX_PIXELS_AT_ONCE: Final = 1 << 28
"""Of one call of `read_pixels`: 1 GiB of float32."""

_DTYPES: Final = frozenset(("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<f4"))
_NIFTI_SUFFIXES: Final = (".nii", ".nii.gz")
_TUPLES: Final = ("image_type", "image_orientation", "image_position", "pixel_spacing")

Picture = Float32[np.ndarray, "_rows _columns"]
"""One slice; slices of several sizes may come together."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which study, and whose; "" where a file does not say."""

    study_instance_uid: str = ""
    patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: str = ""
    patient_sex: str = ""


@dataclass(frozen=True, slots=True)
class MrImage:
    """A file with MR images that look whole."""

    source: SourceFile
    slices: tuple[SliceHeader, ...]


@dataclass(frozen=True, slots=True)
class OtherObject:
    """A DICOM object that is no MR image to grade; `kind` is what it is called."""

    source: SourceFile
    kind: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class NoDicom:
    """Something else; `looks_like` is "a text file" and the like."""

    source: SourceFile
    looks_like: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file that should be an image, and why it cannot be used."""

    source: SourceFile
    reason: str


FileContent = MrImage | OtherObject | NoDicom | Damaged


@dataclass(frozen=True, eq=False, slots=True)
class DecodedSlices:
    """Slices with their intensities (rescaled, bright is high), and the files whose pixels could not be decoded."""

    headers: tuple[SliceHeader, ...]
    arrays: tuple[Picture, ...]
    skipped: tuple[SkippedFile, ...]


def is_nifti(source: SourceFile) -> bool:
    """By its name, as NIfTI files are told apart everywhere."""
    return (source.member or source.path).lower().endswith(_NIFTI_SUFFIXES)


_EMPTY_HEADER: Final[Mapping[str, Any]] = {
    "image_type": (),
    **{
        field: "" if kind is str else None
        for field, kind in SliceHeader.__annotations__.items()
        if field not in ("source", "image_type", "rows", "columns")
    },
}


def _slice_headers(source: SourceFile, reply: Mapping[str, Any]) -> tuple[SliceHeader, ...]:
    """One header per frame; what the child did not state is absent."""
    shared = {**_EMPTY_HEADER, **reply["shared"]}

    def header(own: Mapping[str, Any]) -> SliceHeader:
        fields = {**shared, **own}
        fields |= {name: tuple(fields[name]) for name in _TUPLES if fields[name] is not None}
        return SliceHeader(source=source, **fields)

    return tuple(header(own) for own in reply["frames"])


def _intensities(reply: Mapping[str, Any], payload: bytes, header: SliceHeader) -> Picture:
    """Stored values after MONOCHROME1 inversion and rescale (PS3.3 sections C.7.6.3.1.2 and C.11.1)."""
    shape = (header.rows, header.columns)
    if reply["dtype"] not in _DTYPES or (reply["rows"], reply["columns"]) != shape:
        raise ValueError("the decoder sent another picture than was asked for")
    values = np.frombuffer(payload, reply["dtype"]).reshape(shape).astype(np.float32)
    if reply["mirror"] is not None:
        values = np.float32(reply["mirror"]) - values
    if (reply["slope"], reply["intercept"]) != (1.0, 0.0):
        values = values * np.float32(reply["slope"]) + np.float32(reply["intercept"])
    return values


class Decoder:
    """Reads untrusted files; each costs at most itself. Not for use by several threads at a time.

    `seconds` is the longest that one header or one frame may take.
    """

    def __init__(self, seconds: float = REQUEST_SECONDS) -> None:
        self._seconds = seconds
        self._dicom = LimitedChild("lumbago.dicom.dicom_child", seconds)
        self._nifti: LimitedChild | None = None

    def close(self) -> None:
        """Ends the child processes."""
        for child in (self._dicom, self._nifti):
            if child is not None:
                child.close()

    def _child_for(self, source: SourceFile) -> LimitedChild:
        if not is_nifti(source):
            return self._dicom
        self._nifti = self._nifti or LimitedChild("lumbago.dicom.nifti_child", self._seconds)
        return self._nifti

    def _ask(self, what: str, source: SourceFile, **more: Any) -> tuple[Mapping[str, Any], bytes]:
        """The child's reply; `damaged` in it says why there is none."""
        request = {"do": what, "path": source.path, "member": source.member, "name": source.name, **more}
        try:
            return self._child_for(source).ask(request)
        except ChildDiedError as error:
            return {"damaged": str(error)}, b""

    def read_content(self, source: SourceFile) -> FileContent:
        """What a file holds, from its header."""
        reply, _ = self._ask("headers", source)
        if "damaged" in reply:
            return Damaged(source, reply["damaged"])
        if "no_dicom" in reply:
            return NoDicom(source, reply["no_dicom"])
        if "object" in reply:
            return OtherObject(source, reply["object"], Identity(**reply["identity"]))
        return MrImage(source, _slice_headers(source, reply))

    def read_digest(self, source: SourceFile) -> str | None:
        """SHA-256 of a file's bytes; None when it cannot be read."""
        digest: str | None = self._ask("digest", source)[0].get("sha256")
        return digest

    def read_index(self, source: SourceFile) -> tuple[tuple[str, ...], ...] | Damaged:
        """The files that a DICOMDIR refers to, each as the parts of a relative path."""
        reply, _ = self._ask("index", source)
        if "damaged" in reply:
            return Damaged(source, reply["damaged"])
        return tuple(tuple(parts) for parts in reply["files"])

    def list_members(self, source: SourceFile) -> tuple[tuple[str, ...], tuple[SkippedFile, ...]] | Damaged:
        """Names of the members of a zip archive, and those that are not to be opened."""
        reply, _ = self._ask("members", source)
        if "damaged" in reply:
            return Damaged(source, reply["damaged"])
        return tuple(reply["members"]), tuple(SkippedFile(*row) for row in reply["skipped"])

    def read_picture(self, header: SliceHeader) -> Picture | Damaged:
        """The intensities of one slice: rescaled, bright is high."""
        reply, payload = self._ask("frame", header.source, frame=header.frame)
        if "damaged" in reply:
            return Damaged(header.source, reply["damaged"])
        try:
            return _intensities(reply, payload, header)
        except (KeyError, TypeError, ValueError) as error:
            return Damaged(header.source, f"changed while it was read ({error})")

    def read_pixels(self, headers: Iterable[SliceHeader]) -> DecodedSlices:
        """The intensities of slices, in their order, without those that cannot be decoded or go beyond the limit."""
        done: list[tuple[SliceHeader, Picture]] = []
        skipped: dict[tuple[str, str], SkippedFile] = {}
        pixels_left = MAX_PIXELS_AT_ONCE
        for header in headers:
            pixels_left -= header.rows * header.columns
            too_much = Damaged(header.source, f"left out: more than {MAX_PIXELS_AT_ONCE} pixels at once")
            picture = self.read_picture(header) if pixels_left >= 0 else too_much
            if isinstance(picture, Damaged):
                skip = SkippedFile(header.source.name, picture.reason, is_damage=True)
                skipped.setdefault((skip.name, skip.reason), skip)
            else:
                done.append((header, picture))
        return DecodedSlices(
            tuple(header for header, _ in done), tuple(picture for _, picture in done), tuple(skipped.values())
        )


@contextmanager
def open_decoder(seconds: float = REQUEST_SECONDS) -> Iterator[Decoder]:
    """A decoder whose child process ends with the block."""
    decoder = Decoder(seconds)
    try:
        yield decoder
    finally:
        decoder.close()

"""Opens a file or a member of a zip archive as a stream, within limits; runs in the limited child alone.

Members are never extracted: their names are labels, not paths.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BufferedIOBase, BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, cast

MAX_SOURCE_BYTES: Final = 4 << 30
MAX_MEMBERS: Final = 50_000
MAX_ARCHIVE_BYTES: Final = 64 << 30
MAX_INFLATED_BYTES: Final = 1 << 30
MAX_RATIO: Final = 200
RATIO_GRACE_BYTES: Final = 16 << 20
_CHUNK: Final = 1 << 20
_LOCAL_HEADER_BYTES: Final = 30

_MAGIC: Final = (
    (b"PK\x03\x04", "a zip archive"), (b"PK\x05\x06", "an empty zip archive"), (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"), (b"Rar!", "a rar archive"), (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"), (b"%PDF", "a PDF document"), (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"), (b"GIF8", "a GIF picture"), (b"BM", "a BMP picture"),
    (b"II*\x00", "a TIFF picture"), (b"MM\x00*", "a TIFF picture"), (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"), (b"MZ", "a program"), (b"\xd0\xcf\x11\xe0", "an office document"),
)  # fmt: skip


class BadImageError(Exception):
    """An image that cannot be used; its text is the reason a person reads."""


@lru_cache(maxsize=1)
def _open_archive(path: str, _version: tuple[int, int]) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError) as error:
        raise BadImageError(f"a zip archive that is cut off or damaged ({error})") from error


def version_of(path: str) -> tuple[int, int]:
    """Changes when the file does, so that what is kept of it is not used for another one of the same name."""
    status = Path(path).stat()
    return status.st_mtime_ns, status.st_size


def _archive(path: str) -> zipfile.ZipFile:
    return _open_archive(path, version_of(path))


def open_source(path: str, member: str | None) -> tuple[BufferedIOBase, int]:
    """A seekable stream and its length in bytes.

    Raises:
        BadImageError: larger than the limit, or no regular file.
        OSError: the file cannot be opened.
    """
    if member is not None:
        info = _archive(path).getinfo(member)
        return cast(BufferedIOBase, _archive(path).open(info)), info.file_size
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        raise BadImageError("no regular file")
    if status.st_size > MAX_SOURCE_BYTES:
        raise BadImageError(f"{status.st_size} bytes long, more than the {MAX_SOURCE_BYTES} allowed")
    return Path(path).open("rb"), status.st_size


def sniff(head: bytes) -> str:
    """What a file that is no DICOM looks like, from its first bytes."""
    if not head:
        return "an empty file"
    for magic, what in _MAGIC:
        if head.startswith(magic):
            return what
    readable = all(byte >= 32 or byte in b"\t\r\n\f" for byte in head)
    return "a text file" if readable else "a file of unknown kind"


def inflate(stream: BufferedIOBase, compressed_bytes: int) -> BytesIO:
    """A raw deflate stream, unpacked as far as 200 times its size, 1 GiB at most.

    Raises:
        BadImageError: it unpacks to more, or is damaged.
    """
    limit = min(MAX_INFLATED_BYTES, max(RATIO_GRACE_BYTES, MAX_RATIO * compressed_bytes))
    inflater, result = zlib.decompressobj(-zlib.MAX_WBITS), BytesIO()
    try:
        while data := inflater.unconsumed_tail or stream.read(_CHUNK):
            result.write(inflater.decompress(data, _CHUNK))
            if result.tell() > limit:
                raise BadImageError(f"its deflated data unpack to more than the {limit} bytes allowed for it")
    except zlib.error as error:
        raise BadImageError(f"its deflated data are damaged ({error})") from error
    result.write(inflater.flush())
    result.seek(0)
    return result


def _refusal(info: zipfile.ZipInfo, next_start: int) -> tuple[str, bool] | None:
    """(reason, is damage) for a member that is not opened."""
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a symbolic link inside the archive is not followed", False
    if info.flag_bits & 0x1:
        return "encrypted", True
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"compressed by method {info.compress_type}, which is not supported", True
    if info.header_offset + _LOCAL_HEADER_BYTES + info.compress_size > next_start:
        return "overlaps another member of the archive", True
    if info.file_size > min(MAX_SOURCE_BYTES, max(RATIO_GRACE_BYTES, MAX_RATIO * info.compress_size)):
        return f"unpacks to {info.file_size} bytes from {info.compress_size}, more than is allowed", True
    return None


def _judged_members(archive: zipfile.ZipFile) -> Iterator[tuple[str, tuple[str, bool] | None]]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    following = dict(pairwise((*sorted({info.header_offset for info in infos}), archive.start_dir)))
    places: set[int] = set()
    for info in infos:
        if info is not archive.getinfo(info.filename):
            yield info.filename, ("the archive holds another member of the same name", True)
        elif info.header_offset in places:
            yield info.filename, ("overlaps another member of the archive", True)
        else:
            yield info.filename, _refusal(info, following[info.header_offset])
        places.add(info.header_offset)


def list_archive(path: str) -> Mapping[str, Any]:
    """`members` to read and `skipped` [name, reason, is damage] of a zip archive, from its directory alone.

    Raises:
        BadImageError: no zip archive, or beyond the limits on entries and total size.
    """
    archive = _archive(path)
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BadImageError(f"a zip archive of {len(infos)} entries, more than the {MAX_MEMBERS} allowed")
    if (total := sum(info.file_size for info in infos)) > MAX_ARCHIVE_BYTES:
        raise BadImageError(f"a zip archive that unpacks to {total} bytes, more than the {MAX_ARCHIVE_BYTES} allowed")
    judged = list(_judged_members(archive))
    return {
        "members": [name for name, refusal in judged if refusal is None],
        "skipped": [[name, *refusal] for name, refusal in judged if refusal is not None],
    }

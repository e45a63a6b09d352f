"""Bytes kept under their own checksum: `files/ab/cdef...` for the sha256 `abcdef...`.

No path is ever made of what came from outside. A file is whole and on the disk before its name is there.
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lumbago.errors import NotInRecords, RecordsDamaged, RecordsFull, RecordsRefused

CHUNK: Final = 1 << 20
LEAVE_FREE: Final = 64 << 20
"""Bytes of the disk that no file may take, so that the database can go on."""
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_INCOMING: Final = "incoming"


@dataclass(frozen=True, slots=True)
class Blob:
    """What was kept: its checksum and its size."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Blobs:
    """A folder of files named by their content, readable by their owner alone."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> "Blobs":
        """The folder, made where it is not there.

        Raises:
            RecordsRefused: it cannot be made.
        """
        try:
            for place in (folder, folder / _INCOMING):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
                place.chmod(0o700)
        except OSError as error:
            raise RecordsRefused(f"{folder} cannot be written ({error.strerror})", "a folder of your own") from error
        return cls(folder)

    def keep(self, chunks: Iterable[bytes]) -> Blob:
        """Keeps what the chunks make; what is there already is kept once. When this returns, it is on the disk.

        Raises:
            RecordsFull: the disk has no room for it.
        """
        handle, name = tempfile.mkstemp(dir=self.folder / _INCOMING)
        part = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                blob = self._write(chunks, file.write)
                file.flush()
                os.fsync(file.fileno())
            self._put_in_place(part, blob)
        except OSError as error:
            raise RecordsFull(f"{self.folder} takes no more ({error.strerror})", "room on the disk") from error
        finally:
            part.unlink(missing_ok=True)
        return blob

    def _write(self, chunks: Iterable[bytes], write: Callable[[bytes], object]) -> Blob:
        digest, size = hashlib.sha256(), 0
        for chunk in chunks:
            if shutil.disk_usage(self.folder).free < LEAVE_FREE + len(chunk):
                raise RecordsFull(f"the disk of {self.folder} is full", f"{LEAVE_FREE >> 20} MiB left free")
            digest.update(chunk)
            write(chunk)
            size += len(chunk)
        return Blob(digest.hexdigest(), size)

    def _put_in_place(self, part: Path, blob: Blob) -> None:
        place = self.place(blob.sha256)
        if not place.parent.is_dir():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            _sync_folder(self.folder)
        part.replace(place)  # also over an older copy, which may be damaged, and is younger now
        _sync_folder(place.parent)

    def place(self, sha256: str) -> Path:
        """Where a file of this checksum lies, or would lie.

        Raises:
            NotInRecords: this is no checksum.
        """
        if not _SHA256.fullmatch(sha256):
            raise NotInRecords("a file is named that cannot be", "a sha256 of 64 hex digits")
        return self.folder / sha256[:2] / sha256[2:]

    def checked(self, sha256: str) -> Path:
        """Where a file lies, once it was read and found to be what was kept.

        Raises:
            RecordsDamaged: it is gone, or other bytes stand in its place.
        """
        place = self.place(sha256)
        try:
            with place.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise RecordsDamaged(
                f"the kept file {sha256[:12]} cannot be read ({error.strerror})", advice=_ADVICE
            ) from error
        if found != sha256:
            raise RecordsDamaged(f"the kept file {sha256[:12]} is not what was kept", advice=_ADVICE)
        return place

    def read(self, sha256: str) -> bytes:
        """A file's bytes.

        Raises:
            RecordsDamaged: it is gone, or other bytes stand in its place.
        """
        place = self.place(sha256)
        try:
            content = place.read_bytes()
        except OSError as error:
            raise RecordsDamaged(
                f"the kept file {sha256[:12]} cannot be read ({error.strerror})", advice=_ADVICE
            ) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise RecordsDamaged(f"the kept file {sha256[:12]} is not what was kept", advice=_ADVICE)
        return content

    def drop(self, sha256: str) -> None:
        """Forgets a file; nothing happens where it is gone already."""
        self.place(sha256).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Path]:
        """Every file, with what never came to its end."""
        return (path for path in self.folder.glob("*/*") if path.is_file())


_ADVICE: Final = "restore it from a backup, see lumbago records verify"


def sha256_of(path: Path) -> str:
    """The checksum that a file's name in the folder stands for."""
    return path.parent.name + path.name


def file_chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes, a chunk at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

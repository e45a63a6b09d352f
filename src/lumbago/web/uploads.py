"""Uploads in pieces: what was received stays when the connection breaks, and the rest follows.

    uploads/<id>/session.json   {"user": ..., "name": ..., "files": [{"name", "bytes"}], "key": ...}
    uploads/<id>/data           the bytes so far

Names of files are labels here: no path is ever made of them.
"""

import hashlib
import json
import re
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from lumbago.errors import NotInRecords, RecordsFull, UsageError
from lumbago.labels.tables import write_whole

CHUNK_BYTES: Final = 4 << 20
LARGEST_CHUNK: Final = 16 << 20
MAX_FILES: Final = 50_000
_OPEN_AT_ONCE: Final = 20
_LEAVE_FREE: Final = 1 << 30
_KEEP_SECONDS: Final = 7 * 86400
_ID: Final = re.compile(r"[0-9a-f]{32}")
_LOCK: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as its sender calls it, its size, and when it was last changed (any number of the sender's; 0: not known).

    By all of it an upload that broke off is known again: slices of two patients often have one name and one size.
    """

    name: str
    bytes: int
    modified: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that is under way: `received` of `bytes` are here."""

    id: str
    user: str
    name: str
    bytes: int
    received: int


def begin_upload(folder: Path, user: str, name: str, files: Sequence[UploadedFile], limit: int) -> Upload:
    """Begins an upload, or finds the one that the same user began with the same files.

    Raises:
        UsageError: no files, too many, too large, or too many uploads at once.
        RecordsFull: the disk has no room for it.
    """
    size = sum(file.bytes for file in files)
    _refuse_size(files, size, limit)
    key = hashlib.sha256(json.dumps([user, name, [asdict(file) for file in files]]).encode()).hexdigest()
    with _LOCK:
        own = [upload for upload in _all(folder) if upload[1]["user"] == user]
        known = next((path for path, session in own if session["key"] == key), None)
        if known is not None:
            return find_upload(folder, known.name, user)
        if len(own) >= _OPEN_AT_ONCE:
            raise UsageError(f"{len(own)} uploads are open", f"{_OPEN_AT_ONCE} at once", "finish or cancel some")
        if shutil.disk_usage(folder).free < size + _LEAVE_FREE:
            raise RecordsFull("the disk has no room for this upload", advice="ask the admin to make room")
        place = folder / uuid4().hex
        place.mkdir(mode=0o700)
        (place / "data").touch(mode=0o600)
        session = {"user": user, "name": name, "files": [asdict(file) for file in files], "key": key}
        write_whole(place / "session.json", json.dumps(session))
    return find_upload(folder, place.name, user)


def _refuse_size(files: Sequence[UploadedFile], size: int, limit: int) -> None:
    if not files or not size:
        raise UsageError("the upload is empty", "files with something in them")
    if len(files) > MAX_FILES:
        raise UsageError(f"the upload has {len(files)} files", f"{MAX_FILES} at most", "send it in parts, or as a zip")
    if size > limit or any(file.bytes < 0 for file in files):
        raise UsageError(
            f"the upload has {size} bytes", f"{limit} at most", "send parts of it, or raise LUMBAGO_UPLOAD_GB"
        )


def _all(folder: Path) -> list[tuple[Path, dict[str, str]]]:
    """Every upload; one that goes at this moment, or whose beginning was cut off by a full disk, is none."""
    found = []
    for path in folder.glob("*/session.json"):
        with suppress(OSError, ValueError):
            found.append((path.parent, json.loads(path.read_text(encoding="utf8"))))
    return found


def find_upload(folder: Path, upload: str, user: str) -> Upload:
    """A user's own upload.

    Raises:
        NotInRecords: there is none of that id.
    """
    place = folder / upload
    if not _ID.fullmatch(upload) or not (place / "session.json").is_file():
        raise NotInRecords("no upload of that id is open")
    session = json.loads((place / "session.json").read_text(encoding="utf8"))
    if session["user"] != user:
        raise NotInRecords("no upload of that id is open")
    size = sum(file["bytes"] for file in session["files"])
    return Upload(upload, user, session["name"], size, (place / "data").stat().st_size)


def append_chunk(folder: Path, upload: Upload, offset: int, chunk: bytes, sha256: str = "") -> Upload:
    """Adds bytes at the end of what is here; the same bytes sent again change nothing.

    Raises:
        UsageError: they do not follow, are too many, are not what their checksum says, or others are here already.
    """
    if len(chunk) > LARGEST_CHUNK or offset + len(chunk) > upload.bytes:
        raise UsageError("more bytes came than were announced", f"{upload.bytes} in all, {LARGEST_CHUNK} at a time")
    if sha256 and hashlib.sha256(chunk).hexdigest() != sha256.lower():
        raise UsageError("the bytes that came are not those that were sent", "their SHA-256", "send them again")
    with _LOCK, (folder / upload.id / "data").open("r+b") as data:
        here = data.seek(0, 2)
        if offset > here:
            raise UsageError(f"bytes from {offset} came", f"those from {here}", "go on there")
        data.seek(offset)
        if data.read(min(len(chunk), here - offset)) != chunk[: here - offset]:
            raise UsageError(
                "other bytes are here already", "the same ones again", "cancel this upload, and begin anew"
            )
        data.seek(offset)
        data.write(chunk)
    return find_upload(folder, upload.id, upload.user)


def cancel_upload(folder: Path, upload: Upload) -> None:
    """Forgets an upload and its bytes."""
    shutil.rmtree(folder / upload.id, ignore_errors=True)


def forget_old_uploads(folder: Path) -> int:
    """Deletes what nobody went on with for a week; gives how many."""
    oldest = time.time() - _KEEP_SECONDS
    old = [path.parent for path in folder.glob("*/data") if path.stat().st_mtime < oldest]
    for place in old:
        shutil.rmtree(place, ignore_errors=True)
    return len(old)

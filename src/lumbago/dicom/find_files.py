"""Which files an input consists of: a folder, a zip archive, a DICOMDIR, a single file. Nothing is parsed here.

No path is made from what a file says: a zip member is a label, and a DICOMDIR only chooses among the files that lie
beside it.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lumbago.dicom.decoder import Damaged, Decoder
from lumbago.dicom.study import SkippedFile, SourceFile
from lumbago.errors import UnreadableInput

MAX_FILES: Final = 200_000
_ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_INDEX_NAME: Final = "dicomdir"

Found = tuple[tuple[SourceFile, ...], tuple[SkippedFile, ...]]


def printable(name: str) -> str:
    """A name that is safe to show: control characters, bidirectional marks and undecodable bytes are spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name)


def _judge_entry(entry: os.DirEntry[str], name: str) -> SkippedFile | None:
    """Why an entry of a folder, no folder itself, is left out; None when it is to be read."""
    if entry.is_symlink() and Path(entry.path).is_dir():
        return SkippedFile(name, "a link to a folder is not followed", is_damage=False)
    try:
        is_regular = stat.S_ISREG(entry.stat().st_mode)
    except OSError as error:
        return SkippedFile(name, f"cannot be opened: {error.strerror}", is_damage=True)
    return None if is_regular else SkippedFile(name, "no regular file", is_damage=False)


def _walk(folder: Path) -> Iterator[SourceFile | SkippedFile]:
    """Every file below a folder; loops cannot occur, since links to folders are not followed."""
    pending = [(folder, "")]
    while pending:
        place, prefix = pending.pop()
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            yield SkippedFile(printable(prefix) or folder.name, f"cannot be opened: {error.strerror}", is_damage=True)
            continue
        folders = []
        for entry in entries:
            name = printable(prefix + entry.name)
            if entry.name.startswith("."):
                yield SkippedFile(name, "a hidden file or folder", is_damage=False)
            elif entry.is_dir(follow_symlinks=False):
                folders.append((Path(entry.path), f"{prefix}{entry.name}/"))
            else:
                yield _judge_entry(entry, name) or SourceFile(entry.path, None, name)
        pending.extend(reversed(folders))


def _find_in_folder(folder: Path) -> Found:
    sources: list[SourceFile] = []
    skipped: list[SkippedFile] = []
    for found in _walk(folder):
        if len(sources) + len(skipped) >= MAX_FILES:
            raise UnreadableInput(
                f"{printable(folder.name)} holds more than {MAX_FILES} files", "a folder of studies", "give parts of it"
            )
        if isinstance(found, SourceFile):
            sources.append(found)
        else:
            skipped.append(found)
    return tuple(sources), tuple(skipped)


def _is_hidden(member: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in member.split("/"))


def _find_in_archive(path: Path, decoder: Decoder) -> Found:
    listed = decoder.list_members(SourceFile(str(path), None, printable(path.name)))
    if isinstance(listed, Damaged):
        raise UnreadableInput(f"{printable(path.name)}: {listed.reason}", "a zip archive of images")
    members, skipped = listed
    hidden = [SkippedFile(printable(m), "a hidden file or folder", is_damage=False) for m in members if _is_hidden(m)]
    sources = (SourceFile(str(path), member, printable(member)) for member in members if not _is_hidden(member))
    named = (SkippedFile(printable(skip.name), skip.reason, skip.is_damage) for skip in skipped)
    return tuple(sources), (*named, *hidden)


def _find_by_index(path: Path, decoder: Decoder) -> Found:
    """The files of the DICOMDIR's own folder that it refers to; all of them when it refers to none that is there."""
    sources, skipped = _find_in_folder(path.parent)
    index = SourceFile(str(path), None, printable(path.name))
    others = tuple(source for source in sources if source.name != index.name)
    listed = decoder.read_index(index)
    if isinstance(listed, Damaged):
        return others, (*skipped, SkippedFile(index.name, listed.reason, is_damage=True))
    wanted = {"/".join(parts).casefold(): printable("/".join(parts)) for parts in listed}
    there = {source.name.casefold() for source in others}
    missing = tuple(
        SkippedFile(name, "listed in the DICOMDIR, but not there", is_damage=True)
        for key, name in wanted.items()
        if key not in there
    )
    chosen = tuple(source for source in others if source.name.casefold() in wanted)
    unlisted = tuple(
        SkippedFile(source.name, "not listed in the DICOMDIR", is_damage=False)
        for source in others
        if chosen and source.name.casefold() not in wanted
    )
    return chosen or others, (*skipped, *missing, *unlisted)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(132)
    return (head.startswith(_ZIP_STARTS) or path.suffix.lower() == ".zip") and head[128:] != b"DICM"


def find_files(path: Path, decoder: Decoder) -> Found:
    """The files to read, and those that are left out unread.

    Raises:
        UnreadableInput: nothing there, no right to read it, or a damaged zip archive.
    """
    try:
        if path.is_dir():
            return _find_in_folder(path)
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableInput(f"{printable(str(path))} is neither a file nor a folder")
        if _is_zip(path):
            return _find_in_archive(path, decoder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        advice = "check the path"
        raise UnreadableInput(f"{printable(str(path))} cannot be opened ({reason})", advice=advice) from error
    if path.name.casefold() == _INDEX_NAME:
        return _find_by_index(path, decoder)
    return (SourceFile(str(path), None, printable(path.name)),), ()

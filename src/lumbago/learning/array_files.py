"""Files of named arrays (NumPy's `.npz`, uncompressed): whole or not there, checked, and read one array at a time."""

import hashlib
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lumbago.errors import UnreadableInput

_DAMAGE = (OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a file under its name only when all of it is there.

    Raises:
        OSError: the folder cannot be written to, or is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """Whether a file is there and every array in it has the checksum that it was written with."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except _DAMAGE:
        return False


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """All arrays of a file; None when it is not there, or not whole."""
    if not is_whole(path):
        return None
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def digest_of(*files: Path) -> str:
    """SHA-256 of the content of files.

    Raises:
        UnreadableInput: one is not there.
    """
    total = hashlib.sha256()
    for path in files:
        try:
            total.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise UnreadableInput(f"{path} cannot be read ({error.strerror})", "a file", "add it again") from error
    return total.hexdigest()


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array in a file, read when it is asked for: nothing of it stays open or in memory."""

    path: Path
    name: str

    def read(self) -> np.ndarray:
        """The array; its checksum is checked again.

        Raises:
            UnreadableInput: the file went away, or was damaged, since the run began.
        """
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                return np.asarray(arrays[self.name])
        except _DAMAGE as error:
            raise UnreadableInput(
                f"{self.path} can no longer be read ({error})", "a cache that nobody changes while a run uses it",
                "start again with --resume",
            ) from error  # fmt: skip

"""An upload as files: one stream of bytes and the list of what lies in it, one after the other.

    <upload>/session.json   {"files": [{"name": "a/1.dcm", "bytes": 1234}, ...], ...}
    <upload>/data           the bytes

Names are labels: they become no path but for letters, digits and dots of their end.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.open_source import BadImageError, list_archive, open_source
from lumbago.errors import UnreadableInput
from lumbago.labels.labelled_study import file_name

_CHUNK: Final = 1 << 20
_LONGEST_NAME: Final = 80
_LARGEST_TRUTH: Final = 8 << 20
_TRUTH_NAME: Final = "truth.json"


@dataclass(frozen=True, slots=True)
class SplitUpload:
    """An upload on disk: `path` is its only file, or a folder of files."""

    path: Path

    def truths(self) -> Mapping[str, str]:
        """Findings files named `truth.json` among the files, or in a zip that is the only one, as text, by
        StudyInstanceUID: a phantom brings its own."""
        found = {}
        for text in _truths_in_folder(self.path) if self.path.is_dir() else _truths_in_zip(self.path):
            try:
                found[StudyFindings.from_json(text).study.study_instance_uid] = text
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
        return found


def _truths_in_folder(folder: Path) -> Iterator[str]:
    for file in folder.glob(f"*-{_TRUTH_NAME}"):
        if file.stat().st_size <= _LARGEST_TRUTH:
            yield file.read_text(encoding="utf8", errors="replace")


def _truths_in_zip(path: Path) -> Iterator[str]:
    """None of a file that is no zip; members are read as far as the limits of `open_source` allow."""
    if not zipfile.is_zipfile(path):
        return
    try:
        members = list_archive(str(path))["members"]
        for member in (name for name in members if PurePosixPath(name).name == _TRUTH_NAME):
            stream, size = open_source(str(path), member)
            with stream:
                if size <= _LARGEST_TRUTH:
                    yield stream.read(_LARGEST_TRUTH).decode("utf8", errors="replace")
    except (BadImageError, OSError, EOFError, zipfile.BadZipFile, zlib.error):
        return


def split_upload(upload: Path, place: Path) -> SplitUpload:
    """Writes the files of an upload below `place`.

    Raises:
        UnreadableInput: the upload is gone or is not whole.
    """
    try:
        files: list[dict[str, Any]] = json.loads((upload / "session.json").read_text(encoding="utf8"))["files"]
        size = (upload / "data").stat().st_size
    except (OSError, ValueError, KeyError) as error:
        raise UnreadableInput("the upload is no longer here", advice="upload the study again") from error
    if size != sum(file["bytes"] for file in files):
        raise UnreadableInput("the upload is not whole", advice="upload the study again")
    with (upload / "data").open("rb") as data:
        for number, file in enumerate(files, start=1):
            name = file_name(file["name"].replace("\\", "/").rpartition("/")[2])[-_LONGEST_NAME:]
            _write(data, place / (name if len(files) == 1 else f"{number:06d}-{name}"), file["bytes"])
    return SplitUpload(next(place.iterdir()) if len(files) == 1 else place)


def _write(data: Any, target: Path, size: int) -> None:
    with target.open("wb") as file:
        while size:
            chunk = data.read(min(size, _CHUNK))
            size -= len(chunk)
            file.write(chunk)

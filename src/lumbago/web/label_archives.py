"""Label archives, opened: what they say of studies that are kept here, whoever made them.

An archive of ours says where each picture lies in the patient and which grades went out. In one of others a picture is
known by its name, which begins as ours do, and where it lies by the archives that were exported here before.
"""

import json
import math
import re
import tempfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, ROLES
from lumbago.anatomy.findings import Site as Place
from lumbago.batch.label_pictures import FRAMES, PictureFrame
from lumbago.errors import UnreadableInput
from lumbago.labels.companions import EXPORTED
from lumbago.labels.labelled_study import LabelledStudy, Shape, site_of
from lumbago.labels.read_yolo import CLASS_FILES
from lumbago.labels.sources import read_source
from lumbago.labels.tables import write_table
from lumbago.records.files import files_of_kind
from lumbago.records.store import Store

MOST_BYTES: Final = 64 << 20
MOST_FILES: Final = 20_000
"""Of label files alone: pictures are passed over."""
_LABEL_FILES: Final = (".json", ".csv", ".txt", ".yaml", ".names")
_PICTURE: Final = re.compile(rf"([0-9a-f]{{32}})_(?:{'|'.join(ROLES)})_\d+-\d{{3}}")
_UNREADABLE: Final = (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError)
"""What damaged archives raise; `RuntimeError` those that are encrypted or packed in a way that nobody here knows."""
_EXPORTS: Final = 20
"""How many of the newest exports are asked where pictures lie."""
Frames = Mapping[str, PictureFrame]


@dataclass(frozen=True)
class Said:
    """What an archive says of one study.

    Attributes:
        table: grades by place, as in its tables; drawn: as in its drawings, the worst slice each; before: as they
            were exported here, where it says so.
        shapes: drawings of a place with the picture that they lie on.
    """

    table: dict[Place, str] = field(default_factory=dict)
    drawn: dict[Place, str] = field(default_factory=dict)
    before: dict[Place, str] = field(default_factory=dict)
    shapes: dict[Place, list[tuple[Shape, PictureFrame]]] = field(default_factory=lambda: defaultdict(list))


def read_archive(archive: Path, form: str, known: Frames) -> Mapping[str, Said]:
    """What a zip of labels says, by study; `known` says where pictures lie that it does not speak of.

    Raises:
        UnreadableInput: no archive of labels in this form.
    """
    said: dict[str, Said] = defaultdict(Said)
    with tempfile.TemporaryDirectory() as place:
        folder = _unpacked(archive, Path(place))
        frames = {**known, **_frames(_taken(folder, FRAMES))}
        before = _taken(folder, EXPORTED)
        root = _root(folder)
        if form == "yolo":
            _state_sizes(root, frames)
        for study in read_source(form, root):
            _sort(study, frames, said)
    for name, grades in _exported(before).items():
        if name in said:
            said[name].before.update(grades)
    return said


def known_frames(store: Store) -> Frames:
    """Where the pictures lie that were exported here lately."""
    with store.read() as records:
        exports = files_of_kind(records, "export")[-_EXPORTS:]
    frames: dict[str, PictureFrame] = {}
    for file in exports:
        with suppress(OSError, KeyError, zipfile.BadZipFile), zipfile.ZipFile(store.blobs.place(file.sha256)) as kept:
            frames.update(_frames(kept.read(FRAMES)))
    return frames


def _unpacked(archive: Path, place: Path) -> Path:
    """The archive's label files below a folder; names that lead elsewhere are cut to what lies inside."""
    try:
        with zipfile.ZipFile(archive) as source:
            members = [member for member in source.infolist() if _is_label_file(member.filename)]
            if len(members) > MOST_FILES or sum(member.file_size for member in members) > MOST_BYTES:
                raise UnreadableInput(
                    "the archive has too many labels",
                    f"{MOST_FILES} files and {MOST_BYTES >> 20} MiB at most, pictures not counted",
                    "bring it in in parts",
                )
            for member in members:
                source.extract(member, place)
    except _UNREADABLE as error:
        raise UnreadableInput("this is no zip archive that can be read", "a zip of label files") from error
    return place


def _is_label_file(name: str) -> bool:
    """No picture, and nothing that a file manager added."""
    parts = name.replace("\\", "/").split("/")
    is_hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part != "..")
    return not is_hidden and parts[-1].lower().endswith(_LABEL_FILES)


def _taken(folder: Path, name: str) -> bytes:
    """A file of ours, taken out of the folder, so that no reader takes it for labels; nothing when it is not there."""
    path = min(folder.rglob(name), key=lambda found: len(found.parts), default=None)
    if path is None:
        return b"{}"
    content = path.read_bytes()
    path.unlink()
    return content


def _frames(content: bytes) -> Frames:
    with _as_exported(FRAMES):
        return {str(name): PictureFrame.of(row) for name, row in json.loads(content).items()}


def _exported(content: bytes) -> Mapping[str, Mapping[Place, str]]:
    with _as_exported(EXPORTED):
        return {
            str(name): {(condition, level, side): grade for condition, level, side, grade in rows}
            for name, rows in json.loads(content).items()
        }


@contextmanager
def _as_exported(name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableInput(f"{name} cannot be read", "as it was exported", "leave it as it was") from error


def _root(folder: Path) -> Path:
    """Where the readers are to begin: beside our tables or a list of classes, wherever those lie."""
    marks = {"studies.csv", "images.csv", "grades.csv", *CLASS_FILES}
    marked = [path.parent for path in folder.rglob("*") if path.name in marks]
    return min(marked, key=lambda found: len(found.parts), default=folder)


def _state_sizes(root: Path, frames: Frames) -> None:
    """A YOLO set without our table: whose the pictures are, and their sizes, of which its fractions are."""
    if (root / "images.csv").is_file():
        return
    rows = []
    for path in sorted(root.rglob("*.txt")):
        known = _PICTURE.match(path.name)
        frame = frames.get(f"{known.group()}.png") if known else None
        if known and frame is not None:
            file = path.relative_to(root).with_suffix(".png").as_posix()
            rows.append((file, known.group(1), frame.rows, frame.columns))
    if rows:
        write_table(root / "images.csv", ("file", "study", "rows", "columns"), rows)


def _sort(study: LabelledStudy, frames: Frames, said: dict[str, Said]) -> None:
    """Adds what a set calls a study to the studies of ours that its pictures belong to."""
    owners = {study.name} if not study.shapes else set()
    for shape, picture in _pictures(study):
        owner = picture.group(1) if picture else study.name
        owners.add(owner)
        frame = frames.get(f"{picture.group()}.png") if picture else None
        _add(said[owner], shape, frame)
    grades = {place: grade for place, grade in study.grades.items() if grade is not None}
    if grades and study.name in owners:
        said[study.name].table.update(grades)


def _pictures(study: LabelledStudy) -> Iterator[tuple[Shape, re.Match[str] | None]]:
    for shape in study.shapes:
        image = study.image(shape.image)
        yield shape, _PICTURE.match(image.path.name if image is not None else shape.image)


def _add(said: Said, shape: Shape, frame: PictureFrame | None) -> None:
    place = site_of(shape)
    if place is None or shape.grade is None:
        return
    grades = CONDITIONS[place[0]].scale.grades
    said.drawn[place] = max(said.drawn.get(place, shape.grade), shape.grade, key=grades.index)
    if frame is not None and shape.frame == "pixels" and shape.points and all(map(math.isfinite, shape.middle)):
        said.shapes[place].append((shape, frame))

"""Our own form on disk: `labels.csv` (a row a study), `<study>/findings.json`, `<study>/labels.json`."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from lumbago.errors import UnreadableInput
from lumbago.labels.json_files import read_json
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape
from lumbago.labels.problems import Problem
from lumbago.labels.read_phantoms import read_findings
from lumbago.labels.tables import read_table, write_table, write_whole

SCHEMA: Final = "lumbago/labels/1"
INDEX: Final = "labels.csv"
COLUMNS: Final = ("study", "folder", "source", "patient", "images", "findings", "shapes", "problems")


def read_lumbago(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """The studies that `labels.csv` lists; it is written last: a broken import has none."""
    for row in read_table(folder / INDEX, ("study", "folder")):
        yield _read_study(folder.resolve() / row["folder"])


def _read_study(place: Path) -> LabelledStudy:
    path = place / "labels.json"
    data = read_json(path, ("schema", "source", "patient", "name", "images", "absence", "shapes"))
    if data["schema"] != SCHEMA:
        raise UnreadableInput(f"{path} is of schema {data['schema']}", SCHEMA, "import the labels again")
    try:
        return LabelledStudy(
            data["source"], data["patient"], data["name"],
            tuple(ImageRef(**row | {"path": _from(place, row["path"])}) for row in data["images"]),
            read_findings(place / "findings.json"), data["absence"],
            tuple(_shape(place, row) for row in data["shapes"]),
            tuple(Problem(**row) for row in data.get("problems", ())),
        )  # fmt: skip
    except (TypeError, KeyError, AttributeError) as error:
        raise UnreadableInput(f"{path} has an entry that cannot be read ({error})", SCHEMA, "import again") from error


def _from(place: Path, text: str) -> Path:
    """A path as written, without the dots that lead out of the folder and back."""
    return Path(os.path.normpath(place / text))


def _shape(place: Path, row: dict[str, Any]) -> Shape:
    return Shape(
        **row | {
            "points": tuple(tuple(point) for point in row["points"]),
            "values": tuple((value, name, level) for value, name, level in row["values"]),
            "mask": None if row["mask"] is None else _from(place, row["mask"]),
        }
    )  # fmt: skip


def write_lumbago_study(place: Path, study: LabelledStudy) -> None:
    """Writes a study's two files; images stay where they are, and are named by their path from here.

    Raises:
        OSError: the folder cannot be written to.
    """

    def path(target: Path) -> str:
        return os.path.relpath(target.resolve(), place.resolve())

    shapes = [asdict(shape) | {"mask": None if shape.mask is None else path(shape.mask)} for shape in study.shapes]
    data = {
        "schema": SCHEMA, "source": study.source, "patient": study.patient, "name": study.name,
        "images": [asdict(image) | {"path": path(image.path)} for image in study.images],
        "absence": dict(study.absence), "shapes": shapes, "problems": [asdict(row) for row in study.problems],
    }  # fmt: skip
    place.mkdir(parents=True, exist_ok=True)
    write_whole(place / "findings.json", study.truth.to_json())
    write_whole(place / "labels.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")


def write_index(folder: Path, rows: list[tuple[object, ...]]) -> None:
    """Writes the list of studies, `COLUMNS` each.

    Raises:
        OSError: the folder cannot be written to.
    """
    write_table(folder / INDEX, COLUMNS, rows)

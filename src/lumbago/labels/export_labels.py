"""Labels in the forms of others: a folder that Lumbago's reader of the same name reads back as the same labels.

What a form itself cannot say (whose an image is, grades that are drawn nowhere) stands in three small tables beside it,
see `companions`.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lumbago.dicom.decoder import Decoder
from lumbago.errors import PartsMissing, UsageError
from lumbago.labels.companions import Size, file_key, slice_file, write_companions
from lumbago.labels.image_frames import FrameReader
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, label_stem
from lumbago.labels.read_csv import SHAPES, class_of, shape_line
from lumbago.labels.tables import write_table, write_whole
from lumbago.labels.write_rsna_tables import write_rsna_tables

POINT_BOX_PX: Final = 16.0
"""YOLO text has no points: a point becomes a box of this size around it, as detectors of RSNA's points are trained."""


@dataclass
class ExportReport:
    """How many studies and shapes were written, and what could not be said in that form."""

    studies: int = 0
    shapes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def exit_code(self) -> int:
        """5 when something was left out, else 0."""
        return PartsMissing.exit_code if self.left_out else 0


@dataclass(frozen=True, slots=True)
class DrawnShape:
    """A shape, the file it is drawn on as seen from the export's folder, and the size of that file if known."""

    shape: Shape
    file: str
    size: Size | None


@dataclass(slots=True)
class _DrawnFile:
    """A file: its size if known, and the shapes drawn on it."""

    size: Size | None
    shapes: list[Shape] = field(default_factory=list)


_Writer = Callable[[Path, Sequence[LabelledStudy], FrameReader, ExportReport], None]


def export_labels(studies: Sequence[LabelledStudy], out: Path, form: str, decoder: Decoder) -> ExportReport:
    """Writes studies in a form of others, a row of `EXPORTS`: all of them, or nothing. Images stay where they are.

    Raises:
        UsageError: no such form, or `out` cannot be written to or is not empty.
    """
    if form not in EXPORTS:
        raise UsageError(f"there is no form {form}", f"one of {', '.join(EXPORTS)}", "see --help")
    out = out.absolute()
    report, part = ExportReport(len(studies)), out.with_name(f".part-{out.name}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise UsageError(f"{out} is not empty", "a folder of its own", "choose another")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        EXPORTS[form](part, studies, FrameReader(decoder), report)
        out.rmdir()
        part.rename(out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", "a folder", "choose another") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return report


def drawn_shapes(folder: Path, study: LabelledStudy, frames: FrameReader, report: ExportReport) -> Iterator[DrawnShape]:
    """The shapes of a study that lie on a file of their own; the others are counted as left out."""
    for shape in study.shapes:
        image = study.image(shape.image)
        why = _why_not(shape, image)
        if why or image is None:
            report.left_out[why] += 1
            continue
        frame = frames.frame(image, shape.instance)
        report.shapes += 1
        yield DrawnShape(shape, str(file_key(folder, image, shape.instance)), None if frame is None else frame.size)


def _why_not(shape: Shape, image: ImageRef | None) -> str:
    if shape.kind == "mask":
        return "masks"
    if shape.frame == "lps_mm":
        return "points in patient millimetres"
    if image is None or slice_file(image, shape.instance) is None:
        return "shapes on slices within a volume file"
    return "" if class_of(shape) else "shapes that say nothing"


def _all_drawn(
    folder: Path, studies: Sequence[LabelledStudy], frames: FrameReader, report: ExportReport
) -> dict[str, _DrawnFile]:
    """By name; pictures without any shape are there, too."""
    found: dict[str, _DrawnFile] = {}
    for study in studies:
        for image in study.images:
            if image.kind == "picture":
                frame = frames.frame(image, None)
                found.setdefault(str(file_key(folder, image, None)), _DrawnFile(frame.size if frame else None))
        for drawn in drawn_shapes(folder, study, frames, report):
            found.setdefault(drawn.file, _DrawnFile(drawn.size)).shapes.append(drawn.shape)
    return found


def _write_labelme(folder: Path, studies: Sequence[LabelledStudy], frames: FrameReader, report: ExportReport) -> None:
    for number, (file, drawn) in enumerate(_all_drawn(folder, studies, frames, report).items(), 1):
        data: dict[str, Any] = {
            "version": "5.0.0", "flags": {}, "imagePath": file, "imageData": None,
            "imageHeight": drawn.size[0] if drawn.size else None, "imageWidth": drawn.size[1] if drawn.size else None,
            "shapes": [_labelme_shape(shape) for shape in drawn.shapes],
        }  # fmt: skip
        write_whole(
            folder / f"{number:06d}-{Path(file).stem}.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n"
        )
    write_companions(folder, studies)


_LABELME_KINDS: Final = {"box": "rectangle", "polygon": "polygon", "point": "point"}


def _labelme_shape(shape: Shape) -> dict[str, Any]:
    return {
        "label": class_of(shape), "points": [[column, row] for row, column in shape.points], "group_id": None,
        "description": "", "shape_type": _LABELME_KINDS[shape.kind], "flags": {},
    }  # fmt: skip


def _write_coco(folder: Path, studies: Sequence[LabelledStudy], frames: FrameReader, report: ExportReport) -> None:
    files = _all_drawn(folder, studies, frames, report)
    classes = sorted({class_of(shape) for drawn in files.values() for shape in drawn.shapes})
    number_of = {name: number for number, name in enumerate(classes, 1)}
    images, annotations = [], list[dict[str, Any]]()
    for number, (file, drawn) in enumerate(files.items(), 1):
        if drawn.size is None:
            shapes = {"shapes on images that cannot be opened": len(drawn.shapes)} if drawn.shapes else {}
            report.left_out += Counter({"images that cannot be opened": 1, **shapes})
            report.shapes -= len(drawn.shapes)
            continue
        rows, columns = drawn.size
        images.append({"id": number, "file_name": file, "height": rows, "width": columns})
        for shape in drawn.shapes:
            about = {"id": len(annotations) + 1, "image_id": number, "category_id": number_of[class_of(shape)]}
            annotations.append(about | _coco_shape(shape))
    categories = [{"id": number, "name": name} for name, number in number_of.items()]
    data = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
    write_whole(folder / "annotations.json", json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    write_companions(folder, studies)


def _coco_shape(shape: Shape) -> dict[str, Any]:
    rows, columns = zip(*shape.points, strict=True)
    flat = [value for row, column in shape.points for value in (column, row)]
    width, height = max(columns) - min(columns), max(rows) - min(rows)
    return {
        "bbox": [min(columns), min(rows), width, height], "area": width * height, "iscrowd": 0,
        "segmentation": [flat] if shape.kind == "polygon" else [],
        **({"keypoints": [*flat, 2], "num_keypoints": 1} if shape.kind == "point" else {}),
    }  # fmt: skip


def _write_yolo(folder: Path, studies: Sequence[LabelledStudy], frames: FrameReader, report: ExportReport) -> None:
    files = _all_drawn(folder, studies, frames, report)
    classes = sorted({class_of(shape) for drawn in files.values() for shape in drawn.shapes})
    sizes: dict[str, Size] = {}
    for file, drawn in files.items():
        size, shapes, path = drawn.size, drawn.shapes, folder / "labels" / f"{label_stem(file)}.txt"
        if (shapes and size is None) or path.exists():
            why = f"shapes on images that {'share a name' if size else 'cannot be opened'}"
            report.left_out += Counter({why: len(shapes)} if shapes else {})
            report.shapes -= len(shapes)
            continue
        lines = [_yolo_line(shape, classes.index(class_of(shape)), size) for shape in shapes if size]
        sizes |= {file: size} if size else {}
        write_whole(path, "".join(f"{line}\n" for line in lines))
    write_whole(folder / "classes.txt", "".join(f"{name}\n" for name in classes or ["disc"]))
    write_companions(folder, studies, sizes)


def _yolo_line(shape: Shape, number: int, size: Size) -> str:
    rows, columns = size
    points = shape.points
    if shape.kind == "point":
        (row, column), half = points[0], POINT_BOX_PX / 2
        points = ((row - half, column - half), (row + half, column + half))
    if shape.kind == "polygon":
        values = [value for row, column in points for value in (column / columns, row / rows)]
    else:
        (top, left), (bottom, right) = points
        middle = ((left + right) / 2 / columns, (top + bottom) / 2 / rows)
        values = [*middle, (right - left) / columns, (bottom - top) / rows]
    return " ".join([str(number), *(f"{value:.12g}" for value in values)])


def _write_csv(folder: Path, studies: Sequence[LabelledStudy], frames: FrameReader, report: ExportReport) -> None:
    drawn = [(study.name, shape) for study in studies for shape in study.shapes if shape.kind != "mask"]
    report.shapes = len(drawn)
    masks = sum(len(study.shapes) for study in studies) - len(drawn)
    report.left_out += Counter({"masks": masks} if masks else {})
    write_table(folder / "shapes.csv", SHAPES, (shape_line(study, shape) for study, shape in drawn))
    write_companions(folder, studies)


def _write_rsna(folder: Path, studies: Sequence[LabelledStudy], frames: FrameReader, report: ExportReport) -> None:
    left_out, report.shapes = write_rsna_tables(folder, studies)
    report.left_out += left_out


EXPORTS: Final[dict[str, _Writer]] = {
    "coco": _write_coco, "yolo": _write_yolo, "labelme": _write_labelme, "rsna": _write_rsna, "csv": _write_csv,
}  # fmt: skip
"""Forms that labels can be written in, each also a row of `sources.SOURCES`."""

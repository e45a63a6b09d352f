"""The registry of label sources: one row each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lumbago.errors import UnreadableInput, UsageError
from lumbago.labels.label_names import LabelNames, names_in
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.read_coco import read_coco
from lumbago.labels.read_csv import read_csv
from lumbago.labels.read_labelme import read_labelme
from lumbago.labels.read_lumbago import read_lumbago
from lumbago.labels.read_masks import read_masks
from lumbago.labels.read_phantoms import read_phantoms
from lumbago.labels.read_reviewed import read_reviewed
from lumbago.labels.read_rsna import read_rsna
from lumbago.labels.read_spider import read_spider, read_spider_original, read_spider_space
from lumbago.labels.read_sudirman import read_sudirman
from lumbago.labels.read_yolo import read_yolo

Reader = Callable[[Path, LabelNames], Iterator[LabelledStudy]]


@dataclass(frozen=True, slots=True)
class LabelSource:
    """One form in which labels come.

    Attributes:
        name: on the command line, in experiments, and of the folder below `--data`.
        title: one line on what it is.
        needs: what must lie in its folder.
        read: its reader.
    """

    name: str
    title: str
    needs: str
    read: Reader


SOURCES: Final[dict[str, LabelSource]] = {
    row.name: row
    for row in (
        LabelSource("rsna", "RSNA 2024 lumbar spine challenge",
                    "train.csv, train_label_coordinates.csv, train_series_descriptions.csv, "
                    "train_images/<study>/<series>/<instance>.dcm", read_rsna),
        LabelSource("spider_original", "SPIDER as downloaded: volumes, masks, gradings",
                    "images/*.mha, masks/*.mha, radiological_gradings.csv, overview.csv", read_spider_original),
        LabelSource("spider", "SPIDER's mid-sagittal slices as pictures",
                    "sagittal/*.png, series.csv, gradings.csv, disc_boxes.csv", read_spider),
        LabelSource("spider_space", "SPIDER's T2-SPACE slices as pictures with masks", "images/*.png, masks/*.png",
                    read_spider_space),
        LabelSource("sudirman", "Lumbar Spine MRI Dataset, mid-sagittal pictures",
                    "sagittal/<patient>_<t1|t2>.png, vertebrae.csv, pfirrmann.csv", read_sudirman),
        LabelSource("labelme", "Labelme annotations", "*.json beside their pictures, in sub-folders or not",
                    read_labelme),
        LabelSource("coco", "COCO annotations", "one or more *.json with images, annotations, categories", read_coco),
        LabelSource("yolo", "YOLO text annotations", "images/, labels/*.txt, classes.txt or data.yaml", read_yolo),
        LabelSource("masks", "label masks as NIfTI, MetaImage or DICOM SEG",
                    "images/, masks/ of the same names (or *_labels.nii.gz beside *.nii.gz), labels.json", read_masks),
        LabelSource("phantoms", "phantom studies with their truth", "<name>/dicom, <name>/truth.json", read_phantoms),
        LabelSource("reviewed", "findings that a reader has corrected", "<name>/findings.json, <name>/review.json",
                    read_reviewed),
        LabelSource("csv", "tables of grades and shapes", "grades.csv; studies.csv, images.csv, shapes.csv if wanted",
                    read_csv),
        LabelSource("lumbago", "what `lumbago labels import` wrote", "labels.csv, <study>/findings.json, labels.json",
                    read_lumbago),
    )
}  # fmt: skip


def read_source(name: str, folder: Path, names: LabelNames | None = None) -> Iterator[LabelledStudy]:
    """The labelled studies of a folder, one after the other.

    Args:
        name: a row of `SOURCES`.
        folder: what the row says must lie there.
        names: translation of class names; without it the one in the folder's `names.toml`, or Lumbago's own.

    Raises:
        UsageError: no source of that name.
        UnreadableInput: no such folder, a table that is not there or cannot be read, or no study in it.
    """
    if name not in SOURCES:
        raise UsageError(
            f"there is no label source {name}", f"one of {', '.join(SOURCES)}", "see docs/how-to/labels.md"
        )
    row = SOURCES[name]
    if not folder.exists():
        raise UnreadableInput(f"no folder {folder}", row.needs, "check the path")
    return _some(row.read(folder, names or names_in(folder)), folder, row)


def _some(studies: Iterator[LabelledStudy], folder: Path, row: LabelSource) -> Iterator[LabelledStudy]:
    found = False
    for study in studies:
        found = True
        yield study
    if not found:
        raise UnreadableInput(f"{folder} holds no labelled study", row.needs, "check the path and the source's name")

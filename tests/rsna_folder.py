"""Phantoms as RSNA 2024 would be downloaded: training and test images, coarse enough to be quick."""

import csv
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pydicom
import pytest

from coarse_study import coarse_study
from lumbago.phantom import write_study as writer

PIXELS = 128
KEPT = frozenset((
    "SOPInstanceUID", "PatientID", "SliceThickness", "SpacingBetweenSlices", "PatientPosition", "StudyInstanceUID",
    "SeriesInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "SamplesPerPixel",
    "PhotometricInterpretation", "Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "WindowCenter", "WindowWidth", "PixelData",
))  # fmt: skip
"""What is left in a DICOM file from which all that is not geometry was removed."""

Rows = list[dict[str, str]]


def write_rsna_folder(data: Path, train_seed: int, test_seed: int | None = None) -> Path:
    """`data/rsna` with two training studies and, if wanted, a test study, whose truth goes to `data/truth/rsna`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "phantom_study", partial(coarse_study, pixels=PIXELS))
        plan = writer.WritePlan(("rsna",))
        writer.write_studies(data / "made", 2, train_seed, plan=plan)
        if test_seed is not None:
            writer.write_studies(data / "test", 1, test_seed, plan=plan)
    rsna = (data / "made" / "rsna").rename(data / "rsna")
    if test_seed is None:
        return rsna
    (data / "truth").mkdir()
    truth = (data / "test" / "rsna").rename(data / "truth" / "rsna")
    shutil.copytree(truth / "train_images", rsna / "test_images")
    shutil.copy(truth / "train_series_descriptions.csv", rsna / "test_series_descriptions.csv")
    return rsna


def change_table(path: Path, change: Callable[[Rows], Rows]) -> None:
    """Writes a table anew, changed."""
    with path.open(encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", encoding="utf8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(change(rows))


def strip_headers(folder: Path) -> None:
    """Leaves geometry alone in every file: no modality, no timing, no description."""
    for path in folder.rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        for element in list(dataset):
            if element.keyword not in KEPT:
                del dataset[element.tag]
        dataset.PatientID = dataset.StudyInstanceUID = folder.name
        dataset.save_as(path)

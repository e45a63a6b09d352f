"""A small folder for every label source, clean: nothing in it is suspicious."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

from coarse_study import coarse_study
from lumbago.anatomy.findings import StudyFindings
from lumbago.labels.import_labels import import_labels
from lumbago.labels.sources import SOURCES, read_source
from lumbago.phantom import write_study as writer
from made_up_labels import (
    BODIES,
    LEFT,
    RIGHT,
    body_rows,
    disc_middle,
    picture,
    write_spider,
    write_spider_space,
    write_sudirman,
)

LEVELS = ("L5/S1", "L4/L5", "L3/L4")
SEEDS = (21, 22)


_WRITTEN: list[Path] = []
"""Phantoms take seconds to write: once is enough."""


def write_phantoms(folder: Path) -> Path:
    """Two coarse phantoms as DICOM with their truth, and in `folder/rsna` in the layout of RSNA."""
    if not _WRITTEN:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "phantom_study", coarse_study)
            writer.write_studies(folder, len(SEEDS), SEEDS[0], plan=writer.WritePlan(("dicom", "rsna", "nifti")))
        _WRITTEN.append(Path(shutil.copytree(folder, folder.parent / "kept")))
        return folder
    return Path(shutil.copytree(_WRITTEN[0], folder))


def write_rsna(data: Path) -> Path:
    made = write_phantoms(data / "made")
    (made / "rsna").rename(data / "rsna")
    shutil.rmtree(made)
    return data / "rsna"


def _phantoms_alone(data: Path) -> Path:
    made = write_phantoms(data / "phantoms")
    shutil.rmtree(made / "rsna")
    return made


def write_reviewed(data: Path) -> Path:
    """The first study corrected at one place, the second confirmed as a whole."""
    made = write_phantoms(data / "made")
    for number, truth in enumerate(sorted(made.glob("*/truth.json"))):
        place = data / "reviewed" / truth.parent.name
        place.mkdir(parents=True)
        shutil.copy(truth, place / "findings.json")
        correction = {"condition": "pfirrmann", "level": "L4/L5", "grade": "5", "reader": "a", "date": "2026-01-02"}
        review = {"schema": "lumbago/review/1", "corrections": [correction], "rest_confirmed": bool(number)}
        review["study"] = f"../../made/{truth.parent.name}/dicom"
        (place / "review.json").write_text(json.dumps(review))
    return data / "reviewed"


def box_of(level: str) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a disc on the picture of made-up labels."""
    count = LEVELS.index(level) + 1
    row = disc_middle(count)[0]
    return LEFT, row - 7, RIGHT, row + 7


def _pictures(folder: Path, patients: tuple[str, ...] = ("ann", "bob")) -> list[Path]:
    """`images/<patient>_t2_<n>.png`, two a patient, all of them different."""
    paths = []
    for shade, patient in enumerate(patients):
        for number in (1, 2):
            path = folder / "images" / f"{patient}_t2_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(10 * shade + number).save(path)
            paths.append(path)
    return paths


CLASSES = tuple(f"Pfirrmann {grade} {level.replace('/', '-')}" for grade, level in zip((4, 3, 2), LEVELS, strict=True))


def _drawn() -> list[tuple[str, tuple[float, float, float, float]]]:
    return [*((name, box_of(level)) for name, level in zip(CLASSES, LEVELS, strict=True)), ("HIZ", box_of("L4/L5"))]


def write_labelme(data: Path) -> Path:
    """Discs by level, and a high-intensity zone that takes its level from the disc around it."""
    folder = data / "labelme"
    for path in _pictures(folder):
        shapes = [
            {"label": name, "points": [[x0, y0], [x1, y1]], "shape_type": "rectangle", "flags": {}}
            for name, (x0, y0, x1, y1) in [*_drawn(), *((f"disc {level}", box_of(level)) for level in LEVELS)]
        ]
        shapes[3]["points"] = [[LEFT + 20, shapes[3]["points"][0][1] + 4], [LEFT + 24, shapes[3]["points"][0][1] + 8]]
        first, last = body_rows(0)
        shapes.append({
            "label": BODIES[0], "shape_type": "polygon",
            "points": [[LEFT, first], [RIGHT, first], [RIGHT, last], [LEFT, last]],
        })  # fmt: skip
        data_of = {"version": "5.0.0", "imagePath": path.name, "shapes": shapes}
        path.with_suffix(".json").write_text(json.dumps(data_of))
    return folder


def write_coco(data: Path) -> Path:
    folder = data / "coco"
    paths = _pictures(folder)
    names = sorted({f"{name} {level}" if name == "HIZ" else name for name, _ in _drawn() for level in ("L4-L5",)})
    annotations = [
        {"id": 0, "image_id": number, "category_id": names.index("HIZ L4-L5" if name == "HIZ" else name),
         "bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": [], "iscrowd": 0}
        for number, _ in enumerate(paths) for name, (x0, y0, x1, y1) in _drawn()
    ]  # fmt: skip
    content = {
        "images": [{"id": number, "file_name": path.name} for number, path in enumerate(paths)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": annotations,
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def write_yolo(data: Path) -> Path:
    folder = data / "yolo"
    (folder / "labels").mkdir(parents=True)
    names = [*CLASSES, "hiz l4_l5"]
    lines = [f"  {number}: {name}" for number, name in enumerate(names)]
    (folder / "data.yaml").write_text("\n".join(["path: .", "names:", *lines]) + "\n")
    for path in _pictures(folder):
        lines = [
            f"{number} {(x0 + x1) / 2 / 384} {(y0 + y1) / 2 / 384} {(x1 - x0) / 384} {(y1 - y0) / 384}"
            for number, (_, (x0, y0, x1, y1)) in enumerate(_drawn())
        ]
        (folder / "labels" / f"{path.stem}.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_masks(data: Path) -> Path:
    folder = data / "masks"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    affine = np.diag([4.0, 1.0, 1.0, 1.0])
    for shade, name in enumerate(("ann_t2", "bob_t2")):
        volume = np.zeros((5, 20, 24), np.int16)
        volume[1:4, 5:12, 5:12] = 1
        nib.Nifti1Image(volume, affine).to_filename(folder / "masks" / f"{name}.nii.gz")
        nib.Nifti1Image(volume * 100 + shade, affine).to_filename(folder / "images" / f"{name}.nii.gz")
    (folder / "labels.json").write_text('{"0": "background", "1": "disc L4-L5", "2": "ligamentum flavum"}')
    return folder


SPIDER_HEAD = (
    "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,Disc bulging,"
    "Pfirrman grade"
)


def mha(path: Path, array: np.ndarray, spacing: tuple[float, float, float], directions: np.ndarray) -> Path:
    """Written by ITK; `array` has axes (z, y, x) of the file, `spacing` and `directions` those of (x, y, z)."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetDirection(directions.ravel().tolist())
    image.SetOrigin((10.0, -20.0, 30.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    SimpleITK.WriteImage(image, str(path), useCompression=True)
    return path


def write_spider_original(data: Path) -> Path:
    """Patients 7 and 12, stored in two axis orders as in the set; seven discs each."""
    folder = data / "spider_original"
    sagittal_last = np.zeros((40, 30, 6), np.int16)
    sagittal_last[10:14, 10:20, 2:4] = 201
    turned = np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
    sagittal_first = sagittal_last.transpose(2, 0, 1)[:, ::-1]
    for name, array, spacing, directions in (
        ("7_t1", sagittal_last, (4.0, 0.8, 0.7), np.eye(3)),
        ("7_t2", sagittal_last, (4.0, 0.8, 0.7), np.eye(3)),
        ("12_t2_SPACE", sagittal_first, (0.8, 0.7, 0.9), turned),
    ):
        mha(folder / "masks" / f"{name}.mha", array, spacing, directions)
        mha(folder / "images" / f"{name}.mha", (array * 3 + len(name)).astype(np.float32), spacing, directions)
    rows = [f"{patient},{disc},2,1,0,0,1,0,1,{min(disc, 5)}" for patient in (7, 12) for disc in range(1, 8)]
    (folder / "radiological_gradings.csv").write_text("\n".join([SPIDER_HEAD, *rows]) + "\n")
    overview = ["new_file_name,subset,num_vertebrae,num_discs,sex"]
    overview += [f"{name},training,7,7,F " for name in ("7_t1", "7_t2", "12_t2_SPACE")]
    (folder / "overview.csv").write_text("\n".join(overview) + "\n")
    return folder


def write_csv(data: Path) -> Path:
    folder = data / "csv"
    _pictures(folder)
    (folder / "studies.csv").write_text("study,patient,negative_when_absent\nann,p1,herniation\nbob,p2,\n")
    (folder / "images.csv").write_text(
        "file,study,role,spacing_mm\nimages/ann_t2_1.png,ann,Sagittal T2,0.5\nimages/bob_t2_1.png,bob,sag t2,\n"
    )
    (folder / "grades.csv").write_text(
        "study,condition,level,side,grade\nann,Pfirrmann,L4-L5,,IV\nann,subarticular stenosis,L5/S1,L,moderate\n"
        "bob,right neural foraminal narrowing,L1/L2,,Normal/Mild\n"
    )
    x0, y0, x1, y1 = box_of("L4/L5")
    (folder / "shapes.csv").write_text(
        f"study,image,instance,kind,frame,points,class\nann,ann_t2_1,,box,pixels,{y0} {x0} {y1} {x1},disc L4-L5\n"
        "bob,,,point,lps_mm,-20 3.5 100,right foramen L1-L2\n"
    )
    return folder


def write_lumbago(data: Path) -> Path:
    import_labels(read_source("labelme", write_labelme(data)), data / "lumbago")
    return data / "lumbago"


WRITERS: dict[str, Callable[[Path], Path]] = {
    "rsna": write_rsna, "spider_original": write_spider_original, "spider": write_spider,
    "spider_space": write_spider_space, "sudirman": write_sudirman, "labelme": write_labelme, "coco": write_coco,
    "yolo": write_yolo, "masks": write_masks, "phantoms": _phantoms_alone, "reviewed": write_reviewed,
    "csv": write_csv, "lumbago": write_lumbago,
}  # fmt: skip
assert set(WRITERS) == set(SOURCES), "every label source has a made-up folder"


def truth_in(folder: Path) -> dict[str, StudyFindings]:
    """The truth of phantoms by name."""
    return {p.parent.name: StudyFindings.from_json(p.read_text()) for p in sorted(folder.glob("*/truth.json"))}

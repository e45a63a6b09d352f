"""Label masks: volumes whose voxels are numbers of structures, and a table of what the numbers mean."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lumbago.labels.companions import Companions, read_companions, read_grades
from lumbago.labels.drawn_labels import NO_PATIENTS, before_mark, role_in
from lumbago.labels.json_files import malformed, read_json
from lumbago.labels.label_names import LabelNames
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, file_name, kind_of, stem_of, truth_of
from lumbago.labels.problems import Problem
from lumbago.labels.segmentation_file import read_segments

_BESIDE: Final = "_labels"
_TABLE: Final = "labels.json"

Values = tuple[tuple[int, str, str | None], ...]


def read_masks(folder: Path, names: LabelNames) -> Iterator[LabelledStudy]:
    """Studies of a folder of masks: `masks/<name>` for `images/<name>` (NIfTI, MetaImage, picture, a folder of DICOM
    files; masks also as DICOM SEG), or `<name>_labels.nii.gz` beside `<name>.nii.gz` in any sub-folder.

    `labels.json` (`{"1": "L5", "201": "disc L5-S1"}`) in the folder of the masks, or above, says what values mean; a
    DICOM SEG says so itself. A word that names.toml does not know stays the structure's name.
    Grades stand in `grades.csv`.
    """
    beside = read_companions(folder, names)
    studies: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
    for mask, image in _pairs(folder):
        studies[_study_of(folder, image, beside)].append((mask, image))
    for study in dict.fromkeys((*studies, *(beside.grades or ()))):
        pairs = studies.get(study, [])
        findings, problems = read_grades(study, (beside.grades or {}).get(study, ()), names)
        images = tuple(_image(folder, image, beside, names) for _, image in pairs)
        yield LabelledStudy(
            source="masks",
            patient=beside.patients.get(study, f"masks:{study}"),
            name=study,
            images=images,
            truth=truth_of(study, findings),
            absence=beside.absence.get(study, {}),
            shapes=tuple(
                Shape("mask", image=image.name, mask=mask, values=_values(folder, mask, names))
                for (mask, _), image in zip(pairs, images, strict=True)
            ),
            problems=(
                *problems,
                *(_nameless(folder, study, mask, names) for mask, _ in pairs if not _table(folder, mask)),
            ),
        )


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """(mask, image), the image as it should be called when there is none."""
    lying = {stem_of(path) if path.is_file() else path.name: path for path in sorted((folder / "images").glob("*"))}
    for mask in sorted((folder / "masks").glob("*")):
        if kind_of(mask) is not None and mask.is_file():
            yield mask, lying.get(stem_of(mask), folder / "images" / mask.name)
    for mask in sorted(folder.rglob(f"*{_BESIDE}.nii*")):
        yield mask, mask.with_name(mask.name.replace(_BESIDE, "", 1))


def _study_of(folder: Path, image: Path, beside: Companions) -> str:
    row = beside.files.get(image.relative_to(folder).as_posix())
    if row is not None:
        return row.study
    above = [part for part in image.relative_to(folder).parts[:-1] if part.lower() not in (*NO_PATIENTS, "nifti")]
    return file_name(above[0] if above else before_mark(stem_of(image)))


def _image(folder: Path, image: Path, beside: Companions, names: LabelNames) -> ImageRef:
    row = beside.files.get(image.relative_to(folder).as_posix())
    if row is not None:
        return row.image
    return ImageRef(stem_of(image), image, kind_of(image) or "dicom", role_in(stem_of(image), names))


def _table(folder: Path, mask: Path) -> Path | None:
    """The table of names that holds for a mask: beside it, or in a folder above, up to the source's."""
    places = [place for place in mask.parents if place == folder or folder in place.parents]
    return mask if mask.suffix == ".dcm" else next((p / _TABLE for p in places if (p / _TABLE).is_file()), None)


def _values(folder: Path, mask: Path, names: LabelNames) -> Values:
    table = _table(folder, mask)
    if table is None:
        return ()
    rows = read_segments(mask) if table == mask else _read_table(table)
    return tuple((value, *_structure(text, names)) for value, text in rows.items() if value != 0)


def _read_table(path: Path) -> dict[int, str]:
    try:
        return {int(value): str(text) for value, text in read_json(path, ()).items()}
    except ValueError as error:
        raise malformed(path, "a value that is no whole number") from error


def _structure(text: str, names: LabelNames) -> tuple[str, str | None]:
    meaning = names.read_class(text)
    if meaning.unknown or meaning.side or meaning.condition:
        return text, meaning.level
    return meaning.structure or ("disc" if meaning.level else text), meaning.level


def _nameless(folder: Path, study: str, mask: Path, names: LabelNames) -> Problem:
    return Problem(
        "unknown_name", study, mask.relative_to(folder).as_posix(), "a mask whose values nothing names",
        f"{_TABLE} beside it or above", f'write {_TABLE}, as {{"1": "L5", "201": "disc L5-S1"}}',
    )  # fmt: skip

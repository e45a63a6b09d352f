"""The one form that labels travel in: a study with its images, its grades as findings, and the shapes drawn on it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Final, Literal

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import BY_A_PERSON, Finding, Site, StudyFindings, StudySummary
from lumbago.anatomy.levels import Side
from lumbago.labels.problems import Problem

ImageKind = Literal["dicom", "metaimage", "nifti", "picture"]
ShapeKind = Literal["point", "box", "polygon", "mask"]
Frame = Literal["pixels", "lps_mm"]
Absence = Literal["negative", "unknown"]

KINDS_BY_SUFFIX: Final[Mapping[str, ImageKind]] = {
    ".dcm": "dicom", ".mha": "metaimage", ".nii": "nifti", ".nii.gz": "nifti",
    ".png": "picture", ".jpg": "picture", ".jpeg": "picture", ".tif": "picture", ".tiff": "picture", ".bmp": "picture",
}  # fmt: skip
"""What a file is by the end of its name; a folder is one of DICOM files."""


Flips = tuple[bool, bool]
"""Whether rows and whether columns run the other way."""


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image of a study, by its place; nothing is opened.

    Attributes:
        name: unique within the study; shapes refer to it.
        path: DICOM folder or file, `.mha`, NIfTI file, or picture.
        kind: which of these.
        role: what the series is used for, None when not known.
        series_instance_uid: of a DICOM series, "" when not known.
        spacing_mm: pixel size of a picture, None when nobody states it.
        upside_down: a picture that must be turned by 180 degrees.
        mirrored: a picture whose left and right must be exchanged, after that turn.
    """

    name: str
    path: Path
    kind: ImageKind
    role: Role | None = None
    series_instance_uid: str = ""
    spacing_mm: float | None = None
    upside_down: bool = False
    mirrored: bool = False

    @property
    def flips(self) -> "Flips":
        """Which axes of a picture must be turned round before it stands upright and faces forwards."""
        return self.upside_down, self.upside_down != self.mirrored


@dataclass(frozen=True, slots=True)
class Shape:
    """Something drawn on an image, and what it shows.

    Attributes:
        kind: `point` (one corner), `box` (two opposite ones), `polygon` (three or more), `mask` (none, but a file).
        points: in the frame `pixels`: (row, column) as in the file, before any turning; in `lps_mm`: (x, y, z).
        image: name of the image; "" in the frame `lps_mm` when it belongs to the patient as a whole.
        instance: the slice of a stack: InstanceNumber of DICOM, or 1, 2, ... along the slice axis; None on a picture.
        condition, level, side, grade: what it stands for, as far as known.
        structure: what it outlines: `disc`, `vertebra`, `canal`, the name of a body, or the label's own word.
        is_certain: False when its level is in doubt.
        mask, values: of a mask: its file, and (value, structure, level) of its voxels.
    """

    kind: ShapeKind
    points: tuple[tuple[float, ...], ...] = ()
    image: str = ""
    instance: int | None = None
    frame: Frame = "pixels"
    condition: str | None = None
    level: str | None = None
    side: Side | None = None
    grade: str | None = None
    structure: str | None = None
    is_certain: bool = True
    mask: Path | None = None
    values: tuple[tuple[int, str, str | None], ...] = ()

    @property
    def middle(self) -> tuple[float, ...]:
        """Mean of its corners."""
        return tuple(sum(axis) / len(axis) for axis in zip(*self.points, strict=True))


@dataclass(frozen=True, slots=True)
class LabelledStudy:
    """One study and what is known of it.

    Attributes:
        source: name of the label source, a row of `sources.SOURCES`.
        patient: key of the patient, the same in every source that holds him or her: splits go by it.
        name: unique within the source, and fit for a file name.
        images: where they lie.
        truth: labels as findings; only what was graded is there, a grade None when nobody could say.
        absence: per condition, what a missing label means; conditions that are not named: `unknown`.
        shapes: points, boxes, polygons, masks.
        problems: what the reader could not use, and why.
    """

    source: str
    patient: str
    name: str
    images: tuple[ImageRef, ...]
    truth: StudyFindings
    absence: Mapping[str, Absence] = field(default_factory=dict)
    shapes: tuple[Shape, ...] = ()
    problems: tuple[Problem, ...] = ()

    def grade(self, condition: str, level: str, side: Side | None = None) -> str | None:
        """The label at a place: what was graded, the scale's first grade where absence means negative, else None."""
        found = self.truth.find(condition, level, side)
        if found is not None:
            return found.grade
        return CONDITIONS[condition].scale.grades[0] if self.absence.get(condition) == "negative" else None

    def image(self, name: str) -> ImageRef | None:
        """The image of a name, or None."""
        return next((image for image in self.images if image.name == name), None)

    @property
    def grades(self) -> dict[tuple[str, str, Side | None], str | None]:
        """Grade by (condition, level, side)."""
        return {(row.condition, row.level, row.side): row.grade for row in self.truth.findings}


def site_of(shape: Shape) -> Site | None:
    """Where a shape grades something; None when its condition, level, side or grade is not known."""
    if shape.condition is None or shape.level is None or shape.grade is None:
        return None
    side = shape.side if CONDITIONS[shape.condition].sided else None
    return (shape.condition, shape.level, side) if side in CONDITIONS[shape.condition].sides else None


def worst_grade(site: Site, grades: Iterable[str]) -> str:
    """The last in the scale of the site's condition."""
    return max(grades, key=CONDITIONS[site[0]].scale.grades.index)


def label(condition: str, level: str, side: Side | None, grade: str) -> Finding:
    """A label as a finding: all probability is on its grade."""
    scale = CONDITIONS[condition].scale
    probabilities = {name: float(name == grade) for name in scale.grades}
    return Finding(
        condition, level, side, grade, probabilities, scale.expected_grade(probabilities), trained_on=BY_A_PERSON
    )


def truth_of(name: str, findings: Iterable[Finding], patient_id: str = "") -> StudyFindings:
    """Labels of one study as its findings."""
    return StudyFindings(StudySummary(name, "", patient_id), (), tuple(findings))


def kind_of(path: Path) -> ImageKind | None:
    """What an image is, by its name; None for what is none."""
    if path.is_dir():
        return "dicom"
    name = path.name.lower()
    return next((kind for suffix, kind in KINDS_BY_SUFFIX.items() if name.endswith(suffix)), None)


def stem_of(path: PurePath) -> str:
    """A file's name without the end that tells its kind."""
    lowered = path.name.lower()
    suffix = next((end for end in sorted(KINDS_BY_SUFFIX, key=len, reverse=True) if lowered.endswith(end)), "")
    return path.name.removesuffix(path.name[len(path.name) - len(suffix) :]) if suffix else path.name


def file_name(text: str) -> str:
    """A text as a name for files: what is not a letter, digit, dot, dash or underscore becomes a dash."""
    kept = "".join(char if char.isalnum() or char in "._-" else "-" for char in text).strip(".-")
    return kept or "study"


def label_stem(file: str) -> str:
    """What a picture and its label file share, flattened to a name for files; several pictures may have the same."""
    return file_name(place_of(file))


def place_of(file: str) -> str:
    """What a picture and its label file share: the path, without suffix and without `images` or `labels`."""
    path = PurePosixPath(file)
    parts = [part for part in path.parts[:-1] if part not in ("images", "labels")]
    return "/".join((*parts, stem_of(path)))

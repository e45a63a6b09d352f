"""The images of a labelled study as volumes, by role; its masks; its points in patient millimetres."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from lumbago.anatomy.conditions import ROLES, Role
from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.describe_series import SeriesDescription, describe_series
from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal
from lumbago.dicom.read_study import read_studies
from lumbago.dicom.volume import Volume
from lumbago.errors import LumbagoError, UnreadableInput
from lumbago.labels.labelled_study import ImageRef, LabelledStudy, Shape, kind_of
from lumbago.labels.metaimage import read_metaimage
from lumbago.labels.picture_slices import assumed_spacing_mm, flat_volume, read_grey, read_label_values
from lumbago.labels.segmentation_file import read_segmentation


@dataclass(frozen=True, eq=False, slots=True)
class OpenedSeries:
    """One series of an image: its role, as labelled, else as its headers tell, and its grids in the file's own
    orientation."""

    image: str
    role: Role | None
    volumes: tuple[Volume, ...]


@dataclass(frozen=True, eq=False)
class OpenedStudy:
    """The images of a study that could be opened; `remarks` say what could not be, or not wholly."""

    study: LabelledStudy
    series: tuple[OpenedSeries, ...]
    remarks: tuple[str, ...] = ()

    def volumes(self, image: str) -> tuple[Volume, ...]:
        """The grids of an image, in the orientation of its file; several when a series forms several."""
        return tuple(volume for one in self.series if one.image == image for volume in one.volumes)

    def by_role(self, role: Role) -> tuple[Volume, ...]:
        """The volumes of a role, in the orientation they are shown in."""
        shown = canonical_axial if role == "axial_t2" else canonical_sagittal
        return tuple(shown(volume) for one in self.series if one.role == role for volume in one.volumes)

    def to_lps_mm(self, shape: Shape) -> Float64[np.ndarray, "corners 3"] | None:
        """The corners of a shape in patient millimetres; None when its slice was not opened, or it is a mask.

        Pictures stand in the assumed frame of `flat_volume`.
        """
        if shape.frame == "lps_mm":
            return np.array(shape.points, np.float64)
        image = self.study.image(shape.image)
        if image is None or shape.kind == "mask":
            return None
        corners = np.array(shape.points, np.float64)
        for volume in self.volumes(shape.image):
            index = _slice_index(volume, shape.instance)
            if index is not None:
                rows, columns = volume.array.shape[1:]
                upright = np.where(image.flips, np.array([rows - 1, columns - 1]) - corners, corners)
                return volume.to_lps_mm(np.insert(upright, 0, index, axis=1))
        return None


def _slice_index(volume: Volume, instance: int | None) -> int | None:
    """The slice of a number: by InstanceNumber where headers are known, else counted from 1."""
    if instance is None:
        return 0 if len(volume.array) == 1 else None
    if volume.headers:
        numbers = [header.instance_number for header in volume.headers]
        return numbers.index(instance) if instance in numbers else None
    return instance - 1 if 1 <= instance <= len(volume.array) else None


def open_images(study: LabelledStudy, decoder: Decoder) -> OpenedStudy:
    """Reads the pixels of every image of a study; what cannot be opened is left out and said in `remarks`.

    DICOM and NIfTI are read in the limited child process, `.mha` files and pictures here. A picture without stated
    spacing is taken for one of 300 mm across.
    """
    series: list[OpenedSeries] = []
    remarks: list[str] = []
    for image in study.images:
        try:
            opened, notes = _open(image, decoder)
        except LumbagoError as error:
            remarks.append(f"{image.name}: {error}")
            continue
        series += opened
        remarks += [f"{image.name}: {note}" for note in notes]
    return OpenedStudy(study, tuple(series), tuple(remarks))


def _open(image: ImageRef, decoder: Decoder) -> tuple[list[OpenedSeries], list[str]]:
    """The series of an image, and what is to be said of them."""
    if image.kind == "metaimage":
        return [OpenedSeries(image.name, image.role, (read_metaimage(image.path),))], []
    if image.kind == "picture":
        spacing_mm = image.spacing_mm or assumed_spacing_mm(image)
        return [
            OpenedSeries(image.name, image.role, (flat_volume(read_grey(image.path, image.flips), spacing_mm),))
        ], []
    found = [one for study in read_studies(image.path, decoder=decoder) for one in study.series]
    wanted = [one for one in found if one.series_instance_uid == image.series_instance_uid] or found
    opened, notes = [], []
    for one in wanted:
        built = build_volumes(one, decoder)
        role = image.role or role_of(describe_series(one))
        opened.append(OpenedSeries(image.name, role, built.volumes))
        notes += [*map(str, built.refused), *(f"{skip.name} {skip.reason}" for skip in built.skipped)]
    return opened, notes


def role_of(description: SeriesDescription) -> Role | None:
    """The role that a series' own headers speak for, None for none."""
    weighting = "t2" if description.weighting == "stir" else description.weighting
    wanted = f"{description.plane}_{weighting}"
    return next((role for role in ROLES if role == wanted), None)


def open_mask(shape: Shape, decoder: Decoder) -> Volume:
    """The label volume of a mask, in the orientation of its file; voxels are the values of `shape.values`.

    Raises:
        UnreadableInput: no mask, or one that cannot be read.
    """
    if shape.mask is None:
        raise UnreadableInput(f"a {shape.kind} has no mask", "a shape of kind mask")
    kind = kind_of(shape.mask)
    if shape.mask.suffix == ".dcm":
        return read_segmentation(shape.mask)
    image = ImageRef(shape.mask.name, shape.mask, kind or "picture")
    if image.kind == "picture":
        return flat_volume(read_label_values(image.path), assumed_spacing_mm(image))
    (opened, *_), _notes = _open(image, decoder)
    return opened.volumes[0]

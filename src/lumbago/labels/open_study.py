"""The images of a labelled study as the pipeline takes them: series with headers, pixels when asked for."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lumbago.anatomy.conditions import Role
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.describe_series import describe_series
from lumbago.dicom.read_study import read_study
from lumbago.dicom.study import Series, SkippedFile, Study
from lumbago.errors import LumbagoError, UnreadableInput
from lumbago.labels.labelled_study import ImageKind, ImageRef, LabelledStudy

WITH_HEADERS: Final[tuple[ImageKind, ...]] = ("dicom", "nifti")
"""Kinds of images that the pipeline reads itself."""


def open_study(labelled: LabelledStudy, decoder: Decoder) -> Study:
    """The DICOM and NIfTI images of a labelled study as one study; an image that cannot be read is among its skipped.

    Where neither timing nor name of a series tells its weighting, the role that its label source states stands in for
    the name: files that were stripped of their headers, as those of RSNA 2024, often have nothing else.

    Raises:
        UnreadableInput: none of its images can be read.
    """
    series: dict[str, Series] = {}
    skipped: list[SkippedFile] = []
    for image in labelled.images:
        if image.kind in WITH_HEADERS:
            try:
                found, left_out = _read(image, decoder)
            except LumbagoError as error:
                skipped.append(SkippedFile(image.name, str(error), is_damage=True))
                continue
            series |= {one.series_instance_uid: one for one in found}
            skipped += left_out
    if not series:
        why = f" ({skipped[0].name}: {skipped[0].reason})" if skipped else ""
        raise UnreadableInput(f"no image of {labelled.name} can be read{why}", "DICOM series or NIfTI volumes")
    every = tuple(series.values())
    path = next(image.path for image in labelled.images if image.kind in WITH_HEADERS)
    return Study(path, labelled.name, every[0].first.study_instance_uid, every, tuple(skipped))


def _read(image: ImageRef, decoder: Decoder) -> tuple[list[Series], tuple[SkippedFile, ...]]:
    study = read_study(image.path, decoder=decoder)
    wanted = [one for one in study.series if one.series_instance_uid == image.series_instance_uid]
    return [*_named(wanted or study.series, image.role)], study.skipped


def _named(series: list[Series] | tuple[Series, ...], role: Role | None) -> Iterator[Series]:
    for one in series:
        if role is not None and describe_series(one).weighting == "unknown":
            name = role.replace("_", " ")
            yield replace(one, slices=tuple(replace(header, series_description=name) for header in one.slices))
        else:
            yield one

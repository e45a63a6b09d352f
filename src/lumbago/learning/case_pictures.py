"""The slice that a case was graded on, for the gallery of an evaluation: of a labelled picture, or of a study."""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from PIL import Image

from lumbago.anatomy.findings import Evidence, Point
from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.gallery import PictureOf
from lumbago.inference.weights import Model
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.open_images import open_images
from lumbago.labels.open_study import WITH_HEADERS, open_study
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.learning.score_studies import Predictions
from lumbago.pipeline.locate_discs import locate_discs
from lumbago.report.slice_view import Slice, crop_around, find_slice, view_slice

_MARGINS_MM: Final = (30.0, 40.0, 30.0, 40.0)
_HEIGHT_PX: Final = 240


def labelled_pictures(model_of: Callable[[str], Model], rows: Iterable[LabelledSlice]) -> PictureOf:
    """The graded disc and its surroundings on a labelled picture, the disc found anew; None when it was not found."""
    named = {(row.patient, row.study or row.name, row.name): row for row in rows}

    def picture(case: GradedCase) -> Image.Image | None:
        row = named.get((case.patient, case.study, case.slice_name))
        if row is None:
            return None
        location = locate_discs(model_of(row.patient), picture_volume(row))
        disc = location.disc(case.level)
        return None if disc is None else _around(Slice(location.volume, disc.slice_index), disc.center_lps_mm)

    return picture


def study_pictures(predictions: Predictions, decoder: Decoder) -> PictureOf:
    """The slice of a labelled study on which a case was seen; None when nobody says where."""

    def picture(case: GradedCase) -> Image.Image | None:
        evidence = predictions.evidence.get((case.study, case.condition, case.level, case.side))
        study = predictions.studies.get(case.study)
        shown = _slice(study, evidence, decoder) if evidence is not None and study is not None else None
        return _around(shown, np.array(evidence.point_lps_mm)) if evidence is not None and shown else None

    return picture


def _slice(study: LabelledStudy, evidence: Evidence, decoder: Decoder) -> Slice | None:
    if not any(image.kind in WITH_HEADERS for image in study.images):
        return find_slice({evidence.role: open_images(study, decoder).by_role(evidence.role)}, evidence)
    canonical = canonical_axial if evidence.role == "axial_t2" else canonical_sagittal
    volumes = [
        canonical(volume)
        for series in open_study(study, decoder).series
        if series.series_instance_uid == evidence.series_instance_uid
        for volume in build_volumes(series, decoder).volumes
    ]
    return find_slice({evidence.role: volumes}, evidence)


def _around(shown: Slice, point_lps_mm: np.ndarray) -> Image.Image:
    x, y, z = (float(value) for value in point_lps_mm)
    points: tuple[Point, ...] = ((x, y, z),)
    return view_slice(shown, crop_around(shown, points, _MARGINS_MM), _HEIGHT_PX).image

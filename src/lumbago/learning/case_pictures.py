"""The slice that a case was graded on, for the gallery of an evaluation: out of a label source, or of phantoms."""

from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from lumbago.anatomy.findings import Evidence, Point, StudyFindings
from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.patient_geometry import canonical_axial, canonical_sagittal
from lumbago.dicom.read_study import read_study
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.gallery import PictureOf
from lumbago.inference.weights import Model
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.pipeline.locate_discs import locate_discs
from lumbago.report.slice_view import Slice, crop_around, find_slice, view_slice

_MARGINS_MM: Final = (30.0, 40.0, 30.0, 40.0)
_HEIGHT_PX: Final = 240


def labelled_pictures(model_of: Callable[[str], Model], rows: Iterable[LabelledSlice]) -> PictureOf:
    """The graded disc and its surroundings on a labelled picture, the disc found anew; None when it was not found."""
    named = {row.name: row for row in rows}

    def picture(case: GradedCase) -> Image.Image | None:
        row = named.get(case.study)
        if row is None:
            return None
        location = locate_discs(model_of(row.patient), picture_volume(row))
        disc = location.disc(case.level)
        return None if disc is None else _around(Slice(location.volume, disc.slice_index), disc.center_lps_mm)

    return picture


def phantom_pictures(folder: Path, decoder: Decoder) -> PictureOf:
    """The slice of a phantom study (`<name>/dicom`, `<name>/truth.json`) that its truth points to."""

    @cache
    def truth_of(name: str) -> StudyFindings:
        return StudyFindings.from_json((folder / name / "truth.json").read_text(encoding="utf8"))

    def picture(case: GradedCase) -> Image.Image | None:
        wanted = truth_of(case.study).find(case.condition, case.level, case.side)
        evidence = wanted.evidence if wanted else None
        shown = _slice(folder / case.study / "dicom", evidence, decoder) if evidence else None
        return _around(shown, np.array(evidence.point_lps_mm)) if evidence and shown else None

    return picture


def _slice(study: Path, evidence: Evidence, decoder: Decoder) -> Slice | None:
    canonical = canonical_axial if evidence.role == "axial_t2" else canonical_sagittal
    volumes = [
        canonical(volume)
        for series in read_study(study, decoder=decoder).series
        if series.series_instance_uid == evidence.series_instance_uid
        for volume in build_volumes(series, decoder).volumes
    ]
    return find_slice({evidence.role: volumes}, evidence)


def _around(shown: Slice, point_lps_mm: np.ndarray) -> Image.Image:
    x, y, z = (float(value) for value in point_lps_mm)
    points: tuple[Point, ...] = ((x, y, z),)
    return view_slice(shown, crop_around(shown, points, _MARGINS_MM), _HEIGHT_PX).image

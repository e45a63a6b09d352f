"""Label masks in two sibling folders, `truth` and `found`, under the same names."""

from itertools import product
from pathlib import Path

import numpy as np

from lumbago.dicom.decoder import Decoder
from lumbago.dicom.volume import Volume
from lumbago.errors import UnreadableInput
from lumbago.evaluation.score_places import MaskPair
from lumbago.labels.labelled_study import Shape, kind_of
from lumbago.labels.open_images import open_mask


def read_mask_pairs(folder: Path, decoder: Decoder) -> list[MaskPair]:
    """The masks of `folder/truth`, each with its namesake in `folder/found`: NIfTI, MetaImage, pictures or DICOM SEG.

    A mask's patient is the part of its name before the first `_`, `-` or dot.

    Raises:
        UnreadableInput: no mask, one without its namesake, one that cannot be read, or two that are not on one grid.
    """
    truths = sorted(path for path in (folder / "truth").glob("*") if _is_mask(path))
    if not truths:
        raise UnreadableInput(
            f"no masks in {folder / 'truth'}", "NIfTI, .mha, .png or .dcm there, and their namesakes in found/"
        )
    return [_pair(path, folder / "found" / path.name, decoder) for path in truths]


def _is_mask(path: Path) -> bool:
    return path.suffix == ".dcm" or kind_of(path) is not None


def _pair(truth: Path, found: Path, decoder: Decoder) -> MaskPair:
    if not found.is_file():
        raise UnreadableInput(f"no {found.name} in {found.parent}", "a mask for every one in truth")
    patient = truth.name.split(".")[0].replace("-", "_").split("_")[0]
    one, other = (open_mask(Shape("mask", mask=path), decoder) for path in (truth, found))
    is_stated = not (one.geometry_is_assumed or other.geometry_is_assumed)
    if is_stated and one.array.shape == other.array.shape and _apart_mm(one, other) > min(one.spacing_mm) / 2:
        raise UnreadableInput(
            f"the masks {truth.name} in truth and found have voxels {_apart_mm(one, other):.3g} mm apart",
            "the same grid in the patient", "resample one of them, or correct its header",
        )  # fmt: skip
    return MaskPair(patient, truth.name, _labels(one), _labels(other))


def _apart_mm(one: Volume, other: Volume) -> float:
    """The largest distance between two voxels of one index; largest at a corner."""
    ends = np.array(list(product(*((0.0, float(size - 1)) for size in one.array.shape))))
    return float(np.linalg.norm(one.to_lps_mm(ends) - other.to_lps_mm(ends), axis=1).max())


def _labels(volume: Volume) -> np.ndarray:
    return np.asarray(np.rint(volume.array), np.int32)

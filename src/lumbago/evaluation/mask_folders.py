"""Label masks in two sibling folders, `truth` and `found`, under the same names."""

from pathlib import Path

import numpy as np

from lumbago.dicom.decoder import Decoder
from lumbago.errors import UnreadableInput
from lumbago.evaluation.score_places import MaskPair
from lumbago.labels.labelled_study import Shape, kind_of
from lumbago.labels.open_images import open_mask


def read_mask_pairs(folder: Path, decoder: Decoder) -> list[MaskPair]:
    """The masks of `folder/truth`, each with its namesake in `folder/found`: NIfTI, MetaImage, pictures or DICOM SEG.

    A mask's patient is the part of its name before the first `_`, `-` or dot.

    Raises:
        UnreadableInput: no mask, one without its namesake, one that cannot be read, or two of other sizes.
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
    return MaskPair(patient, truth.name, _labels(truth, decoder), _labels(found, decoder))


def _labels(path: Path, decoder: Decoder) -> np.ndarray:
    return np.asarray(np.rint(open_mask(Shape("mask", mask=path), decoder).array), np.int32)

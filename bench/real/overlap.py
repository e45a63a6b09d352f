"""How well the tissues that the locator draws overlap with masks, on T2-SPACE slices of patients it has not seen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from real.answers import DRAWN
from real.page import Page, Sample
from scipy import ndimage

from lumbago.evaluation.score_places import MaskPair, PlaceScore, score_masks
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning.locator_targets import ONE, locator_sample
from lumbago.pipeline.locate_discs import CHANNELS

BODY, WITH_ARCH = "vertebral body", "vertebra with its arch"
SPINEPS = {"disc": "0.97", BODY: "", WITH_ARCH: "0.92", "canal": "0.96"}
"""Dice that SPINEPS (Möller et al. 2024) reports on its own data."""
MIDDLE = 3


@dataclass(frozen=True, eq=False)
class Drawn:
    """A reader's mask and the locator's on one picture; `body` is the reader's without what lies behind the bodies."""

    row: LabelledSlice
    truth: np.ndarray
    body: np.ndarray
    found: np.ndarray

    @classmethod
    def of(cls, row: LabelledSlice, folder: Path) -> "Drawn":
        assert row.mask is not None
        truth, found = (_grey(path) for path in (row.mask, folder / row.image.name))
        return cls(row, truth, np.where(_is_arch(row, truth), 0, truth), found)

    @property
    def canal_pixels(self) -> int:
        return int((self.truth == DRAWN["canal"]).sum())

    @property
    def number(self) -> int:
        """Of the slice in its series."""
        return int(self.row.name.rpartition("slice")[2])


def _grey(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"))


def _is_arch(row: LabelledSlice, truth: np.ndarray) -> np.ndarray:
    """What the mask calls vertebra and the locator is not to draw: all that is more than a pixel of its grid away from
    the bodies of its targets, which end 3 mm behind the line of the discs."""
    sample = locator_sample(row)
    assert sample is not None
    body = ndimage.binary_dilation(sample.targets[CHANNELS.index("vertebra")] == ONE)
    size = truth.shape[1], truth.shape[0]
    near = np.asarray(Image.fromarray(body.astype(np.uint8)).resize(size, Image.Resampling.NEAREST), bool)
    return np.asarray((truth == DRAWN["vertebra"]) & ~near)


def middle_slices(drawn: Sequence[Drawn], count: int = MIDDLE) -> list[Drawn]:
    """Of one patient, the slices nearest to the middle of the canal that the reader drew."""
    middle = np.average([one.number for one in drawn], weights=[one.canal_pixels for one in drawn])
    return sorted(drawn, key=lambda one: abs(one.number - middle))[:count]


def tell_overlap(page: Page, rows: Sequence[LabelledSlice], folder: Path) -> None:
    page.say("## Overlap with masks on `spider_space`, sagittal T2-SPACE")
    page.say(
        "Dice of each patient's slices together, mean over patients, on the pixels of the pictures (about 0.5 mm). "
        "The locator draws on pixels of 1 mm. A mask's vertebra has its arch, which the locator is not to draw: "
        f"*{BODY}* leaves out what lies behind the bodies, by the rule that the locator learned by; *{WITH_ARCH}* has "
        f"it all. Middle slices: the {MIDDLE} nearest to the middle of the canal in "
        "the masks. SPINEPS: whole volumes of its own data, other patients, to stand beside."
    )
    drawn: dict[str, list[Drawn]] = {}
    for row in rows:
        drawn.setdefault(row.patient, []).append(Drawn.of(row, folder))
    lines = []
    for slices, patients in (
        (f"{MIDDLE} in the middle", [middle_slices(slices) for slices in drawn.values()]),
        ("all", list(drawn.values())),
    ):
        count = sum(map(len, patients))
        for tissue, dice in overlaps(patients):
            told = page.put(
                Sample("overlap", "spider_space", slices, count, dice.patients), f"Dice of {tissue}", dice.score
            )
            lines.append([f"{slices}, {count} of {dice.patients} patients", tissue, told, SPINEPS[tissue]])
    page.show(["slices", "tissue", "Dice", "SPINEPS, own data"], lines)


def overlaps(patients: Iterable[Sequence[Drawn]]) -> Iterator[tuple[str, PlaceScore]]:
    """Of each tissue; of vertebrae by both ways."""
    names = {str(grey): name for name, grey in DRAWN.items()}
    patients = list(patients)
    for score in score_masks("spider_space", [mask_pair(slices, "body") for slices in patients]):
        yield BODY if names[score.label] == "vertebra" else names[score.label], score
    for score in score_masks("spider_space", [mask_pair(slices, "truth") for slices in patients]):
        if names[score.label] == "vertebra":
            yield WITH_ARCH, score


def mask_pair(slices: Sequence[Drawn], truth: str) -> MaskPair:
    """The slices of a patient taken together."""
    stacks = (np.stack([getattr(one, name) for one in slices]) for name in (truth, "found"))
    return MaskPair(slices[0].row.patient, slices[0].row.patient, *stacks)

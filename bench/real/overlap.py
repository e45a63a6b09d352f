"""How well the tissues that the locator draws overlap with masks, on T2-SPACE slices of patients it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from real.answers import DRAWN, OUTLINED
from real.page import Page, Sample
from real.sheets import TRUE, Tile, Window, write_sheet
from scipy import ndimage

from lumbago.evaluation.intervals import Score, over_patients
from lumbago.evaluation.score_places import MaskPair, score_masks
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.learning.locator_targets import ONE, locator_sample
from lumbago.pipeline.locate_discs import CHANNELS

BODY, WITH_ARCH, SHOWN_DISC = "vertebral body", "vertebra with its arch", "disc, as an analysis outlines it"
SPINEPS = {"disc": "0.97", SHOWN_DISC: "", BODY: "", WITH_ARCH: "0.92", "canal": "0.96"}
"""Dice that SPINEPS (Möller et al. 2024) reports on its own data."""
DRAWN_NAMES = {str(grey): tissue for tissue, grey in DRAWN.items()}
MIDDLE, SHOWN = 3, 8


@dataclass(frozen=True, eq=False)
class Drawn:
    """A reader's mask and the locator's on one picture; `body` is the reader's without what lies behind the bodies,
    `outlined` the discs as an analysis outlines them."""

    row: LabelledSlice
    truth: np.ndarray
    body: np.ndarray
    found: np.ndarray
    outlined: np.ndarray

    @classmethod
    def of(cls, row: LabelledSlice, folder: Path) -> "Drawn":
        assert row.mask is not None
        paths = row.mask, folder / row.image.name, folder / OUTLINED / row.image.name
        truth, found, outlined = map(_grey, paths)
        return cls(row, truth, np.where(_is_arch(row, truth), 0, truth), found, outlined)

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
        "Dice of each patient's slices together, mean over patients, on the pixels of the pictures (about 0.5 mm), and "
        "the area that the locator draws as a share of the mask's. The locator draws on pixels of 1 mm, discs from "
        "body to body; an analysis outlines them without endplates, lower by a share chosen on these masks. A mask's "
        f"vertebra has its arch, which the locator is not to draw: *{BODY}* leaves out what lies behind the bodies, by "
        f"the rule that the locator learned by; *{WITH_ARCH}* has it all. Middle slices: the {MIDDLE} nearest to the "
        "middle of the canal in the masks. SPINEPS: whole volumes of its own data, other patients, to stand beside."
    )
    drawn: dict[str, list[Drawn]] = {}
    for row in rows:
        drawn.setdefault(row.patient, []).append(Drawn.of(row, folder))
    middle = [middle_slices(slices) for slices in drawn.values()]
    lines = []
    for slices, patients in ((f"{MIDDLE} in the middle", middle), ("all", list(drawn.values()))):
        sample = Sample("overlap", "spider_space", slices, sum(map(len, patients)), len(patients))
        for tissue, (dice, area) in overlaps(patients).items():
            told = [page.put(sample, f"Dice of {tissue}", dice), page.put(sample, f"area of {tissue}, share", area)]
            lines.append([f"{slices}, {sample.places} of {sample.patients} patients", tissue, *told, SPINEPS[tissue]])
    page.show(["slices", "tissue", "Dice", "area, share of the mask's", "Dice of SPINEPS, own data"], lines)
    tiles = [disc_tile(slices[0]) for slices in middle[:: max(1, len(middle) // SHOWN)][:SHOWN]]
    write_sheet(tiles, SHOWN // 2, page.out / "disc-overlap.png")
    page.say("Discs: shared green, in the mask alone blue, drawn alone red.\n\n![overlap](disc-overlap.png)")


def overlaps(patients: Sequence[Sequence[Drawn]]) -> dict[str, tuple[Score, Score]]:
    """Of each tissue, of vertebrae and discs by both ways: Dice, and the area drawn as a share of the mask's."""
    found = {}
    ways = (
        ("body", "found", {**DRAWN_NAMES, "76": BODY}),
        ("truth", "found", {"76": WITH_ARCH}),
        ("truth", "outlined", {"29": SHOWN_DISC}),
    )
    for truth, drawn, names in ways:
        pairs = [mask_pair(slices, truth, drawn) for slices in patients]
        for row in score_masks("spider_space", pairs):
            if row.label in names:
                found[names[row.label]] = row.score, area_share(pairs, int(row.label))
    return found


def mask_pair(slices: Sequence[Drawn], truth: str, drawn: str) -> MaskPair:
    """The slices of a patient taken together."""
    stacks = (np.stack([getattr(one, name) for one in slices]) for name in (truth, drawn))
    return MaskPair(slices[0].row.patient, slices[0].row.patient, *stacks)


def area_share(pairs: Sequence[MaskPair], grey: int) -> Score:
    """Mean over patients."""
    shares = np.array([(pair.found == grey).sum() / (pair.truth == grey).sum() for pair in pairs])
    return over_patients(lambda rows: float(shares[rows].mean()), np.array([pair.patient for pair in pairs]))


def disc_tile(drawn: Drawn) -> Tile:
    """The spine on a slice, with its discs in colour."""
    truth, found = (mask == DRAWN["disc"] for mask in (drawn.truth, drawn.found))
    rows, columns = np.nonzero(truth)
    high = np.ptp(rows) + 60.0
    window = Window.about((float(rows.mean()), float(columns.mean())), (high, high / 2), 520)
    tile = Tile(drawn.row, window, [drawn.row.name.partition(":")[2]])
    for mask, colour in ((truth & found, "#00A000"), (truth & ~found, TRUE), (found & ~truth, "#E00000")):
        tile.shade(mask, colour)
    return tile

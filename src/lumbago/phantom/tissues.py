"""What a point of the phantom is: its tissue, and the structure it belongs to."""

from enum import IntEnum
from typing import Final

import numpy as np
from jaxtyping import UInt8

from lumbago.phantom.anatomy_tables import SEGMENTS, VERTEBRAE


class Tissue(IntEnum):
    """Kinds of tissue that differ in signal; `AIR` is outside of the body."""

    AIR = 0
    SUBCUTANEOUS_FAT = 1
    MUSCLE = 2
    FASCIA = 3
    VISCERAL_FAT = 4
    ORGAN = 5
    BOWEL = 6
    GAS = 7
    ARTERY = 8
    VEIN = 9
    KIDNEY = 10
    CORTEX = 11
    MARROW = 12
    ENDPLATE = 13
    DISC = 14
    OUTER_ANNULUS = 15
    HIGH_INTENSITY_ZONE = 16
    VACUUM = 17
    LIGAMENT = 18
    FLAVUM = 19
    EPIDURAL_FAT = 20
    CSF = 21
    CORD = 22
    ROOT = 23
    FACET_FLUID = 24
    MODIC_1 = 25
    MODIC_2 = 26
    MODIC_3 = 27
    FAT_STREAK = 28
    SKIN = 29
    EPIDURAL_VEIN = 30
    CARTILAGE = 31


FIRST_BODY: Final = 1
FIRST_ARCH: Final = 31
FIRST_DISC: Final = 61
SAC: Final = 100
CANAL: Final = 101
FORAMEN: Final = 102
EXITING_LEFT, EXITING_RIGHT = 103, 104
TRAVERSING_LEFT, TRAVERSING_RIGHT = 105, 106
FLAVUM_PART: Final = 107
"""Codes of structures: bodies, arches and discs count down from the topmost; sides are those of the spec's own frame.
"""

LABELS: Final[tuple[str, ...]] = (
    "background", "T11", "T12", "L1", "L2", "L3", "L4", "L5", "S1", "sacrum", "other vertebra",
    "T11/T12", "T12/L1", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1", "other disc", "sacral disc", "canal", "arch",
)  # fmt: skip
"""Names of the classes of `training_labels`, by number; `canal` is the dural sac and the fat around it."""

VERTEBRA_LABELS: Final = (*(name for name in LABELS if name[0] in "LT" and "/" not in name), "other vertebra")
"""Classes of bodies above the sacrum."""

DISC_LABELS: Final = (*(name for name in LABELS if "/" in name), "other disc")
"""Classes of discs, without those within the sacrum."""


def _class_table() -> UInt8[np.ndarray, "256"]:
    table = np.zeros(256, np.uint8)
    for index, vertebra in enumerate(VERTEBRAE):
        other = "sacrum" if vertebra.name.startswith("S") else "other vertebra"
        table[FIRST_BODY + index] = LABELS.index(vertebra.name if vertebra.name in LABELS else other)
        table[FIRST_ARCH + index] = LABELS.index("arch")
    for index, segment in enumerate(SEGMENTS):
        other = "sacral disc" if segment.name.startswith("S") else "other disc"
        table[FIRST_DISC + index] = LABELS.index(segment.name if segment.name in LABELS else other)
    table[[SAC, CANAL]] = LABELS.index("canal")
    return table


_CLASSES: Final = _class_table()


def training_labels(part: UInt8[np.ndarray, "*grid"]) -> UInt8[np.ndarray, "*grid"]:
    """Classes of `LABELS` for the codes of structures."""
    classes: UInt8[np.ndarray, "*grid"] = _CLASSES[part]
    return classes

"""Drawing the soft tissue around the spine: fat, muscles, vessels, and blobs that stand for kidneys, bowel and pelvic
organs."""

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from lumbago.phantom.spine_spec import TrunkSpec
from lumbago.phantom.tissues import Tissue

Blob = tuple[float, float, float, float, float, float, int]


def draw_trunk(rng: Generator, age: float, sex: str) -> TrunkSpec:
    """Soft tissue of a person; obesity joins the thickness of all fat, age the fat in the muscles."""
    obesity = float(rng.normal(0, 1))
    woman = sex == "F"
    fat = 23 * np.exp(0.45 * obesity) * (1.25 if woman else 1.0)
    streaks = 0.12 + 0.05 * woman + 0.004 * max(age - 35, 0) + 0.02 * obesity + rng.normal(0, 0.05)
    return TrunkSpec(
        half_width=float(158 + 16 * obesity + rng.normal(0, 8)),
        front=float(max(132 + 28 * obesity + rng.normal(0, 12), 85)),
        fat_upper=float(np.clip(0.5 * fat * rng.uniform(0.8, 1.3), 3, 40)),
        fat_lower=float(np.clip(fat * rng.uniform(0.8, 1.4), 6, 70)),
        muscle_scale=float(np.exp(rng.normal(-0.05 if woman else 0.05, 0.08) - 0.002 * (age - 50))),
        psoas_scale=float(np.exp(rng.normal(-0.14 if woman else 0.08, 0.1) - 0.003 * (age - 50))),
        muscle_fat=float(np.clip(streaks, 0.03, 0.6)),
        psoas_fat=float(np.clip(0.03 + rng.normal(0, 0.02), 0.0, 0.1)),
        aorta_radius=float(rng.uniform(7.5, 10.5)),
        cava_radius=float(rng.uniform(8.0, 12.5)),
        bifurcation=float(rng.normal(-34, 9)),
        iliac_up=float(rng.normal(-42, 7)),
        blobs=(*_kidneys(rng), *_bowel(rng), *_pelvis(rng)),
    )


def _blob(place: tuple[float, float, float], radii: tuple[float, float, float], kind: int) -> Blob:
    x, behind, up = (float(value) for value in place)
    first, second, third = (float(value) for value in radii)
    return x, behind, up, first, second, third, kind


def _kidneys(rng: Generator) -> Iterator[Blob]:
    for side, up in ((1, 58), (-1, 45)):
        place = (side * rng.uniform(62, 78), rng.uniform(-28, -12), up + rng.normal(0, 9))
        yield _blob(place, (rng.uniform(24, 30), rng.uniform(22, 28), rng.uniform(48, 58)), Tissue.KIDNEY)


def _bowel(rng: Generator) -> Iterator[Blob]:
    """Loops and lobes in front of the spine and beside it."""
    for _ in range(int(rng.integers(22, 36))):
        x, up = rng.uniform(-120, 120), rng.uniform(-110, 140)
        reach = 62 + 0.25 * abs(up) if abs(x) < 45 else rng.uniform(25, 60)
        behind = -rng.uniform(reach, reach + 70)
        radii = rng.uniform(8, 26), rng.uniform(8, 26), rng.uniform(8, 26) * rng.uniform(1, 1.8)
        kind = int(rng.choice((Tissue.BOWEL, Tissue.ORGAN, Tissue.GAS), p=(0.5, 0.4, 0.1)))
        yield _blob((x, behind, up), radii, kind)


def _pelvis(rng: Generator) -> Iterator[Blob]:
    """Rectum, bladder and neighbours in front of the sacrum; the liver high on the right."""
    for _ in range(5):
        place = rng.normal(0, 12), rng.uniform(-70, 0), rng.uniform(-175, -115)
        radii = rng.uniform(7, 22), rng.uniform(7, 22), rng.uniform(7, 22)
        kind = int(rng.choice((Tissue.BOWEL, Tissue.ORGAN, Tissue.GAS, Tissue.MUSCLE), p=(0.3, 0.3, 0.1, 0.3)))
        yield _blob(place, radii, kind)
    yield _blob((-85.0, -60.0, 125.0), (60.0, 45.0, rng.uniform(50, 75)), Tissue.ORGAN)

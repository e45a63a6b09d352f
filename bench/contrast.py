"""Do tissues of phantoms relate to each other as those of patients do? `python bench/contrast.py DATA --phantoms 30`.

DATA holds SPIDER's mid-sagittal slices (van der Graaf 2024): `spider/sagittal/<series>.png`, `series.csv`,
`disc_boxes.csv`. Two tables, for T1 and T2, each figure relative to the marrow beside it, so that coil and scaling drop
out: the middle of the discs L2/L3 to L4/L5 by Pfirrmann grade, and a line through the middle of L3 from the belly to
the skin. Median, and quartiles over patients. The slices come with about 5 % of their pixels saturated; phantoms
are cut off at the same percentile.
"""

import argparse
import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.levels import LEVELS
from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.scan_spine import scan_slices

ROLES: dict[str, Role] = {"t1": "sagittal_t1", "t2": "sagittal_t2"}
LINE_MM = np.arange(-60, 101, 8.0)
SATURATED_FROM = 95


@dataclass(frozen=True)
class Slice:
    """A sagittal slice in mm: discs by number from the sacrum up, each (place, Pfirrmann grade or None)."""

    image: np.ndarray
    pixel_mm: float
    discs: dict[int, tuple[np.ndarray, int | None]]

    def mean_of(self, center: np.ndarray, up: np.ndarray, half_mm: tuple[float, float]) -> float:
        """Median grey of a rectangle about a place, `half_mm` (up, across)."""
        heights, widths = (np.linspace(-half, half, 9) for half in half_mm)
        return float(np.median(self.along(center, up, heights, widths)))

    def along(self, center: np.ndarray, up: np.ndarray, heights: np.ndarray, widths: np.ndarray) -> np.ndarray:
        """Grey at places (up, backward) of a centre."""
        back = np.array([-up[1], up[0]]) * (1 if up[0] > 0 else -1)
        places = center + heights[:, None, None] * up + widths[None, :, None] * back
        return ndimage.map_coordinates(self.image, np.moveaxis(places, -1, 0) / self.pixel_mm, order=1)


def patients(data: Path, weighting: str) -> Iterator[Slice]:
    """SPIDER's slices with boxes."""
    with (data / "series.csv").open(newline="") as lines:
        numbers = {row["series"]: re.findall(r"[\d.]+", row["PixelSpacing"]) for row in csv.DictReader(lines)}
    boxes: dict[str, dict[int, tuple[np.ndarray, int | None]]] = defaultdict(dict)
    with (data / "disc_boxes.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            if numbers[row["series"]] and row["series"].endswith(weighting):
                center = np.array([float(row["y0"]) + float(row["y1"]), float(row["x0"]) + float(row["x1"])]) / 2
                grade = int(float(row["pfirrmann"])) if row["pfirrmann"] else None
                place = center * float(numbers[row["series"]][0])
                boxes[row["series"]][int(row["disc_from_bottom"])] = place, grade
    for series, discs in boxes.items():
        image = np.asarray(Image.open(data / "sagittal" / f"{series}.png").convert("L"), np.float64)
        yield Slice(image, float(numbers[series][0]), discs)


def phantoms(weighting: str, first_seed: int, count: int) -> Iterator[Slice]:
    """The slice through the middle of each phantom's spine."""
    for seed in range(first_seed, first_seed + count):
        study = phantom_study(seed)
        scan = study.scans[ROLES[weighting]]
        if scan.contrast.weighting.lower() != weighting:
            continue
        group = scan.groups[0]
        index = group.offset_to(np.array(study.landmarks.disc("L3/L4").center_lps_mm))
        image = scan_slices(study.spine, scan, 0, [index]).volume.array[0].astype(np.float64)
        middle = np.array(group.center_lps_mm) + index * group.spacing * np.array(group.normal)
        axes = np.array([group.down, group.along])
        discs: dict[int, tuple[np.ndarray, int | None]] = {
            len(LEVELS) - place: (
                axes @ (np.array(study.landmarks.disc(level).center_lps_mm) - middle)
                + (scan.rows - 1) / 2 * scan.pixel_mm,
                study.spine.segment(level).disc.pfirrmann,
            )
            for place, level in enumerate(LEVELS)
        }
        yield Slice(np.minimum(image, np.percentile(image, SATURATED_FROM)), scan.pixel_mm, discs)


def disc_ratios(slices: list[Slice]) -> dict[int, list[float]]:
    """Middle of the disc over the marrow above and below it, by grade."""
    found: dict[int, list[float]] = defaultdict(list)
    for one in slices:
        for number in {2, 3, 4} & set(one.discs):
            (center, grade), around = one.discs[number], [one.discs.get(number + step) for step in (1, -1)]
            if grade and around[0] and around[1]:
                up = (around[0][0] - center) / np.linalg.norm(around[0][0] - center)
                marrow = [one.mean_of((center + other[0]) / 2, up, (6, 6)) for other in around if other]
                found[grade].append(one.mean_of(center, up, (2, 6)) / float(np.mean(marrow)))
    return dict(sorted(found.items()))


def lines(slices: list[Slice]) -> np.ndarray:
    """Grey along `LINE_MM` backward from the middle of L3, relative to its marrow, (slices, places)."""
    found = []
    for one in slices:
        if {3, 4} <= set(one.discs):
            low, high = one.discs[3][0], one.discs[4][0]
            if 28 < np.linalg.norm(high - low) < 42:
                up = (high - low) / np.linalg.norm(high - low)
                grey = np.median(one.along((low + high) / 2, up, np.arange(-6, 6.1, 1.5), LINE_MM), axis=0)
                found.append(grey / one.mean_of((low + high) / 2, up, (6, 8)))
    return np.array(found)


def quartiles(values: np.ndarray | list[float]) -> str:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:5.2f} [{low:.2f}, {high:.2f}]"


def main() -> None:
    """Prints both tables for both weightings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--phantoms", type=int, default=30)
    parser.add_argument("--seed", type=int, default=900_000, help="the first phantom's seed")
    arguments = parser.parse_args()
    for weighting in ROLES:
        sets = (
            list(patients(arguments.data / "spider", weighting)),
            list(phantoms(weighting, arguments.seed, arguments.phantoms)),
        )
        print(f"\n{weighting}: disc over marrow      patients            phantoms")
        of_patients, of_phantoms = map(disc_ratios, sets)
        for grade in set(of_patients) & set(of_phantoms):
            print(f"Pfirrmann {grade}           {quartiles(of_patients[grade])}  {quartiles(of_phantoms[grade])}")
        print("mm behind L3's middle")
        for place, *pair in zip(LINE_MM, *(part.T for part in map(lines, sets)), strict=True):
            print(f"{place:21.0f} {quartiles(pair[0])}  {quartiles(pair[1])}")


if __name__ == "__main__":
    main()

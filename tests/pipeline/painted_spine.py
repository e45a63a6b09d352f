"""A painted spine: tissues are grey values in patient space, and a locator that reads the greys back.

It stands in for images and for a trained network where a test is about what the pipeline makes of what is seen: the
truth of every place is known to a fraction of a millimetre.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from scipy import ndimage

from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.study import SliceHeader, SourceFile
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Card, Model
from lumbago.pipeline.locate_discs import CHANNELS

TISSUES: Final = ("background", "disc", "lumbosacral", "sacrum", "vertebra", "foramen", "canal", "recess", "fat")
T2: Final = (0.12, 0.25, 0.30, 0.40, 0.55, 0.68, 0.82, 0.92, 1.0)
T1: Final = (0.05, 0.25, 0.30, 0.82, 0.55, 0.68, 0.36, 0.92, 1.0)
"""Grey of each tissue. The corner of a picture is background, which tells the two apart."""

DEPTH_MM, HEIGHT_MM, CANAL_MM = 34.0, 9.0, 14.0
_BEHIND_MM = DEPTH_MM / 2 + 3 + CANAL_MM / 2


@dataclass(frozen=True)
class Disc:
    """A box-shaped disc; `tilt` degrees lift its back edge towards the head."""

    level: str
    center: tuple[float, float, float]
    tilt: float = 0.0

    @property
    def back(self) -> np.ndarray:
        angle = np.radians(self.tilt)
        return np.array([0.0, np.cos(angle), np.sin(angle)])

    @property
    def down(self) -> np.ndarray:
        angle = np.radians(self.tilt)
        return np.array([0.0, np.sin(angle), -np.cos(angle)])


DISCS: Final = tuple(
    Disc(level, (3.0, y, z), tilt)
    for level, y, z, tilt in zip(
        LEVELS, (6.0, 1.0, -2.0, 0.0, 7.0), (70.0, 35.0, 0.0, -35.0, -70.0), (-8.0, -3.0, 0.0, 6.0, 22.0), strict=True
    )
)
"""L1/L2 to L5/S1 with a lordosis; the middle of the patient lies at x = 3."""


@dataclass(frozen=True)
class Spine:
    """What is painted. `foramen_mm` is (outward from the canal's middle, back, down) from the disc's centre."""

    discs: tuple[Disc, ...] = DISCS
    foramen_mm: tuple[float, float, float] = (14.5, 21.0, -6.0)
    recess_mm: tuple[float, float] = (10.0, 1.5)
    sides: tuple[float, ...] = (1.0, -1.0)
    has_sacrum: bool = True

    def axis(self, z: np.ndarray) -> np.ndarray:
        """y of the middle of the bodies."""
        heights, depths = zip(*sorted((disc.center[2], disc.center[1]) for disc in self.discs), strict=True)
        return np.interp(z, heights, depths)

    def canal(self, disc: Disc) -> np.ndarray:
        """Where the line through the disc meets the middle of the canal."""
        along = np.arange(0.0, 60.0, 0.05)[:, None] * disc.back + np.array(disc.center)
        inside = along[self.label(along) == TISSUES.index("canal")]
        return np.asarray(inside.mean(0))

    def foramen(self, disc: Disc, side: float) -> np.ndarray:
        outward, back, down = self.foramen_mm
        return np.array(disc.center) + (side * outward, 0, 0) + back * disc.back + down * disc.down

    def recess(self, disc: Disc, side: float) -> np.ndarray:
        return self.canal(disc) + np.array([side * self.recess_mm[0], -self.recess_mm[1], 0.0])

    def label(self, points: np.ndarray) -> np.ndarray:
        """Tissue at patient points, but for foramina and recesses."""
        x, y, z = np.moveaxis(points, -1, 0)
        x = x - self.discs[0].center[0]
        tissue = np.zeros(x.shape, np.int64)
        lowest, highest = self.discs[-1], self.discs[0]
        axis = self.axis(z)
        column = (np.abs(x) < 24) & (np.abs(y - axis) < DEPTH_MM / 2)
        tissue[column & (z < highest.center[2] + 25) & (z > lowest.center[2])] = TISSUES.index("vertebra")
        along, across = self._in_disc(points, lowest)
        if self.has_sacrum:
            tissue[(np.abs(x) < 24) & (np.abs(along) < 16) & (across > 0) & (across < 32)] = TISSUES.index("sacrum")
        in_canal = (np.abs(x) < 6) & (np.abs(y - axis - _BEHIND_MM) < CANAL_MM / 2) & (z > lowest.center[2] - 25)
        tissue[in_canal] = TISSUES.index("canal")
        for disc in self.discs:
            along, across = self._in_disc(points, disc)
            box = (np.abs(x) < 24) & (np.abs(along) < DEPTH_MM / 2) & (np.abs(across) < HEIGHT_MM / 2)
            tissue[box] = TISSUES.index("lumbosacral" if disc.level == "L5/S1" else "disc")
        tissue[y > 75] = TISSUES.index("fat")
        return tissue

    def paint(self, points: np.ndarray, kind: str) -> np.ndarray:
        """Tissue at patient points, with balls for the `kind` of points that are seen on such a slice."""
        tissue = self.label(points)
        places = {"foramen": self.foramen, "recess": self.recess}
        for name in (kind,) if kind else ():
            for disc in self.discs:
                for side in self.sides:
                    near = np.linalg.norm(points - places[name](disc, side), axis=-1) < 4.0
                    tissue[near] = TISSUES.index(name)
        return tissue

    @staticmethod
    def _in_disc(points: np.ndarray, disc: Disc) -> tuple[np.ndarray, np.ndarray]:
        offset = points - np.array(disc.center)
        return offset @ disc.back, offset @ disc.down


def make_header(series: str, index: int, **fields: Any) -> SliceHeader:
    """A header that says nothing but what is given."""
    texts = {name: "" for name, kind in SliceHeader.__annotations__.items() if kind is str}
    blank = dict.fromkeys(SliceHeader.__annotations__)
    own = {"source": SourceFile(f"{series}.{index}", None, f"{series}.{index}"), "rows": 0, "columns": 0}
    uids = {"series_instance_uid": series, "sop_instance_uid": f"{series}.{index}", "frame_of_reference_uid": "1"}
    return SliceHeader(**{**blank, **texts, **own, **uids, "image_type": (), **fields})


def affine_of(steps_lps_mm: Any, origin_lps_mm: Any) -> np.ndarray:
    """From what one step along slice, row and column axis is in the patient, and where voxel (0, 0, 0) lies."""
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(steps_lps_mm)
    affine[:3, 3] = origin_lps_mm
    return affine


def painted_volume(
    spine: Spine, shape: tuple[int, int, int], affine: np.ndarray, kind: str, greys: tuple[float, ...] = T2
) -> Volume:
    """A volume of the spine, full scale 1000."""
    places = np.stack(np.meshgrid(*(np.arange(size, dtype=np.float64) for size in shape), indexing="ij"), axis=-1)
    tissue = spine.paint(places @ affine[:3, :3].T + affine[:3, 3], kind)
    array = (1000 * np.array(greys))[tissue].astype(np.float32)
    return Volume(array, affine, tuple(make_header("1.1", index) for index in range(shape[0])))


def sagittal_volume(
    spine: Spine | None = None, first_x: float = -25.0, slices: int = 15, pixel_mm: float = 1.0, **paint: Any
) -> Volume:
    """Canonical: slices of 4 mm from right to left, rows head to feet, columns front to back."""
    affine = affine_of([(4.0, 0, 0), (0, 0, -pixel_mm), (0, pixel_mm, 0)], (first_x, -50.0, 110.0))
    shape = (slices, round(230 / pixel_mm), round(150 / pixel_mm))
    return painted_volume(spine or Spine(), shape, affine, "foramen", **paint)


def axial_block(disc: Disc, tilt: float, spine: Spine | None = None, slices: int = 5) -> Volume:
    """Canonical axial slices of 4 mm about a disc, tilted by so many degrees (back edge to the head)."""
    angle = np.radians(tilt)
    back, down = np.array([0, np.cos(angle), np.sin(angle)]), np.array([0, np.sin(angle), -np.cos(angle)])
    origin = np.array(disc.center) - 2 * (slices - 1) * down - 50 * back - (65.0, 0, 0)
    return painted_volume(
        spine or Spine(), (slices, 150, 130), affine_of([4 * down, back, (1, 0, 0)], origin), "recess"
    )


_CARD: Final = Card("painted", "1", "", "locator", "phantoms", "", {"maps": CHANNELS}, {}, {}, {})
_SURE: Final = 6.0


@dataclass(frozen=True, eq=False)
class PaintedLocator(Model):
    """Reads tissues off the greys of the first view (the square root of what the brightest tissue makes 1)."""

    card: Card = _CARD
    session: Any = None
    slices_seen: list[int] = field(default_factory=list)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self.slices_seen.append(len(batch))
        return {"maps": np.stack([_logits(views) for views in batch]).astype(np.float32)}


def _logits(views: np.ndarray) -> np.ndarray:
    grey = ((views[0] + 1) / 2) ** 2
    greys = T2 if abs(grey[0, 0] - T2[0]) < abs(grey[0, 0] - T1[0]) else T1
    tissue = np.abs(grey[..., None] - np.array(greys)).argmin(-1)
    masks = {name: ndimage.binary_opening(tissue == index, np.ones((3, 3))) for index, name in enumerate(TISSUES)}
    discs = _centers(masks["disc"] | masks["lumbosacral"], 60)
    sacral = [place for place in discs if masks["lumbosacral"][round(place[0]), round(place[1])]]
    points = {"disc_center": discs, "lumbosacral_center": sacral}
    points |= {name: _centers(masks[name], 12) for name in ("foramen", "recess")}
    masks["disc"] |= masks["lumbosacral"]
    drawn = [_bumps(tissue.shape, points[name]) if name in points else masks[name] * 1.0 for name in CHANNELS]
    chance = np.clip(np.stack(drawn), 1 / (1 + np.exp(_SURE)), 1 / (1 + np.exp(-_SURE)))
    return np.asarray(np.log(chance / (1 - chance)))


def _centers(mask: np.ndarray, least: int) -> list[tuple[float, float]]:
    labels, count = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, labels, range(1, count + 1))
    kept = [index for index, size in enumerate(sizes, start=1) if size >= least]
    return [(float(r), float(c)) for r, c in ndimage.center_of_mass(mask, labels, kept)]


def _bumps(shape: tuple[int, ...], places: list[tuple[float, float]]) -> np.ndarray:
    rows, columns = np.indices(shape)
    bumps = [np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / (2 * 3.0**2)) for r, c in places]
    return np.asarray(np.max([np.zeros(shape), *bumps], axis=0))

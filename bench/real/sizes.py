"""The sizes that an analysis states of a sagittal series, with their errors, against readers' masks of the same slices.

The slices of a T2-SPACE series are stacked to a volume and located as in an analysis; each disc is measured on the
slice that was chosen for it, and so is the disc of the reader's mask there (`mask_sizes`). A wrong pixel size makes
both wrong alike, so series whose pixels are in doubt are left out beforehand: those whose slices were brought from
another size, and those whose discs lie, in the masks, farther apart or nearer than on Sudirman's pictures, as a share
of their depth.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from real.answers import Models
from real.mask_sizes import CANAL, DISC, VERTEBRA, LaidMask, disc_at, lay, mask_sizes, rise, smoothed
from real.page import Page, Sample
from real.sheets import FOUND, TRUE, Tile, Window, write_sheet
from scipy import ndimage

from lumbago.anatomy.findings import Measurement
from lumbago.anatomy.levels import LEVELS
from lumbago.dicom.volume import Volume
from lumbago.evaluation.intervals import Score, over_patients
from lumbago.labels.picture_slices import LabelledSlice, flat_volume, picture_size, read_label_values, read_picture
from lumbago.pipeline.disc_sizes import spine_sizes
from lumbago.pipeline.grade_patches import stated_sizes
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation, locate_discs
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine
from lumbago.report.marks import draw_line

SLICE_MM = 1.8
"""Every second slice of 0.9 mm."""
SQUARE = (0.82, 1.30)
"""How far apart discs lie on Sudirman's pictures, as a share of their depth."""
LORDOSIS = "lordosis"
SHOWN = 6
SHOWN_WORST = ("height_between_bodies", "disc_depth", "canal_along", "slip")
TOLD_STATED = (("h", "disc_height_mm"), ("d", "disc_depth_mm"), ("c", "canal_depth_mm"), ("s", "slip_percent"))
TOLD_MEASURED = (("h", "height_between_bodies"), ("d", "disc_depth"), ("c", "canal_along"), ("s", "slip"))

Line = tuple[tuple[float, float], tuple[float, float]]
"""Two (row, column) of a picture."""


class Size(NamedTuple):
    """What is compared: the name of the stated size, that of the mask's, and what both are called."""

    stated: str
    measured: str
    title: str


SIZES = (
    Size("disc_height_mm", "height_between_bodies", "disc height, mm: between the mask's bodies"),
    Size("disc_height_mm", "disc_height", "disc height, mm: of the mask's disc, without endplates"),
    Size("disc_height_index_ratio", "height_index", "height between bodies over their depth"),
    Size("disc_depth_mm", "disc_depth", "disc depth, mm"),
    Size("canal_depth_mm", "canal_along", "canal from front to back, mm: along the disc"),
    Size("canal_depth_mm", "canal_across", "canal from front to back, mm: square to the canal"),
    Size("canal_to_usual_ratio", "canal_to_usual", "canal over that above and below"),
    Size("slip_percent", "slip", "slip, percent"),
    Size("nucleus_to_fluid_ratio", "nucleus_to_fluid", "signal of nucleus over fluid"),
    Size("lordosis_degrees", LORDOSIS, "lordosis, degrees"),
)


class Pair(NamedTuple):
    """A size as stated and as measured in the mask."""

    stated: float
    error: float
    measured: float


@dataclass(frozen=True, eq=False)
class MeasuredDisc:
    """A disc that was located, on its slice; `measured` is empty where the mask has no disc there."""

    row: LabelledSlice
    level: str
    stated: dict[str, Measurement]
    measured: dict[str, float]
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        return self.row.name.partition(":")[2]


@dataclass
class Compared:
    """Everything that was compared."""

    discs: list[MeasuredDisc] = field(default_factory=list)
    lordosis: dict[str, Pair] = field(default_factory=dict)

    def pairs(self, size: Size) -> tuple[list[str], list[Pair]]:
        """Keys of patients, and what was compared."""
        if size.measured == LORDOSIS:
            return list(self.lordosis), list(self.lordosis.values())
        both = [disc for disc in self.discs if size.stated in disc.stated and size.measured in disc.measured]
        pairs = [Pair(*_told(disc.stated[size.stated]), disc.measured[size.measured]) for disc in both]
        return [disc.row.patient for disc in both], pairs


def _told(size: Measurement) -> tuple[float, float]:
    return size.value, size.error


def in_series(rows: Sequence[LabelledSlice]) -> dict[str, list[LabelledSlice]]:
    """The slices of each patient's series, in order."""
    series: dict[str, list[LabelledSlice]] = {}
    for row in sorted(rows, key=lambda row: int(row.name.rpartition("slice")[2])):
        series.setdefault(row.patient, []).append(row)
    return dict(sorted(series.items(), key=lambda item: int(item[0].rpartition(":")[2])))


def doubt_of(rows: Sequence[LabelledSlice], originals: Path) -> str:
    """Why the pixel size of a series is not believed, or nothing."""
    original = originals / f"{rows[0].image.stem.partition('_slice')[0]}.png"
    sizes = picture_size(original), picture_size(rows[0].image)
    if None in sizes or sizes[0] != sizes[1]:
        return f"its picture in `spider` is {_size(sizes[0])}, its slices are {_size(sizes[1])}"
    share = step_to_depth([read_label_values(row.mask) for row in rows if row.mask is not None])
    if not SQUARE[0] <= share <= SQUARE[1]:
        return f"discs lie {share:.2f} of their depth apart"
    return ""


def _size(size: tuple[int, int] | None) -> str:
    return "not there" if size is None else f"{size[1]} x {size[0]}"


def step_to_depth(masks: Sequence[np.ndarray]) -> float:
    """How far the middles of neighbouring discs lie apart as a share of their depth: the median on all masks."""
    shares = []
    for mask in masks:
        labels, count = ndimage.label(mask == DISC)
        places = [np.argwhere(labels == number) for number in range(1, count + 1)]
        discs = sorted(((one.mean(0), _long(one)) for one in places if len(one) > 300), key=lambda disc: disc[0][0])
        shares += [
            float(np.linalg.norm(below[0] - above[0])) / ((above[1] + below[1]) / 2) for above, below in pairwise(discs)
        ]
    return float(np.median(shares)) if shares else float("nan")


def _long(places: np.ndarray) -> float:
    """Pixels along the long axis."""
    offset = places - places.mean(0)
    return float(np.ptp(offset @ np.linalg.svd(offset, full_matrices=False)[2][0])) + 1


def measure(models: Models, series: dict[str, list[LabelledSlice]]) -> Compared:
    """What is stated of every series and what its masks show."""
    compared = Compared()
    for patient, rows in series.items():
        location = locate_discs(models.locator(patient), stacked(rows))
        compared.discs += [
            measured_disc(location, patch.disc, stated_sizes(patch), rows)
            for patch in ANCHORS["disc"](LocatedSpine({"sagittal_t2": location}, {}, {})) if patch.disc.confidence > 0
        ]  # fmt: skip
        if (pair := lordosis_pair(location, rows)) is not None:
            compared.lordosis[patient] = pair
    return compared


def stacked(rows: Sequence[LabelledSlice]) -> Volume:
    """A volume of the slices of a series."""
    volume = flat_volume(read_picture(rows[0]), rows[0].spacing_mm)
    affine = volume.affine.copy()
    affine[:3, 0] *= SLICE_MM / volume.spacing_mm[0]
    return Volume(np.concatenate([read_picture(row)[None] for row in rows]), affine, headers=())


def measured_disc(
    location: SpineLocation, disc: LocatedDisc, stated: dict[str, Measurement], rows: Sequence[LabelledSlice]
) -> MeasuredDisc:
    """A located disc beside that of the mask on its slice."""
    row, laid, fluid = _laid(location, disc, rows)
    measured = {} if laid is None else mask_sizes(laid, fluid)
    return MeasuredDisc(row, disc.level, stated, measured, tuple(stated_lines(location, disc)))


def _laid(
    location: SpineLocation, disc: LocatedDisc, rows: Sequence[LabelledSlice]
) -> tuple[LabelledSlice, LaidMask | None, float]:
    """The slice of a located disc, its mask laid straight with the disc there, and how bright the canal is on it."""
    index, *place = _ijk(location, disc.center_lps_mm)
    row = rows[round(index)]
    assert row.mask is not None
    mask, grey = read_label_values(row.mask), smoothed(read_picture(row), row.spacing_mm)
    own = disc_at(mask, (place[0], place[1]), row.spacing_mm)
    fluid = float(np.percentile(grey[mask == CANAL], 90)) if (mask == CANAL).any() else 0.0
    return row, None if own is None else lay(mask, grey, own, row.spacing_mm), fluid


def _ijk(location: SpineLocation, lps_mm: np.ndarray) -> list[float]:
    return [float(value) for value in location.as_stated.to_ijk(lps_mm)]


def stated_lines(location: SpineLocation, disc: LocatedDisc) -> Iterator[Line]:
    """The depth and the height of a located disc and the width of its canal, on the picture."""
    frame, center = disc.frame, disc.center_lps_mm
    lines = [(center, frame.depth_mm * frame.back), (center, frame.height_mm * frame.down)]
    lines += [(disc.canal_lps_mm, (disc.canal_mm or 0.0) * frame.back)]
    for middle, whole in lines:
        (_, *begin), (_, *end) = (_ijk(location, middle + side * whole) for side in (-0.5, 0.5))
        yield (begin[0], begin[1]), (end[0], end[1])


def lordosis_pair(location: SpineLocation, rows: Sequence[LabelledSlice]) -> Pair | None:
    """Of the spine, where both have it; the masks' sacrum is the lower edge of the lowest disc."""
    stated = spine_sizes(location).get("lordosis_degrees") if location.name_is_sure else None
    if stated is None:
        return None
    rises = []
    for level, edge in (("T12/L1", "body"), ("L5/S1", "disc")):
        disc = location.disc(level)
        laid = None if disc is None else _laid(location, disc, rows)[1]
        rises.append(None if laid is None else rise(laid, edge))
    upper, lower = rises
    return None if upper is None or lower is None else Pair(*_told(stated), lower - upper)


FIGURES: dict[str, Callable[[np.ndarray], float]] = {
    "stated, mean": lambda pairs: float(pairs[:, 0].mean()),
    "measured, mean": lambda pairs: float(pairs[:, 2].mean()),
    "stated less measured, mean": lambda pairs: float((pairs[:, 0] - pairs[:, 2]).mean()),
    "difference, root mean square": lambda pairs: float(np.sqrt(((pairs[:, 0] - pairs[:, 2]) ** 2).mean())),
    "difference, spread about its mean": lambda pairs: float((pairs[:, 0] - pairs[:, 2]).std()),
    "always the measured mean, root mean square": lambda pairs: float(pairs[:, 2].std()),
    "correlation": lambda pairs: _correlation(pairs[:, 0], pairs[:, 2]),
    "within the stated error, share": lambda pairs: _within(pairs, 1),
    "within twice the stated error, share": lambda pairs: _within(pairs, 2),
}
"""Of rows of stated size, stated error, measured size."""


def _correlation(stated: np.ndarray, measured: np.ndarray) -> float:
    return float(np.corrcoef(stated, measured)[0, 1]) if stated.std() > 0 and measured.std() > 0 else np.nan


def _within(pairs: np.ndarray, times: float) -> float:
    return float((np.abs(pairs[:, 0] - pairs[:, 2]) <= times * pairs[:, 1] + 1e-9).mean())


def figures_of(patients: Sequence[str], pairs: Sequence[Pair]) -> dict[str, Score]:
    """Every figure with its interval over patients."""
    table, owners = np.array(pairs, np.float64), np.array(patients)
    return {
        name: over_patients(lambda rows, own=figure: own(table[rows]), owners)  # type: ignore[misc]
        for name, figure in FIGURES.items()
    }


def tell_sizes(page: Page, models: Models, rows: Sequence[LabelledSlice], data: Path, seed: int) -> None:
    """Tables, and sheets of discs chosen by chance and of those farthest off."""
    series = in_series(rows)
    doubts = {patient: doubt_of(slices, data / "spider" / "sagittal") for patient, slices in series.items()}
    compared = measure(models, {patient: slices for patient, slices in series.items() if not doubts[patient]})
    page.say("## Sizes against masks on `spider_space`, sagittal T2-SPACE")
    page.say(_told_sample(compared, doubts))
    heads = ["size", "number, patients", *FIGURES]
    lines = []
    for size in SIZES:
        patients, pairs = compared.pairs(size)
        if len(pairs) > 1:
            sample = Sample("sizes", "spider_space", size.title, len(pairs), len(set(patients)))
            told = [page.put(sample, name, score) for name, score in figures_of(patients, pairs).items()]
            lines.append([size.title, f"{len(pairs)}, {sample.patients}; error {pairs[0].error:g}", *told])
    page.show(heads, lines)
    page.say("By level, stated less measured, mean and root mean square:")
    page.show(
        ["size", *LEVELS], [[size.title, *_by_level(compared, size)] for size in SIZES if size.measured != LORDOSIS]
    )
    show_discs(page, compared, seed)


def _by_level(compared: Compared, size: Size) -> list[str]:
    cells = []
    for level in LEVELS:
        pairs = Compared([disc for disc in compared.discs if disc.level == level]).pairs(size)[1]
        off = np.array([pair.stated - pair.measured for pair in pairs])
        cells.append(f"{off.mean():.2f}, {np.sqrt((off**2).mean()):.2f} ({off.size})" if off.size else "–")
    return cells


def _told_sample(compared: Compared, doubts: dict[str, str]) -> str:
    left = "; ".join(f"{patient.rpartition(':')[2]}: {doubt}" for patient, doubt in doubts.items() if doubt)
    unmatched = sum(not disc.measured for disc in compared.discs)
    patients = len({disc.row.patient for disc in compared.discs})
    return (
        f"The slices of each series as a volume, located as in an analysis; {len(compared.discs)} lumbar discs of "
        f"{patients} patients, each against the mask of the slice that it was measured on; {unmatched} have no disc in "
        "the mask there. How masks are measured stands in `bench/real/mask_sizes.py`. Where a stated error is right, "
        "about 0.68 of the differences lie within it, and 0.95 within twice as much. Left out as their pixels are in "
        f"doubt (patient: why): {left or 'none'}."
    )


def show_discs(page: Page, compared: Compared, seed: int) -> None:
    """Sheets of the masks with the lines along which sizes were stated."""
    measured = [disc for disc in compared.discs if disc.measured]
    chosen = np.random.default_rng(seed).permutation(len(measured))[: 2 * SHOWN]
    write_sheet([_tile(measured[number]) for number in sorted(chosen)], SHOWN, page.out / "sizes.png")
    worst = [disc for size in SIZES if size.measured in SHOWN_WORST for disc in _farthest(measured, size)]
    write_sheet([_tile(disc) for disc in worst], SHOWN, page.out / "sizes-worst.png")
    page.say(
        "Disc (green), bodies (blue) and canal (red) of the mask under the lines of the stated depth, height and "
        "width. Stated / measured: h height between bodies, d depth, c canal, s slip. Chosen by chance:"
    )
    page.say("![sizes](sizes.png)\n\nFarthest off, a row for each of height, depth, canal and slip:")
    page.say("![farthest off](sizes-worst.png)")


def _farthest(discs: Sequence[MeasuredDisc], size: Size) -> list[MeasuredDisc]:
    both = [disc for disc in discs if size.stated in disc.stated and size.measured in disc.measured]
    return sorted(both, key=lambda disc: -abs(disc.stated[size.stated].value - disc.measured[size.measured]))[:SHOWN]


def _tile(disc: MeasuredDisc) -> Tile:
    (begin, end), *_ = disc.lines
    middle = (begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2 + 15
    window = Window.about(middle, (130, 150), 320)
    told = [
        " ".join(f"{initial}{values[name]:.1f}" for initial, name in names if name in values)
        for values, names in (
            ({name: size.value for name, size in disc.stated.items()}, TOLD_STATED), (disc.measured, TOLD_MEASURED),
        )
    ]  # fmt: skip
    tile = Tile(disc.row, window, [f"{disc.name} {disc.level}", f"{told[0]} / {told[1]}"])
    assert disc.row.mask is not None
    mask = read_label_values(disc.row.mask)
    for value, colour in ((DISC, "#00A000"), (VERTEBRA, TRUE), (CANAL, "#E00000")):
        tile.shade(mask == value, colour)
    for line in disc.lines:
        draw_line(tile.image, [tile.window.to_px(*place) for place in line], FOUND, 1.5)
    return tile

"""Drawing how a person is scanned: protocol, planes, and everything that blurs, shades and disturbs the picture."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64
from numpy.random import Generator

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import Point
from lumbago.anatomy.levels import LEVELS
from lumbago.phantom.landmarks import DiscPlace, landmarks
from lumbago.phantom.mr_signal import Contrast, Weighting
from lumbago.phantom.phantom_settings import USUAL, Setting
from lumbago.phantom.scan_artefacts import NO_ARTEFACTS, Artefacts, Circumstances, draw_artefacts, draw_screws
from lumbago.phantom.scan_protocols import Planning, Scanner, Sequence
from lumbago.phantom.spine_frames import rotation
from lumbago.phantom.spine_spec import SpineSpec

Vector = Float64[np.ndarray, "3"]


@dataclass(frozen=True, slots=True)
class SliceGroup:
    """Parallel slices: the middle of the first image, unit vectors along its columns, down its rows and from slice to
    slice."""

    center_lps_mm: Point
    along: Point
    down: Point
    normal: Point
    count: int
    spacing: float

    def offset_to(self, point_lps_mm: Vector) -> int:
        """Index of the slice next to a point."""
        distance = float((point_lps_mm - np.array(self.center_lps_mm)) @ np.array(self.normal))
        return int(np.clip(round(distance / self.spacing), 0, self.count - 1))

    def distance_to(self, point_lps_mm: Vector) -> float:
        """Millimetres from a point to the middle of the slice next to it."""
        distance = float((point_lps_mm - np.array(self.center_lps_mm)) @ np.array(self.normal))
        return abs(distance - self.offset_to(point_lps_mm) * self.spacing)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What the scanner adds. Lengths in mm; signals relative to the reference tissue (fluid on T2, fat on T1).

    `coil_reach` is the depth at which a surface coil's signal has fallen to 1/e, and `coil_left` how much of that fall
    is left after normalising; `roll_off` the length over which the ends of the field of view darken; `band` how far in
    front of the posterior wall a saturation band starts (0: none) and `band_left` the signal left in it. With `coils`,
    so many elements of an array receive the image, and its noise is that of parallel imaging.
    """

    noise: float
    blur: float
    coil_reach: float
    coil_left: float
    roll_off: float
    bias: float
    band: float
    band_left: float
    sub_slices: int
    seed: int
    coils: int = 0


@dataclass(frozen=True, slots=True)
class ScanSpec:
    """One series as it is to be scanned.

    `groups` hold one set of parallel slices each; `instance_order` is 1 when instance numbers count along the slices,
    -1 against.
    """

    role: Role
    maker: Scanner
    model: str
    sequence: Sequence
    contrast: Contrast
    groups: tuple[SliceGroup, ...]
    rows: int
    columns: int
    pixel_mm: float
    acquired_mm: float
    thickness: float
    disturbance: Disturbance
    instance_order: int
    gain: float
    artefacts: Artefacts = NO_ARTEFACTS


@dataclass(frozen=True, slots=True)
class ScanChoice:
    """What is the same for all series of a study: scanner, whether contrast is drawn freely (for training) and how
    much, and the setting."""

    maker: Scanner
    model: str
    free: float
    stir: bool
    setting: Setting


def draw_scanner(rng: Generator, randomised: bool = False, setting: Setting = USUAL) -> ScanChoice:
    """The scanner of a study; `randomised` draws tissue contrast beyond what physics gives."""
    shares = np.array([scanner.share for scanner in setting.scanners])
    maker = setting.scanners[int(rng.choice(len(shares), p=shares / shares.sum()))]
    free = float(rng.uniform(0.2, 1.0)) if randomised else 0.0
    model, stir = str(rng.choice(maker.models)), bool(rng.random() < setting.planning.suppressed)
    return ScanChoice(maker, model, free, stir, setting)


def sample_scan(seed: int, spine: SpineSpec, role: Role, choice: ScanChoice) -> ScanSpec:
    """The series that plays a role, drawn from a seed; slices are planned on the spine as a technician would."""
    rng = np.random.default_rng([seed, 2, ("sagittal_t1", "sagittal_t2", "axial_t2").index(role)])
    maker, planning = choice.maker, choice.setting.planning
    stir = role == "sagittal_t2" and choice.stir
    sequence = maker.stir if stir else maker.sequences[role]
    least, most = (145, planning.widest_mm[1]) if role == "axial_t2" else (250, planning.widest_mm[0])
    view = float(np.clip(sequence.field_of_view * np.exp(rng.normal(0, 0.10)), least, most))
    rows = int(rng.choice(sequence.matrix))
    pixel = view / rows
    spacing = sequence.spacing * float(np.exp(rng.normal(0, 0.05)))
    sequence = replace(sequence, spacing=round(spacing, 2))
    plan = _axial_groups if role == "axial_t2" else _sagittal_groups
    groups = plan(rng, spine, (sequence, planning), view)
    weighting: Weighting = "STIR" if stir and not sequence.water else "T1" if role == "sagittal_t1" else "T2"
    drawn = ScanSpec(
        role=role,
        maker=maker,
        model=choice.model,
        sequence=sequence,
        contrast=_draw_contrast(rng, choice, sequence, weighting),
        groups=groups,
        rows=rows,
        columns=rows,
        pixel_mm=round(pixel, 4),
        acquired_mm=float(np.clip(sequence.acquired_mm * np.exp(rng.normal(0, 0.12)), pixel, 1.3)),
        thickness=sequence.thickness,
        disturbance=replace(_draw_disturbance(rng, role, maker.tesla), coils=choice.setting.look.coils),
        instance_order=_draw_order(rng, role),
        gain=float(np.exp(rng.uniform(np.log(350), np.log(1800)))),
    )
    return _with_artefacts(seed, spine, drawn)


def _with_artefacts(seed: int, spine: SpineSpec, drawn: ScanSpec) -> ScanSpec:
    """The series with what goes wrong in it, and in 6 % of persons as an old scanner makes it; contrast drawn freely
    comes with free noise, sharpness and shading too (domain randomisation, Billot 2023)."""
    rng = np.random.default_rng([seed, 5])
    screws, old = draw_screws(rng, spine), float(rng.random() < 0.06)
    rng = np.random.default_rng([seed, 6, ("sagittal_t1", "sagittal_t2", "axial_t2").index(drawn.role)])
    of = Circumstances(
        drawn.role,
        drawn.contrast.weighting,
        drawn.maker.tesla,
        drawn.sequence.bandwidth,
        drawn.contrast.echo_train,
    )
    artefacts = draw_artefacts(rng, of, screws)
    free, d = drawn.contrast.free, drawn.disturbance
    noise, coarse = (1 + old) * np.exp(free * rng.normal(0, 0.5)), np.exp(0.35 * old + free * rng.uniform(0, 0.4))
    return replace(
        drawn,
        artefacts=artefacts,
        acquired_mm=float(np.clip(drawn.acquired_mm * coarse, drawn.pixel_mm, 1.6)),
        disturbance=replace(d, noise=float(d.noise * noise), bias=float(d.bias + free * rng.uniform(0, 0.15))),
    )


def _draw_order(rng: Generator, role: Role) -> int:
    """Share of series that count along their slices: 64 % of sagittal ones toward the left, 88 % of axial ones toward
    the feet."""
    return 1 if rng.random() < (0.88 if role == "axial_t2" else 0.64) else -1


def _draw_contrast(rng: Generator, choice: ScanChoice, sequence: Sequence, weighting: Weighting) -> Contrast:
    times = np.exp(rng.normal(0, 0.08, 2))
    fat_null = 0.69 * _fat_t1(choice.maker.tesla) * float(rng.uniform(0.94, 1.06))
    return Contrast(
        weighting=weighting,
        tesla=choice.maker.tesla,
        repetition_time=round(sequence.repetition_time * float(times[0]), 1),
        echo_time=round(sequence.echo_time * float(times[1]), 1),
        inversion_time=round(fat_null, 1) if weighting == "STIR" else sequence.inversion_time,
        echo_train=sequence.echo_train,
        restored=sequence.restored,
        variation_seed=int(rng.integers(2**31)),
        free=choice.free,
        water=sequence.water,
        other_tissues=choice.setting.look.other_tissues,
    )


def _fat_t1(tesla: float) -> float:
    """In ms, what inversion pulses are set for."""
    return 375.0 if tesla > 2 else 300.0 if tesla > 1 else 245.0


def _draw_disturbance(rng: Generator, role: Role, tesla: float) -> Disturbance:
    """Coil, band, noise and sharpness; in 60 % of series k-space is hardly filtered before its cut, so that edges ring
    (Gibbs)."""
    normalised = rng.random() < 0.5
    axial = role == "axial_t2"
    band = rng.random() < (0.85 if axial else 0.75)
    rings = rng.random() < 0.6
    return Disturbance(
        noise=float(np.exp(rng.uniform(np.log(0.010), np.log(0.048))) * _noise_at(tesla)),
        blur=float(rng.uniform(0.25, 0.4) if rings else rng.uniform(0.45, 0.7)),
        coil_reach=float(rng.uniform(60, 110)),
        coil_left=float(rng.uniform(0.1, 0.4) if normalised else rng.uniform(0.7, 1.2)),
        roll_off=float(rng.uniform(25, 60) if rng.random() < 0.5 else 12),
        bias=float(rng.uniform(0.06, 0.20) if tesla > 2 else rng.uniform(0.03, 0.12)),
        band=float(rng.uniform(38, 62) if axial else rng.uniform(42, 75)) if band else 0.0,
        band_left=float(rng.uniform(0.02, 0.15 if axial else 0.3)),
        sub_slices=3,
        seed=int(rng.integers(2**31)),
    )


def _noise_at(tesla: float) -> float:
    """Against that at 1.5 T."""
    return 0.8 if tesla > 2 else 1.0 if tesla > 1 else 1.5


def _point(vector: np.ndarray) -> Point:
    return float(vector[0]), float(vector[1]), float(vector[2])


def _turned(rng: Generator, axes: np.ndarray, spread: float) -> np.ndarray:
    """Axes (as columns) as a technician would have set them."""
    return np.asarray(axes @ rotation(*(float(v) for v in rng.normal(0, spread, 3))))


Plan = tuple[Sequence, Planning]


def _sagittal_groups(rng: Generator, spine: SpineSpec, plan: Plan, view: float) -> tuple[SliceGroup, ...]:
    """Slices from right to left about the middle of the canal; columns run backward, rows down."""
    (sequence, planning), places = plan, [place for place in landmarks(spine).discs if place.level in LEVELS]
    middle = np.mean([place.canal_lps_mm for place in places], axis=0)
    left, back, up = _turned(rng, np.eye(3), planning.askew[0]).T
    count = int(rng.choice(planning.counts, p=(0.3, 0.4, 0.2, 0.1)))
    count = max(count, int(np.ceil(54 * spine.size / sequence.spacing)) | 1)
    center = (
        middle
        + rng.normal(-0.062, 0.04) * view * back
        + rng.normal(0.035, 0.04) * view * up
        + rng.normal(0, 1.5) * left
    )
    first = center - left * sequence.spacing * (count - 1) / 2
    return (SliceGroup(_point(first), _point(back), _point(-up), _point(left), count, sequence.spacing),)


_LEFT_OUT = (0.917, 0.041, 0.042)
"""Share of axial series that begin at L1/L2, L2/L3 and L3/L4: recesses without a point in RSNA 2024."""


def _axial_groups(rng: Generator, spine: SpineSpec, plan: Plan, view: float) -> tuple[SliceGroup, ...]:
    """One block, a block with a tilted lowest disc, or a group on each disc; slices run from head to feet."""
    places = [place for place in landmarks(spine).discs if place.level in LEVELS]
    layout = rng.choice(("block", "block and lumbosacral", "discs"), p=plan[1].layouts)
    top = int(rng.choice(3, p=_LEFT_OUT))
    if layout == "discs":
        return tuple(_disc_group(rng, place, plan, view) for place in places[top:])
    if layout == "block":
        return (_block(rng, places[top:], plan, view),)
    return (_block(rng, places[top:-1], plan, view), _disc_group(rng, places[-1], plan, view))


def _axial_axes(rng: Generator, normal: np.ndarray, askew: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(left, back, up) of axial slices whose normal is near a direction."""
    up = normal / np.linalg.norm(normal)
    left = np.cross(np.array([0, 1.0, 0]), up)
    left /= np.linalg.norm(left)
    turned = _turned(rng, np.stack([left, np.cross(up, left), up], axis=1), askew)
    return turned[:, 0], turned[:, 1], turned[:, 2]


def _disc_group(rng: Generator, place: DiscPlace, plan: Plan, view: float) -> SliceGroup:
    """Three to five slices along a disc."""
    sequence, planning = plan
    left, back, up = _axial_axes(rng, np.array(place.up), planning.askew[1])
    count = int(rng.integers(*planning.per_disc))
    center = _axial_center(rng, np.array(place.canal_lps_mm), back, left, view)
    first = center + up * (sequence.spacing * (count - 1) / 2 + rng.normal(0, 0.8))
    return SliceGroup(_point(first), _point(left), _point(back), _point(-up), count, sequence.spacing)


def _axial_center(rng: Generator, canal: np.ndarray, back: np.ndarray, left: np.ndarray, view: float) -> np.ndarray:
    return np.asarray(canal + back * rng.normal(-0.05, 0.035) * view + left * rng.normal(0, 0.02) * view)


def _block(rng: Generator, places: list[DiscPlace], plan: Plan, view: float) -> SliceGroup:
    """Contiguous slices over several discs, tilted like the mean of them or not at all."""
    sequence, planning = plan
    mean = np.array([0.0, 0.0, 1.0]) if planning.square else np.mean([np.array(place.up) for place in places], axis=0)
    left, back, up = _axial_axes(rng, mean, planning.askew[1])
    canals = np.array([place.canal_lps_mm for place in places])
    high, low = (canals @ up).max() + rng.uniform(8, 18), (canals @ up).min() - rng.uniform(8, 18)
    count = int(np.ceil((high - low) / sequence.spacing)) + 1
    center = _axial_center(rng, canals.mean(axis=0), back, left, view)
    first = center + up * (high - center @ up)
    return SliceGroup(_point(first), _point(left), _point(back), _point(-up), count, sequence.spacing)

"""Everything around the spine: skin, fat, muscles, vessels, pelvis bones and organs, as tissue.

Soft tissue follows the spine by height alone: at every height it is placed against the posterior wall of the bodies
and the tips of the spinous processes there.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32

from lumbago.phantom.canvas import Canvas
from lumbago.phantom.noise_field import noise
from lumbago.phantom.shapes import ellipse, smoothstep
from lumbago.phantom.spine_frames import Points, vertebra_frames, wall_at
from lumbago.phantom.spine_spec import SpineSpec, TrunkSpec
from lumbago.phantom.tissues import Tissue

Coordinates = Float32[np.ndarray, " points"]

_LOWEST, _HIGHEST = -320, 320


@dataclass(frozen=True, eq=False)
class TrunkTable:
    """By height in whole millimetres from `_LOWEST`: x and y of the posterior wall, y of the spinous tips, thickness
    of the fat, and the level (0 at T8's middle, one per vertebra)."""

    x: Coordinates
    wall: Coordinates
    tips: Coordinates
    fat: Coordinates
    level: Coordinates


@lru_cache(maxsize=16)
def trunk_table(spec: SpineSpec) -> TrunkTable:
    """The table of a spine."""
    frames = vertebra_frames(spec)
    up = np.arange(_LOWEST, _HIGHEST, dtype=np.float64)
    walls = np.array(
        [f.to_inner(np.array([0, wall_at(v, 0.0), 0])) for f, v in zip(frames, spec.vertebrae, strict=True)]
    )
    tips = np.array(
        [
            f.to_inner(np.array([0, wall_at(v, 0.0) + v.spinous_tip[0], v.spinous_tip[1]]))
            for f, v in zip(frames, spec.vertebrae, strict=True)
        ]
    )
    level = np.arange(len(frames), dtype=np.float64)

    def by_height(points: np.ndarray, values: np.ndarray, smooth: int) -> Coordinates:
        order = np.argsort(points[:, 2])
        line = np.interp(up, points[order, 2], values[order])
        kernel = np.hanning(smooth + 2)[1:-1]
        padded = np.pad(line, smooth // 2, mode="edge")
        return np.convolve(padded, kernel / kernel.sum(), "valid")[: up.size].astype(np.float32)

    fat = np.interp(
        level,
        (3, 6, 9, 11, 14),
        np.array([0.8, 1, 1, 1, 1.2])
        * np.interp((3, 6, 9, 11, 14), (5, 10), (spec.trunk.fat_upper, spec.trunk.fat_lower)),
    )
    return TrunkTable(
        by_height(walls, walls[:, 0], 25),
        by_height(walls, walls[:, 1], 25),
        by_height(tips, tips[:, 1], 61),
        by_height(tips, fat, 61),
        by_height(walls, level, 5),
    )


@dataclass(frozen=True, eq=False)
class TrunkPlace:
    """Where points lie in the trunk: x (and its size) from the middle, `behind` the posterior wall, `deep` in front of
    the spinous tips."""

    x: Coordinates
    ax: Coordinates
    behind: Coordinates
    deep: Coordinates
    up: Coordinates
    fat: Coordinates
    level: Coordinates


def trunk_place(spec: SpineSpec, inner: Points) -> TrunkPlace:
    """Looks the trunk's table up."""
    table = trunk_table(spec)
    x, y, z = np.ascontiguousarray(inner.T)
    row = np.clip(z.astype(np.int32) - _LOWEST, 0, table.x.size - 1)
    x = x - table.x[row]
    return TrunkPlace(x, np.abs(x), y - table.wall[row], table.tips[row] - y, z, table.fat[row], table.level[row])


def paint_trunk(canvas: Canvas, spec: SpineSpec, place: TrunkPlace) -> None:
    """From the outside in."""
    trunk = spec.trunk
    skin = _skin_depth(trunk, place)
    canvas.paint(skin > 0, Tissue.SKIN)
    canvas.paint(skin > 1.6, Tissue.SUBCUTANEOUS_FAT)
    layer = np.abs(skin - place.fat * np.float32(0.55) - 2 * np.sin(place.x / 19 + place.up / 31)) < 0.5
    canvas.paint(layer & (place.deep < -3) & (place.fat > 9), Tissue.FASCIA)
    cavity = ellipse(
        (place.x, trunk.half_width - 22), (place.behind + np.float32(trunk.front * 0.42), trunk.front * 0.62)
    )
    canvas.paint((cavity > -11) & (skin > 4), Tissue.MUSCLE)
    canvas.paint(cavity > 0, Tissue.VISCERAL_FAT, shade=_folds(spec, place))
    _paint_blobs(canvas, spec, place, cavity)
    _paint_back_muscles(canvas, spec, place)
    _paint_psoas(canvas, spec, place)
    _paint_pelvis_bone(canvas, spec, place)
    _paint_vessels(canvas, spec, place)


def _folds(spec: SpineSpec, place: TrunkPlace) -> Coordinates:
    """How much of the belly's fat is bowel wall, vessel and node instead: much in some persons, little in others."""
    mean = np.float32(0.15 + 0.55 * (spec.texture % 1009) / 1009)
    at = (place.x, place.behind, place.up)
    coarse, fine = noise(at, (1.5, 1.5, 1.5), 5.0, spec.texture + 7), noise(at, (0.8, 0.8, 0.8), 3.0, spec.texture + 8)
    far = smoothstep(-place.behind, 12.0, 45.0)
    return np.asarray(far * np.clip(mean + np.float32(0.26) * coarse + np.float32(0.1) * fine, 0, 1))


def _skin_depth(trunk: TrunkSpec, place: TrunkPlace) -> Coordinates:
    """Millimetres under the skin, about."""
    round_ = place.x / np.float32(trunk.half_width)
    back = (
        place.deep
        + place.fat
        + 3
        - np.float32(42) * np.abs(round_) ** np.float32(2.6)
        + 5 * np.exp(-((place.x / 14) ** 2)) * -0.6
    )
    front = place.behind + np.float32(trunk.front + 16) * np.sqrt(np.clip(1 - round_ * round_, 0, 1))
    return np.asarray(np.minimum(np.minimum(back, front), np.float32(trunk.half_width) - place.ax))


def _paint_blobs(canvas: Canvas, spec: SpineSpec, place: TrunkPlace, cavity: Coordinates) -> None:
    for x, behind, up, *radii, kind in spec.trunk.blobs:
        near = (
            (np.abs(place.x - np.float32(x)) < radii[0]) & (np.abs(place.up - np.float32(up)) < radii[2]) & (cavity > 2)
        )
        rows = np.flatnonzero(near)
        if not rows.size:
            continue
        depth = ellipse(
            (place.x[rows] - np.float32(x), radii[0]),
            (place.behind[rows] - np.float32(behind), radii[1]),
            (place.up[rows] - np.float32(up), radii[2]),
        )
        depth += noise((place.x[rows], place.behind[rows], place.up[rows]), (3.0, 3.0, 3.0), 4.0, int(1e3 * abs(x))) * 2
        canvas.tissue[rows[depth > 0]] = kind
        if kind in (Tissue.BOWEL, Tissue.GAS):
            canvas.tissue[rows[(depth > 0) & (depth < 2.0)]] = Tissue.ORGAN
        if kind == Tissue.KIDNEY:
            canvas.tissue[rows[depth > 13]] = Tissue.VISCERAL_FAT


def _paint_back_muscles(canvas: Canvas, spec: SpineSpec, place: TrunkPlace) -> None:
    """Multifidus, longissimus and iliocostalis in their fascia, with fat between and within."""
    scale = np.float32(spec.trunk.muscle_scale)
    width = np.interp(np.arange(16), (0, 4, 6, 8, 9, 10, 11, 12), (62, 74, 80, 80, 74, 60, 42, 22)).astype(np.float32)
    half = width[np.clip(place.level, 0, 15).astype(np.int32)] * scale
    swell = 8 * np.sin(np.clip(place.ax / (0.8 * half), 0, 1) * np.float32(np.pi))
    behind_limit = place.deep + swell * scale - np.float32(24) * smoothstep(place.ax, 0.62 * half, 1.02 * half)
    rise = 2.0 * noise((place.x, place.behind, place.up), (0.9, 0.9, 0.9), 5.0, spec.texture + 6)
    front_limit = (
        place.behind
        + rise
        - np.interp(place.level, (0, 8, 11), (11, 11, 4)).astype(np.float32)
        + np.float32(9) * smoothstep(place.ax, 42.0, 60.0)
    )
    inside = np.minimum(np.minimum(behind_limit, front_limit), half - place.ax)
    canvas.paint((inside > -1.2) & (inside <= 0) & (place.behind > 22), Tissue.FASCIA)
    canvas.paint(inside > 0, Tissue.MUSCLE, shade=0.0)
    rows = np.flatnonzero(inside > 0)
    if rows.size:
        _paint_fat_in_muscle(canvas, rows, np.maximum(_septa(spec, place, rows, scale), _streaks(spec, place, rows)))
        _paint_between_spines(canvas, spec, place, rows)


def _paint_fat_in_muscle(canvas: Canvas, rows: np.ndarray, share: Coordinates) -> None:
    """Fat within muscle as a share, so that its border is soft; where it is most of the tissue it is called fat."""
    canvas.shade[rows] = share
    canvas.tissue[rows[share > 0.5]] = Tissue.FAT_STREAK


def _septa(spec: SpineSpec, place: TrunkPlace, rows: np.ndarray, scale: np.float32) -> Coordinates:
    """Sheets of fat between multifidus, longissimus and iliocostalis; share from 0 to 1."""
    ax, deep, behind = place.ax[rows], place.deep[rows], place.behind[rows]
    wobble = 2.2 * noise((place.x[rows], behind, place.up[rows]), (0.9, 0.9, 0.9), (5.0, 5.0, 16.0), spec.texture + 4)
    off = np.minimum(np.abs(ax - 15 * scale - 0.25 * deep + wobble), np.abs(ax - 43 * scale - 0.1 * deep + wobble))
    thin = (
        np.float32(0.25 + 2.2 * spec.trunk.muscle_fat)
        * (0.4 + 0.02 * behind)
        * np.clip(0.7 + 0.2 * (place.level[rows] - 7), 0.4, 2)
    )
    share = np.clip((thin * np.clip(1 + 0.3 * wobble, 0.2, 2) - off) / np.float32(1.8) + np.float32(0.45), 0, 1)
    return np.asarray(np.where(deep > 4, share, 0), np.float32)


def _streaks(spec: SpineSpec, place: TrunkPlace, rows: np.ndarray) -> Coordinates:
    """Fat between the bundles, share from 0 to 1: thin sheets along the muscle, and patches where there is much fat,
    more of it low and near the spine."""
    ax, deep = place.ax[rows], place.deep[rows]
    at = (
        (ax + 0.4 * deep) * np.sign(place.x[rows]),
        place.behind[rows],
        place.up[rows] + 0.3 * place.behind[rows],
    )
    low = np.clip(place.level[rows] - 6, 0, 5) * np.float32(0.03)
    near = np.float32(0.06) * np.clip(1 - ax / 40, 0, 1) * np.clip(deep / 25, 0, 1)
    fat = np.float32(spec.trunk.muscle_fat) + low + near - np.float32(0.05)
    sheets = (fat * np.float32(0.4) - np.abs(noise(at, (0.65, 1.1, 1.1), (5.0, 10.0, 20.0), spec.texture + 1))) / 0.55
    patches = (noise(at, (0.6, 0.8, 0.8), (2.4, 3.5, 15.0), spec.texture + 2) - np.float32(2.8) + 4.2 * fat) / 1.2
    share = np.clip(np.maximum(np.float32(0.7) * sheets, patches) + np.float32(0.4), 0, 0.85)
    return np.asarray(np.maximum(share, 0.4 * np.clip(fat, 0, 1)))


def _paint_between_spines(canvas: Canvas, spec: SpineSpec, place: TrunkPlace, rows: np.ndarray) -> None:
    """Interspinous ligament and muscle in the middle plane, with more fat between their fibres."""
    rows = rows[(place.ax[rows] < 3.2) & (place.deep[rows] > 0) & (place.behind[rows] > 16)]
    if not rows.size:
        return
    along = place.behind[rows] + place.up[rows]
    at = (place.x[rows], along, place.behind[rows] - place.up[rows])
    grain = noise(at, (0.8, 0.8, 0.8), (3.0, 6.0, 3.5), spec.texture + 5)
    share = np.clip(np.float32(0.06 + 0.6 * spec.trunk.muscle_fat) + np.float32(0.1) * grain, 0, 1)
    canvas.tissue[rows] = Tissue.MUSCLE
    _paint_fat_in_muscle(canvas, rows, share)


def _paint_psoas(canvas: Canvas, spec: SpineSpec, place: TrunkPlace) -> None:
    scale = spec.trunk.psoas_scale
    levels = np.arange(16)
    radius = (scale * np.interp(levels, (3.6, 5, 6, 7, 8, 9, 10, 12), (0.1, 7, 12, 17, 21, 22, 21, 18))).astype(
        np.float32
    )
    out = np.interp(levels, (4, 5, 6, 7, 8, 9, 10, 12), (25, 28, 33, 38, 43, 50, 58, 66)).astype(np.float32)
    back = np.interp(levels, (4, 5, 7, 8, 9, 10, 12), (-10, -11, -13, -15, -22, -42, -75)).astype(np.float32)
    low = np.clip(place.level, 0, 14)
    near = place.ax < 95
    r, o, b = (np.interp(low, levels, table).astype(np.float32) for table in (radius, out, back))
    depth = np.where(
        near, ellipse((place.ax - o, np.maximum(r, 0.5)), (place.behind - b, np.maximum(1.15 * r, 0.5))), -1
    )
    canvas.paint(depth > 0, Tissue.MUSCLE, shade=0.0)
    rows = np.flatnonzero(depth > 2)
    if rows.size:
        at = (place.x[rows], place.behind[rows], place.up[rows])
        grain = np.abs(noise(at, (0.5, 0.8, 0.8), (5.0, 5.0, 25.0), spec.texture + 3))
        share = np.clip((np.float32(spec.trunk.psoas_fat) - grain) / np.float32(0.12) + np.float32(0.4), 0, 1)
        _paint_fat_in_muscle(canvas, rows, share)
    square = ellipse((place.ax - 68, 20.0), (place.behind - 2 + 0.3 * (place.ax - 68), 8.5))
    canvas.paint((square > 0) & (place.level > 4.5) & (place.up > spec.trunk.iliac_up - 4), Tissue.MUSCLE, shade=0.0)


def _paint_pelvis_bone(canvas: Canvas, spec: SpineSpec, place: TrunkPlace) -> None:
    """Iliac wings with the muscles on both of their faces."""
    under = np.float32(spec.trunk.iliac_up) - place.up - 0.0016 * (place.ax - 88) ** 2
    rows = np.flatnonzero((under > 0) & (place.ax > 38))
    if not rows.size:
        return
    ax, behind, under = place.ax[rows], place.behind[rows], under[rows]
    inner = np.clip(52 - 0.12 * under, 40, 60)
    sheet = (behind - 22 + 0.1 * under) * np.float32(0.72) + (ax - inner) * np.float32(0.70)
    span = (ax > inner - 4) & (ax < 130)
    muscle = span & (np.abs(sheet) < np.clip(10 + 0.30 * under, 0, 34))
    canvas.tissue[rows[muscle]], canvas.shade[rows[muscle]] = Tissue.MUSCLE, 0.0
    thick = np.clip(3.2 + 0.05 * under, 0, 8) * (1 + 0.8 * np.exp(-(((ax - inner) / 16) ** 2)))
    canvas.tissue[rows[span & (np.abs(sheet) < thick)]] = Tissue.CORTEX
    canvas.tissue[rows[span & (np.abs(sheet) < thick - 1.3)]] = Tissue.MARROW


def _paint_vessels(canvas: Canvas, spec: SpineSpec, place: TrunkPlace) -> None:
    """Aorta in front to the left, cava to the right, both parting at the bifurcation."""
    trunk = spec.trunk
    aside = 7 + 11 * (spec.texture % 613) / 613
    below = np.clip(np.float32(trunk.bifurcation) - place.up, 0, 150)
    for side, radius, kind, ahead in (
        (1, trunk.aorta_radius, Tissue.ARTERY, -47.0),
        (-1, trunk.cava_radius, Tissue.VEIN, -43.0),
    ):
        for fork in (1, -1):
            start = np.float32(side * (aside if kind == Tissue.ARTERY else aside + 7))
            x = start + (fork * np.float32(0.52) * below - start * np.clip(below / 30, 0, 1))
            r = np.float32(radius) * np.where(below > 0, np.float32(0.68), np.float32(1))
            back = (
                np.float32(ahead)
                + np.clip(0.15 * below, 0, 12)
                + (5 if kind == Tissue.VEIN else 0) * np.clip(below / 20, 0, 1)
            )
            near = (np.abs(place.x - x) < r) & (np.abs(place.behind - back) < r)
            near &= (place.x - x) ** 2 + (place.behind - back) ** 2 < r * r
            canvas.paint(near & ((below > 0) | (fork == 1)), kind)

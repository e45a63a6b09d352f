"""Vertebral arches, sacrum and facet joints as tissue."""

import numpy as np
from jaxtyping import Float32

from lumbago.phantom.anatomy_tables import SegmentRow
from lumbago.phantom.canvas import Canvas
from lumbago.phantom.shapes import capsule, ellipse, smoothstep
from lumbago.phantom.spine_frames import Between
from lumbago.phantom.spine_spec import SegmentSpec, SideSpec, VertebraSpec
from lumbago.phantom.tissues import FIRST_ARCH, Tissue

Coordinates = Float32[np.ndarray, " points"]
Local = tuple[np.ndarray, np.ndarray, np.ndarray]

_ARCH_WALL_MM = 0.9


def arch_depth(vertebra: VertebraSpec, local: Local) -> Coordinates:
    """Millimetres inside lamina, spinous and transverse process and the bone between the joints."""
    x, behind, z = local
    ax = np.abs(x)
    if vertebra.name.startswith("S"):
        return _top_of_sacrum(vertebra, (x, behind, z))
    deep, side = vertebra.canal_depth, vertebra.canal_width / 2
    flat = z * np.float32(0.36)
    lamina = capsule((ax, behind, flat), (1.0, deep + 4.6, -9 * 0.36), (side + 1.5, deep - 1.5, -3 * 0.36), (3.2, 3.4))
    pars = capsule((ax, behind, z), (side + 2.0, deep - 4.5, 3.0), (side + 2.0, deep + 1.5, -12.0), (4.2, 4.2))
    tip = vertebra.transverse_tip
    if vertebra.pars_gap:
        cleft = np.abs(z + 4.5 + np.float32(0.4) * (behind - deep + 1.5)) - np.float32(vertebra.pars_gap / 2)
        pars = np.where((behind < deep + 5) & (z < 1), np.minimum(pars, cleft), pars)
    pillar = capsule((ax, behind, z), (side + 2.0, deep - 4.5, 3.0), (side + 1.0, deep - 3.0, 13.0), (4.6, 4.0))
    transverse = capsule((ax, behind, z), (side + 3, 8.0, 4.5), (tip[0], 11.0, tip[1]), (4.4, 3.4))
    parts = [lamina, pars, pillar, transverse, _spinous(vertebra, local)]
    return np.asarray(np.maximum.reduce([*parts, *_beside(vertebra, (ax, behind, z))]))


def arch_box(vertebra: VertebraSpec) -> tuple[float, float, float]:
    """What `arch_depth` cannot exceed: how far in front, how low, how high it reaches."""
    if vertebra.name.startswith("S"):
        high = max(10.0, vertebra.height / 2 + 2, vertebra.spinous_tip[1] + 10)
        return -0.75 * vertebra.depth[0] - 1, -np.inf, high + 1
    half, drop = vertebra.spinous_height / 2, vertebra.spinous_tip[1] + 5
    low = min(-20.0, -7 + min(drop, 0) - half, vertebra.transverse_tip[1] - 4.4, -12 - vertebra.wing)
    high = max(18.0, -7 + max(drop, 0) + half, vertebra.transverse_tip[1] + 4.4, vertebra.wing - 2)
    return min(0.0, 6 - vertebra.wing, vertebra.canal_depth - 9.1) - 1, low - 1, high + 1


def paint_arch(canvas: Canvas, vertebra: VertebraSpec, index: int, local: Local) -> None:
    """Lamina, joints' pillars and processes of one vertebra, where they can lie."""
    front, low, high = (np.float32(value) for value in arch_box(vertebra))
    x, behind, z = local
    rows = np.flatnonzero((behind > front) & (z > low) & (z < high))
    if rows.size:
        _paint_bone_at(canvas, rows, arch_depth(vertebra, (x[rows], behind[rows], z[rows])), index)


def _beside(vertebra: VertebraSpec, at: Local) -> list[Coordinates]:
    """Ribs down to T12; transverse processes that reach down to the sacrum."""
    wide = vertebra.width[0] / 2
    if vertebra.name.startswith("T"):
        return [capsule(at, (wide - 1.0, 5.0, 6.0), (wide + 32.0, 26.0, -12.0), (4.6, 3.8))]
    if vertebra.wing:
        thick = vertebra.wing
        return [capsule(at, (wide + 4.0, 6.0, -2.0), (vertebra.transverse_tip[0], 6.0, -12.0), (0.7 * thick, thick))]
    return []


def _spinous(vertebra: VertebraSpec, local: Local) -> Coordinates:
    """A plate in the middle plane, higher than thick, that slopes down toward its tip."""
    x, behind, z = local
    start, (tip, drop) = vertebra.canal_depth + 6.0, vertebra.spinous_tip
    along = np.clip((behind - start) / max(tip - start, 1), 0, 1)
    middle = -7 + along * (drop + 5)
    half = np.float32(vertebra.spinous_height / 2) * (0.72 + 0.28 * along)
    thick = 3.0 + 1.2 * smoothstep(along, 0.7, 1.0)
    lengthwise = (behind - np.float32((start + tip) / 2 - 1.5)) / np.float32(max((tip - start) / 2 + 1.5, 2))
    across = (z - middle) / half
    outline = (1 - np.sqrt(np.sqrt(np.square(lengthwise * lengthwise) + np.square(across * across)))) * half
    plate: Coordinates = np.minimum(outline, thick - np.abs(x))
    return plate


def sacrum_depth(above: VertebraSpec, below: VertebraSpec, place: Between) -> Coordinates:
    """Millimetres inside the sacrum behind and beside its canal, between the middles of two sacral bodies."""
    ring = [a + place.part * (b - a) for a, b in zip(_sacral_ring(above), _sacral_ring(below), strict=True)]
    solid = np.maximum(_sacral_mass(ring, place.x, place.behind), _sacral_roof(ring, place.x, place.behind))
    hole = np.hypot(np.abs(place.x) - ring[1] / 2 - 5, place.up) - 4.5
    crests = np.maximum(_crest(above, place.above), _crest(below, place.below))
    return np.asarray(np.maximum(np.minimum(solid, hole), crests))


def _top_of_sacrum(vertebra: VertebraSpec, local: Local) -> Coordinates:
    """The same above the middle of S1, whose wings slope down to the sides."""
    x, behind, z = local
    ring = [np.full_like(x, value) for value in _sacral_ring(vertebra)]
    wing = np.minimum(_sacral_mass(ring, x, behind), 10 - np.float32(0.10) * np.abs(x) - z)
    roof = np.minimum(_sacral_roof(ring, x, behind), np.float32(vertebra.height / 2 + 2) - np.abs(z))
    return np.asarray(np.maximum.reduce([wing, roof, _crest(vertebra, local)]))


def _sacral_ring(vertebra: VertebraSpec) -> tuple[np.float32, ...]:
    """Depth of the canal, its width, depth of the body, reach of the wings."""
    sizes = (vertebra.canal_depth, vertebra.canal_width, vertebra.depth[0], vertebra.transverse_tip[0])
    return tuple(np.float32(size) for size in sizes)


def _sacral_mass(ring: list[Coordinates], x: Coordinates, behind: Coordinates) -> Coordinates:
    deep, width, depth, reach = ring
    ax = np.abs(x)
    front = np.float32(0.28) * ax - np.float32(0.75) * depth
    back = deep - 1 + np.float32(0.1) * ax
    return np.asarray(np.minimum.reduce([back - behind, behind - front, reach - ax, ax - width / 2 - 1]))


def _sacral_roof(ring: list[Coordinates], x: Coordinates, behind: Coordinates) -> Coordinates:
    deep, width, _, _ = ring
    sheet = np.float32(3.2) - np.abs(behind - deep - 3 + np.float32(0.012) * x * x)
    return np.asarray(np.minimum(sheet, width / 2 + 9 - np.abs(x)))


def _crest(vertebra: VertebraSpec, local: Local) -> Coordinates:
    x, behind, z = local
    deep, (tip, drop) = vertebra.canal_depth, vertebra.spinous_tip
    reach = max((tip - deep) / 2 + 2, 3.0)
    oval = ellipse((behind - np.float32(deep + reach - 1), reach), (z - np.float32(drop), 10.0))
    return np.asarray(np.minimum(3.0 - np.abs(x), oval))


def pedicle_depth(vertebra: VertebraSpec, local: Local) -> Coordinates:
    """Millimetres inside the pedicles."""
    x, behind, z = local
    if vertebra.name.startswith("S"):
        return np.full_like(x, -1)
    across = np.abs(x) - np.float32((vertebra.canal_width + vertebra.pedicle_width) / 2)
    tube = ellipse((across, vertebra.pedicle_width / 2), (z - 5.0, vertebra.pedicle_height / 2))
    depth: Coordinates = np.minimum(tube, np.minimum(behind + 8, 11 - behind))
    return depth


def paint_pedicles(canvas: Canvas, vertebra: VertebraSpec, index: int, local: Local) -> None:
    """Both pedicles, where they can lie."""
    x, behind, z = local
    near = (behind > -8) & (behind < 11) & (np.abs(z - 5) < np.float32(vertebra.pedicle_height / 2 + 0.1))
    rows = np.flatnonzero(near)
    if rows.size:
        _paint_bone_at(canvas, rows, pedicle_depth(vertebra, (x[rows], behind[rows], z[rows])), index)


def _paint_bone_at(canvas: Canvas, rows: np.ndarray, depth: Coordinates, index: int) -> None:
    """`paint_bone` at some points."""
    bone = depth > 0
    inside, marrow = rows[bone], rows[depth > _ARCH_WALL_MM]
    canvas.tissue[inside], canvas.part[inside] = Tissue.CORTEX, FIRST_ARCH + index
    canvas.tissue[marrow] = Tissue.MARROW


def paint_bone(canvas: Canvas, depth: Coordinates, index: int, wall_mm: float = _ARCH_WALL_MM) -> None:
    """Cortex and marrow of arches."""
    canvas.paint(depth > 0, Tissue.CORTEX, FIRST_ARCH + index)
    canvas.paint(depth > wall_mm, Tissue.MARROW, FIRST_ARCH + index)


def paint_facets(canvas: Canvas, segment: SegmentSpec, row: SegmentRow, index: int, place: Between) -> None:
    """Both joints of a segment: the process of the vertebra below in front and outside, that of the one above behind
    and inside."""
    for spec, mask in ((segment.left, place.x > 0), (segment.right, place.x <= 0)):
        rows = np.flatnonzero(mask & (np.abs(place.x) < 38) & (place.behind > 0) & (place.behind < 36))
        if rows.size:
            block = canvas.taken(rows)
            _paint_facet(block, spec, row, index, (np.abs(place.x[rows]), place.behind[rows], place.up[rows]))
            canvas.put(rows, block)


def _paint_facet(canvas: Canvas, spec: SideSpec, row: SegmentRow, index: int, at: Local) -> None:
    """One joint: `along` runs in the joint from its inner front to its outer back, `outward` across it; the joint is
    an arc."""
    center, angle = row.facet_center, np.radians(spec.facet_angle)
    across, back, height = (c - np.float32(m) for c, m in zip(at, center, strict=True))
    along = across * np.float32(np.sin(angle)) + back * np.float32(np.cos(angle))
    outward = across * np.float32(np.cos(angle)) - back * np.float32(np.sin(angle)) + np.float32(0.028) * along**2
    grown, gap = spec.overgrowth, np.float32(spec.facet_gap / 2)
    height = height - 2
    below = ellipse((along + 1.0, 9.6 + 0.5 * grown), (outward - 4.6, 7.0 + 0.6 * grown), (height, 13.0 + 0.7 * grown))
    front = ellipse((across + 1.0, 7.5), (back + 7.2, 5.0), (height, 12.0 + 0.7 * grown))
    above = ellipse((along - 0.5, 8.6 + 0.5 * grown), (outward + 4.2, 6.2 + 0.6 * grown), (height - 1, 14.5))
    paint_bone(canvas, np.minimum(above, -outward - gap), index, 1.0)
    paint_bone(canvas, np.minimum(np.maximum(below, front), outward - gap), index + 1, 1.0)
    joint = (np.abs(outward) < gap) & (np.abs(along) < 8.2) & (np.abs(height) < 10.5)
    canvas.paint(joint, Tissue.FACET_FLUID if spec.facet_fluid else Tissue.CARTILAGE, 0)

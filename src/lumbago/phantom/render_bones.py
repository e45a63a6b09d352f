"""Vertebral bodies and discs as tissue."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32

from lumbago.phantom.canal_section import bulge_of
from lumbago.phantom.canvas import Canvas
from lumbago.phantom.noise_field import noise
from lumbago.phantom.shapes import bump, ellipse, smoothstep
from lumbago.phantom.spine_frames import Between, half_depth
from lumbago.phantom.spine_spec import DiscSpec, EndplateSpec, SegmentSpec, VertebraSpec
from lumbago.phantom.tissues import FIRST_BODY, FIRST_DISC, Tissue

Coordinates = Float32[np.ndarray, " points"]
Local = tuple[np.ndarray, np.ndarray, np.ndarray]

_WALL_MM, _ENDPLATE_MM, _LIGAMENT_MM, _FIBRE_MM = 0.9, 1.1, 1.4, 3.5


@dataclass(frozen=True, eq=False)
class BodyDepth:
    """Millimetres inside a body: from its side wall (its outline goes on beyond the ends), from its upper and lower
    end."""

    side: Coordinates
    upper: Coordinates
    lower: Coordinates
    ring: Coordinates


def body_depth(vertebra: VertebraSpec, local: Local, texture: int) -> BodyDepth:
    """How deep points lie inside a body; `ring` is 0 in the middle of the outline and 1 on it."""
    x, behind, z = local
    back = half_depth(vertebra, z)
    y = behind + back
    share = np.clip(z / np.float32(vertebra.height) + np.float32(0.5), 0, 1)
    waist = 1 - 4 * np.float32(1 - vertebra.waist) * share * (1 - share)
    half = (np.float32(vertebra.width[1]) + share * np.float32(vertebra.width[0] - vertebra.width[1])) / 2 * waist
    ring = _outline(x / half, y / back, waist)
    side = np.minimum((1 - ring) * np.minimum(half, back), _hollow(x, half, vertebra) - behind)
    slope = np.float32(np.tan(np.radians(vertebra.wedge / 2)))
    rim = np.clip(1 - ring, 0, 1) ** 0.7
    ends = [
        vertebra.height / 2 - slope * y - rim * plate.concavity * 1.6 - _damage(plate, (x, y, z), texture + number)
        for number, plate in enumerate((vertebra.upper, vertebra.lower))
    ]
    return BodyDepth(side, ends[0] - z, z + ends[1], ring)


def _outline(x: Coordinates, y: Coordinates, waist: Coordinates) -> Coordinates:
    """Kidney-shaped outline: an ellipse in front, squarer behind; 1 on the rim."""
    front = y / waist
    behind = np.abs(y) * np.float32(0.86)
    y = np.where(y < 0, front, behind)
    ring: Coordinates = (np.abs(x) ** np.float32(2.3) + np.abs(y) ** np.float32(2.3)) ** np.float32(1 / 2.3)
    return ring


def _hollow(x: Coordinates, half: Coordinates, vertebra: VertebraSpec) -> Coordinates:
    """The posterior wall: hollow in the middle from T12 to L4, flat at L5."""
    depth = {"L4": 0.8, "L5": 0.2}.get(vertebra.name, 1.3) if vertebra.name[0] != "S" else 0.0
    return -np.float32(depth) * np.clip(1 - (x / (half * np.float32(0.55))) ** 2, 0, 1)


def _damage(plate: EndplateSpec, point: Local, texture: int) -> Coordinates | float:
    if plate.roughness < 0.3:
        return 0.0
    x, y, _ = point
    level = np.zeros_like(x)
    rough = plate.roughness * np.clip(noise((x, y, level), (0.8, 0.8, 1.0), 4.5, texture), -0.5, 2.0)
    left, back, radius, depth = plate.schmorl
    pit = depth * np.clip(1 - ((x - left) ** 2 + (y - back) ** 2) / max(radius, 1) ** 2, 0, 1) ** 0.5 if depth else 0.0
    hurt: Coordinates = rough + pit
    return hurt


def may_be_body(vertebrae: tuple[VertebraSpec, VertebraSpec], segment: SegmentSpec, place: Between) -> np.ndarray:
    """Where bodies, disc or herniation can lie: no further behind and to the side than they can stand out."""
    disc = segment.disc
    lips = [max(vertebra.upper.osteophyte, vertebra.lower.osteophyte) for vertebra in vertebrae]
    sideways, _, half_height, thick = disc.fragment
    bulge = max(bulge_of(segment), *disc.foraminal_bulge, 0)
    out = np.float32(max(*lips, bulge + max(disc.hernia_depth, 0), 1.05 * thick) + 1)
    half = max(max(vertebra.width) for vertebra in vertebrae) / 2
    least = min(min(*vertebra.width, *vertebra.depth) * vertebra.waist for vertebra in vertebrae) / 2
    wide = max(
        half * (1 + float(out) / least),
        24.2,
        abs(disc.hernia_x) + disc.hernia_width,
        abs(sideways) + 0.55 * half_height + 2 if thick else 0,
    )
    (x_above, behind_above, _), (x_below, behind_below, _) = place.above, place.below
    beside = np.minimum(np.abs(x_above), np.abs(x_below)) < np.float32(wide + 1)
    return np.asarray(beside & (np.minimum(behind_above, behind_below) < out))


def paint_body(canvas: Canvas, vertebra: VertebraSpec, index: int, local: Local, depth: BodyDepth) -> None:
    """Cortex, endplates, marrow, Modic bands and the vein of the body."""
    ends = np.minimum(depth.upper, depth.lower)
    side = depth.side + _osteophytes(vertebra, depth, local[1])
    part = FIRST_BODY + index
    _paint_front_ligament(canvas, side, ends, local)
    canvas.paint((side > 0) & (ends > 0), Tissue.CORTEX, part)
    canvas.paint((side > 0) & (ends > 0) & (ends < _ENDPLATE_MM), Tissue.ENDPLATE, part)
    inside = (side > _WALL_MM) & (ends > _ENDPLATE_MM)
    canvas.paint(inside, Tissue.MARROW, part)
    if vertebra.edema:
        canvas.paint(inside & (depth.upper < 0.55 * vertebra.height), Tissue.MODIC_1, part, 1.0)
    for plate, end in ((vertebra.upper, depth.upper), (vertebra.lower, depth.lower)):
        _paint_modic(canvas, plate, inside, end, local)
    x, behind, z = local
    opening = (3.0 + 0.35 * behind) * np.float32(vertebra.basivertebral)
    vein = inside & (behind > -9) & (np.abs(x) < 5) & (np.abs(z - 1) < opening)
    canvas.paint(vein, Tissue.EPIDURAL_VEIN, part)


def _paint_front_ligament(canvas: Canvas, side: Coordinates, ends: Coordinates, local: Local) -> None:
    """The anterior longitudinal ligament on the front of body and disc."""
    x, behind, _ = local
    on_front = (side > -_LIGAMENT_MM) & (side <= 0) & (ends > -4) & (behind < -14) & (np.abs(x) < 15)
    canvas.paint(on_front & (canvas.tissue != Tissue.DISC) & (canvas.tissue != Tissue.OUTER_ANNULUS), Tissue.CORTEX, 0)


def _osteophytes(vertebra: VertebraSpec, depth: BodyDepth, behind: Coordinates) -> Coordinates:
    """Lips at the rims: how far the outline grows near each end, less behind than in front."""
    upper = np.float32(vertebra.upper.osteophyte) * np.clip(1 - np.abs(depth.upper) / 5, 0, 1) ** 2
    lower = np.float32(vertebra.lower.osteophyte) * np.clip(1 - np.abs(depth.lower) / 5, 0, 1) ** 2
    lips: Coordinates = np.maximum(upper, lower) * (1 - np.float32(0.85) * smoothstep(behind, -12.0, -4.0))
    return lips


def _paint_modic(canvas: Canvas, plate: EndplateSpec, inside: np.ndarray, end: Coordinates, local: Local) -> None:
    if not plate.modic:
        return
    x, behind, z = local
    grain = noise((x, behind, z), (0.9, 0.9, 0.9), 5.0, plate.modic)
    reach = np.float32(plate.modic_height) * (1 + np.float32(0.3) * grain)
    if plate.modic_front:
        reach = reach * np.clip(1 - (behind + 22) / 14, 0, 1)
    share = np.clip((reach - end) / np.float32(2.5) + np.float32(0.4), 0, 1)
    tissue = (Tissue.MODIC_1, Tissue.MODIC_2, Tissue.MODIC_3)[plate.modic - 1]
    canvas.paint(inside & (share > 0), tissue, shade=share)


# --- disc ------------------------------------------------------------------------------------------------------------

_GEL, _SCAR = (0.58, 0.5, 0.15, 0.1, 0.6), (0.0, 0.0, 0.04, 0.22, 0.0)
"""Gel in the nucleus by Pfirrmann grade, and what has turned into dense fibre; the rest is loose fibre. So that discs
relate to marrow as in SPIDER's patients: `bench/contrast.py`."""


IN_ANNULUS_MM: Final = 2.6
"""How far inside the rim of the disc the middle of a high-intensity zone lies."""
_HALFWAY_MM: Final = 14.0


def paint_disc(
    canvas: Canvas, segment: SegmentSpec, index: int, place: Between, depths: tuple[BodyDepth, BodyDepth]
) -> None:
    """The disc between two bodies: nucleus as `shade` (1 in its middle), annulus, clefts, high-intensity zone."""
    above, below = depths
    disc = segment.disc
    side = above.side + place.part * (below.side - above.side) + _standing_out(segment, place)
    gap = (above.lower < 0) & (below.upper < 0)
    inside = gap & (side > 0)
    if not inside.any():
        return
    ring = 1 - np.clip(side / 16, 0, 1)
    height = -above.lower - below.upper
    middle = np.clip(1 - np.abs(above.lower - below.upper) / np.maximum(height, 0.5), 0, 1)
    round_ = np.sqrt((ring / np.float32(disc.nucleus_size)) ** 2 + np.clip(1 - middle, 0, 1) ** 4 * 0.5)
    shade = 1 - smoothstep(round_, 1 - disc.nucleus_blur, 1 + disc.nucleus_blur)
    shade *= 1 - np.float32(disc.cleft) * bump(middle, 1.0, 0.28) * bump(ring, 0.3, 0.6)
    shade = np.float32(_GEL[disc.pfirrmann - 1]) * shade - np.float32(_SCAR[disc.pfirrmann - 1])
    shade = _fibrous(shade, np.minimum(side, 3 * np.minimum(-above.lower, -below.upper)))
    canvas.paint(inside, Tissue.DISC, FIRST_DISC + index, shade)
    canvas.paint(inside & (side < 1.5) & (shade < 0), Tissue.OUTER_ANNULUS)
    if disc.vacuum:
        canvas.paint(inside & (middle > 0.6) & (np.abs(ring - 0.5) < 0.3) & (place.x > -6), Tissue.VACUUM)
    for zone in disc.zones:
        wide, deep, high = zone.half
        spot = ellipse((place.x - zone.x, wide), (side - IN_ANNULUS_MM, deep), (place.up + zone.down, high))
        is_there = place.behind < -_HALFWAY_MM if zone.in_front else place.behind > -_HALFWAY_MM
        canvas.paint(inside & is_there & (spot > 0), Tissue.HIGH_INTENSITY_ZONE)


def _fibrous(shade: Coordinates, inward: Coordinates) -> Coordinates:
    """The disc's shade with its border of fibre and cartilage, down to -1 where there is nothing else; `inward` is in
    mm of annulus, of which a cartilage endplate counts a third."""
    border = np.clip(1 - inward / np.float32(_FIBRE_MM), 0, 1)
    return np.asarray(shade * (1 - border) - border)


def front_bulge(disc: DiscSpec) -> float:
    """How far a disc stands out in front of the bodies."""
    return 0.4 * max(disc.bulge, 0.0)


def _standing_out(segment: SegmentSpec, place: Between) -> Coordinates:
    """How far the disc stands out beyond the bodies: behind as in `canal_section.canal_front`, and toward the
    foramina."""
    disc = segment.disc
    x = place.x
    settle = np.clip(1 - (x / np.float32(24.2)) ** 2, 0, 1)
    lateral = np.where(x > 0, *(np.float32(value) for value in disc.foraminal_bulge)) * smoothstep(np.abs(x), 9.0, 15.0)
    behind = smoothstep(place.behind, -9.0, -4.0)
    fade = 1 - smoothstep(np.abs(place.up), 0.5 * disc.height + 0.5, 0.5 * disc.height + 3.5)
    out = np.maximum(np.float32(bulge_of(segment)) * settle, lateral) * behind + np.float32(front_bulge(disc)) * (
        1 - behind
    )
    hernia = disc.hernia_depth * bump(x, disc.hernia_x, disc.hernia_width) * behind if disc.hernia_depth else 0.0
    stood: Coordinates = out * fade + hernia
    return stood


def paint_hernia(canvas: Canvas, segment: SegmentSpec, index: int, place: Between) -> None:
    """Disc tissue that stands out behind the bodies, above and below the disc space too."""
    disc = segment.disc
    bulge = bulge_of(segment)
    if bulge + disc.hernia_depth < 0.5:
        return
    reach = disc.height / 2 + 1.5
    out = bulge * np.clip(1 - (place.x / 24.2) ** 2, 0, 1) * bump(place.up, 0.0, reach + 3)
    out = out + disc.hernia_depth * bump(place.x, disc.hernia_x, disc.hernia_width) * bump(
        place.up + disc.hernia_down, 0.0, reach + 4
    )
    beyond = (place.behind > 0) & (place.behind < out)
    canvas.paint(beyond, Tissue.DISC, FIRST_DISC + index, 0.0)
    canvas.paint(beyond & (place.behind > out - 0.9), Tissue.OUTER_ANNULUS)
    _paint_fragment(canvas, disc, index, place)


def _paint_fragment(canvas: Canvas, disc: DiscSpec, index: int, place: Between) -> None:
    """What of an extrusion or sequestration lies behind a body: brighter than the annulus, for it holds nucleus."""
    x, up, half, depth = disc.fragment
    if not depth:
        return
    inside = ellipse(
        (place.x - x, 0.55 * half + 2.0), (place.behind - 0.45 * depth, 0.6 * depth), (place.up - up, half)
    )
    lump = (inside > 0) & (place.behind > -1.5) & (place.behind < 14)
    canvas.paint(lump, Tissue.DISC, FIRST_DISC + index, 0.3)

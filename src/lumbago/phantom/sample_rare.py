"""What only some spines have: extrusions and sequestrations, spondylolysis, compression fractures, transitional
vertebrae.

Drawn on top of a common spine with random numbers of its own, and so that the measured stenosis of a disc stays what it
is: a fragment lies behind a body, a lysis widens the canal behind the sac.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from lumbago.phantom.spine_spec import DiscSpec, SegmentSpec, SpineSpec, VertebraSpec

_EXTRUDED: Final = 0.35
_SEQUESTERED: Final = 0.13
"""Share of herniations that are extrusions or sequestrations, and of those that are sequestrations."""
_DOWNWARD: Final = 0.72
"""Share of fragments that migrate toward the feet (Daghighi 2014, 1,020 herniations)."""
_ISTHMIC: Final = {"L5/S1": 0.5, "L4/L5": 0.06}
_LYSIS_WITHOUT_SLIP: Final = 0.03
"""Share of slips whose arch is cleft, and of straight L5 with a cleft (Aoki 2020: 6.4 % of persons, half of them
slipped)."""
_FRACTURE_AT: Final = {"T11": 0.1, "T12": 0.28, "L1": 0.3, "L2": 0.14, "L3": 0.1, "L4": 0.08}
_SACRALISED, _LUMBARISED = 0.10, 0.03


def with_rare_findings(spec: SpineSpec) -> SpineSpec:
    """The spine with the rare findings that its seed gives it."""
    rng = np.random.default_rng([spec.seed, 6])
    segments = tuple(replace(segment, disc=_herniated(rng, segment.disc)) for segment in spec.segments)
    spec = replace(spec, segments=segments)
    spec = _with_lysis(rng, spec)
    spec = _with_fracture(rng, spec)
    return _with_transition(rng, spec)


def _herniated(rng: Generator, disc: DiscSpec) -> DiscSpec:
    """Some herniations are higher than their base: material behind the body below or above, joined to the disc or
    apart from it."""
    draws, half, depth = rng.random(3), rng.uniform(3.5, 6.5), rng.uniform(0.6, 1.0)
    if not disc.is_herniated or draws[0] > _EXTRUDED:
        return disc
    apart = draws[1] < _SEQUESTERED
    middle = disc.height / 2 + half * (0.75 if not apart else 1.0) + (rng.uniform(1.5, 4) if apart else 0.0)
    up = -middle if draws[2] < _DOWNWARD else middle
    kind = "sequestration" if apart else "extrusion"
    fragment = (disc.hernia_x, float(up), float(half), float(max(depth * disc.hernia_depth, 3.0)))
    return replace(disc, hernia_kind=kind, fragment=fragment)


def _with_lysis(rng: Generator, spec: SpineSpec) -> SpineSpec:
    """Cleft arches: they stay behind when the body slips, so the canal is deeper there."""
    vertebrae = list(spec.vertebrae)
    for index, segment in enumerate(spec.segments):
        draw, gap = rng.random(), float(rng.uniform(1.5, 5))
        if draw < _lysis_share(segment):
            body = vertebrae[index]
            deeper = body.canal_depth + (segment.slip if segment.is_slipped else 0.0)
            vertebrae[index] = replace(body, pars_gap=gap, canal_depth=deeper)
    return replace(spec, vertebrae=tuple(vertebrae))


def _lysis_share(segment: SegmentSpec) -> float:
    if segment.is_slipped:
        return _ISTHMIC.get(segment.name, 0.0) if segment.slip > 0 else 0.0
    return _LYSIS_WITHOUT_SLIP if segment.name == "L5/S1" else 0.0


def _with_fracture(rng: Generator, spec: SpineSpec) -> SpineSpec:
    """A wedged or biconcave body in some of the old; the spine above leans forward by the angle that the wedge took."""
    draw, name = rng.random(), str(rng.choice(list(_FRACTURE_AT), p=list(_FRACTURE_AT.values())))
    loss, biconcave, fresh = float(rng.uniform(0.15, 0.4)), rng.random() < 0.35, bool(rng.random() < 0.3)
    if draw > np.interp(spec.age, (50, 85), (0.005, 0.15)):
        return spec
    index = [vertebra.name for vertebra in spec.vertebrae].index(name)
    body = spec.vertebrae[index]
    broken = _biconcave(body, loss) if biconcave else _wedged(body, loss)
    vertebrae = (*spec.vertebrae[:index], replace(broken, collapse=loss, edema=fresh), *spec.vertebrae[index + 1 :])
    half = (broken.wedge - body.wedge) / 2
    segments = tuple(
        replace(segment, lordosis=segment.lordosis + half) if number in (index - 1, index) else segment
        for number, segment in enumerate(spec.segments)
    )
    return replace(spec, vertebrae=vertebrae, segments=segments)


def _wedged(body: VertebraSpec, loss: float) -> VertebraSpec:
    lost = loss * body.height
    upper = replace(body.upper, roughness=max(body.upper.roughness, 0.8))
    return replace(
        body,
        height=body.height - lost / 2,
        wedge=body.wedge - float(np.degrees(np.arctan(lost / body.depth[0]))),
        upper=upper,
    )


def _biconcave(body: VertebraSpec, loss: float) -> VertebraSpec:
    sunk = loss * body.height / 3.2
    return replace(
        body,
        upper=replace(body.upper, concavity=body.upper.concavity + sunk, roughness=max(body.upper.roughness, 0.8)),
        lower=replace(body.lower, concavity=body.lower.concavity + 0.6 * sunk),
    )


def _with_transition(rng: Generator, spec: SpineSpec) -> SpineSpec:
    """L5 joined to the wings of the sacrum, or an S1 like a lumbar body (8 to 16 % of persons; Ucar 2013)."""
    draw, thick, kept = rng.random(), float(rng.uniform(7, 10)), float(rng.uniform(4.0, 6.0))
    names = [vertebra.name for vertebra in spec.vertebrae]
    if draw < _SACRALISED:
        changes = {"L5": replace(spec.vertebrae[names.index("L5")], wing=thick)}
        return replace(spec, transitional="sacralised", vertebrae=_changed(spec, changes))
    if draw > _SACRALISED + _LUMBARISED:
        return spec
    top = spec.vertebrae[names.index("S1")]
    changes = {"S1": replace(top, depth=(top.depth[0], 0.87 * top.depth[0]), wedge=0.5 * top.wedge)}
    segments = tuple(
        replace(segment, disc=replace(segment.disc, height=kept)) if segment.name == "S1/S2" else segment
        for segment in spec.segments
    )
    return replace(spec, transitional="lumbarised", vertebrae=_changed(spec, changes), segments=segments)


def _changed(spec: SpineSpec, changes: dict[str, VertebraSpec]) -> tuple[VertebraSpec, ...]:
    return tuple(changes.get(vertebra.name, vertebra) for vertebra in spec.vertebrae)

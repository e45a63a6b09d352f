"""The networks that draw tissues for their sizes: where each of them looks, and what is measured there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from lumbago.anatomy.findings import Finding, Measurement, Outline
from lumbago.dicom.volume import Volume
from lumbago.inference.weights import Model
from lumbago.pipeline.axial_sizes import stated_on_axial
from lumbago.pipeline.draw_axial import draw_axial
from lumbago.pipeline.draw_foramina import draw_foramina
from lumbago.pipeline.drawn_tissues import Place, Sizes
from lumbago.pipeline.foramen_sizes import stated_in_foramina
from lumbago.pipeline.place_patches import LocatedSpine


@dataclass(frozen=True, slots=True)
class Drawer:
    """What a model draws.

    Attributes:
        where: in words, for who misses it.
        draw: its drawings of a study, given the model, what was located, and the axial volumes.
        sizes: what is measured on one of them.
    """

    where: str
    draw: Callable[[Model, LocatedSpine, Sequence[Volume]], Sequence[Any]]
    sizes: Callable[[Any], Sizes]


DRAWERS: Final[Mapping[str, Drawer]] = {
    "axial-tissues": Drawer("on axial slices", draw_axial, stated_on_axial),
    "foramen-tissues": Drawer("in foramina", lambda model, spine, _: draw_foramina(model, spine), stated_in_foramina),
}
"""By the name of the model."""


def draw_tissues(
    models: Mapping[str, Model], spine: LocatedSpine, axials: Sequence[Volume]
) -> tuple[tuple[Outline, ...], Sizes]:
    """Outlines of all that the models draw, and what is measured of it where millimetres are known."""
    outlines: list[Outline] = []
    sizes: dict[Place, Mapping[str, Measurement]] = {}
    for name, model in models.items():
        for drawing in DRAWERS[name].draw(model, spine, axials):
            outlines += drawing.outlines()
            if not drawing.volume.geometry_is_assumed:
                sizes |= DRAWERS[name].sizes(drawing)
    return tuple(outlines), sizes


def with_sizes(findings: Sequence[Finding], sizes: Sizes) -> tuple[Finding, ...]:
    """The findings, each with what was drawn and measured of its structure."""
    own = [sizes.get((finding.condition, finding.level, finding.side), {}) for finding in findings]
    return tuple(
        replace(finding, measurements={**finding.measurements, **measured}) if measured else finding
        for finding, measured in zip(findings, own, strict=True)
    )

"""Who phantoms are drawn as: sizes, ages and causes of stenosis as a crowd.

Rows of factors by the name of a field, on what `anatomy_tables` and the `sample_*` files draw. Grades are measured on
the drawn anatomy by the same cuts whoever is drawn, so a narrower crowd has more stenosis.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from lumbago.phantom.anatomy_tables import SEGMENTS, VERTEBRAE, SegmentRow, VertebraRow

Factors = Mapping[str, float | tuple[float, ...]]
"""By field: one factor, or one for each number of the field."""
Row = TypeVar("Row")


@dataclass(frozen=True, eq=False)
class Population:
    """A crowd.

    Attributes:
        vertebrae, segments: mean sizes.
        age: mean and spread in years.
        size_spread: of the factor on all lengths, as its logarithm.
        focal: share of a stenosis latent's variance that is its own place's alone, beyond what RSNA 2024 shows.
        worse: what is added to every stenosis latent.
        canal, side, disc, plate, vertebra, trunk, posture: factors on fields of `CanalSpec`, `SideSpec`, `DiscSpec`,
            `EndplateSpec`, `VertebraSpec`, `TrunkSpec`, `SpineSpec` once they are drawn.
    """

    vertebrae: tuple[VertebraRow, ...] = VERTEBRAE
    segments: tuple[SegmentRow, ...] = SEGMENTS
    age: tuple[float, float] = (57.0, 16.0)
    size_spread: float = 0.05
    focal: float = 0.0
    worse: float = 0.0
    canal: Factors = field(default_factory=dict)
    side: Factors = field(default_factory=dict)
    disc: Factors = field(default_factory=dict)
    plate: Factors = field(default_factory=dict)
    vertebra: Factors = field(default_factory=dict)
    trunk: Factors = field(default_factory=dict)
    posture: Factors = field(default_factory=dict)


def scaled(row: Row, factors: Factors) -> Row:
    """A frozen row with some of its fields multiplied."""
    changes = {name: _times(getattr(row, name), factor) for name, factor in factors.items()}
    return replace(row, **changes) if changes else row  # type: ignore[type-var]


def _times(value: Any, factor: float | tuple[float, ...]) -> Any:
    if isinstance(value, tuple):
        each = factor if isinstance(factor, tuple) else (factor,) * len(value)
        return tuple(one * by for one, by in zip(value, each, strict=True))
    return value * factor


USUAL_PEOPLE: Final = Population()

_OTHER_VERTEBRA: Final[Factors] = {
    "height": 0.93, "depth": 1.05, "width": 0.95, "waist": 0.97, "concavity": 1.6, "canal_width": 0.95,
    "canal_depth": 0.94, "pedicle_width": 1.12, "pedicle_height": 0.93, "spinous_tip": 0.92,
}  # fmt: skip
_OTHER_SEGMENT: Final[Factors] = {"disc_height": 1.12, "lordosis": 1.18, "sac_area": 0.9, "sac_depth": 0.95}

OTHER_PEOPLE: Final = Population(
    vertebrae=tuple(scaled(row, _OTHER_VERTEBRA) for row in VERTEBRAE),
    segments=tuple(scaled(row, _OTHER_SEGMENT) for row in SEGMENTS),
    age=(47.0, 20.0),
    size_spread=0.07,
    focal=0.5,
    worse=0.15,
    canal={"dorsal_fat": 0.6, "flavum": 1.35, "corner_x": 1.05, "ceiling_power": 0.85, "root_share": 1.2,
           "sac_back": 1.25, "waviness": 2.0},
    side={"recess_root": 1.15, "facet_gap": 1.3, "overgrowth": 1.3, "gaps": (0.85, 1.15, 1.3, 0.9), "ganglion": 1.08},
    disc={"bulge": 1.25, "nucleus_size": 0.88, "nucleus_blur": 1.4, "hernia_width": 0.8, "cleft": 0.6},
    plate={"osteophyte": 1.5, "roughness": 1.15},
    vertebra={"marrow_fat": 1.15, "basivertebral": 1.4},
    trunk={"fat_upper": 1.5, "fat_lower": 1.35, "muscle_scale": 0.9, "psoas_scale": 0.85, "muscle_fat": 1.35,
           "half_width": 1.05, "front": 1.08},
    posture={"tilt_degrees": 1.6, "offset_lps_mm": 1.4},
)  # fmt: skip
"""Stouter and shorter bodies with higher discs and narrower canals, each mean within the spread between the 87 patients
of Clouthier 2023; standing instead of lying lordosis (Sci Rep 2022 s41598-022-21840-x); a sac of 152 mm2 at L4/L5
(healthy controls of a stenosis study) instead of 168; younger and fatter persons, whose stenoses are more frequent,
less alike from level to level, less of fat and more of flavum."""

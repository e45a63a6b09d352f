"""The drawn truth of one phantom: frozen, made of numbers alone, and written as JSON.

Lengths are millimetres of an adult of size 1; `SpineSpec.size` scales them all. Lateral coordinates count to the
patient's left, `behind` counts backward from the posterior wall of the bodies.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class EndplateSpec:
    """One end of a vertebral body: roughness and osteophyte in mm, Schmorl node (left, behind the middle, radius,
    depth), Modic change."""

    concavity: float
    roughness: float = 0.0
    osteophyte: float = 0.0
    schmorl: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    modic: int = 0
    modic_height: float = 0.0
    modic_front: bool = False


@dataclass(frozen=True, slots=True)
class VertebraSpec:
    """A vertebra; the first fields are those of `anatomy_tables.VertebraRow`.

    `pars_gap` is the width of the clefts of a spondylolysis, `wing` the half thickness of transverse processes that
    join the sacrum, `collapse` the share of the front height that a compression fracture took, `edema` whether that
    is fresh.
    """

    name: str
    height: float
    wedge: float
    depth: tuple[float, float]
    width: tuple[float, float]
    waist: float
    upper: EndplateSpec
    lower: EndplateSpec
    canal_width: float
    canal_depth: float
    pedicle_width: float
    pedicle_height: float
    spinous_tip: tuple[float, float]
    spinous_height: float
    transverse_tip: tuple[float, float]
    sac_depth: float
    sac_half_width: float
    marrow_fat: float
    basivertebral: float
    pars_gap: float = 0.0
    wing: float = 0.0
    collapse: float = 0.0
    edema: bool = False


@dataclass(frozen=True, slots=True)
class ZoneSpec:
    """A high-intensity zone in the annulus, behind or in front: `x` to the left, `down` below the middle of the disc,
    and half of its width, of its extent inward, and of its height."""

    x: float
    down: float
    in_front: bool
    half: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class DiscSpec:
    """A disc. `height` is the mean of its corners; `bulge` and herniation are how far it stands out behind the wall.

    The herniation lies `hernia_x` to the left with half width `hernia_width`, `hernia_down` below the middle of the
    disc. A `fragment` (left, up, half height, depth) is what of an extrusion or sequestration lies behind a body; its
    depth is 0 when there is none. `nucleus_blur` is the softness of the border of the nucleus, `cleft` its dark
    horizontal cleft (0 to 1).
    """

    height: float
    pfirrmann: int
    bulge: float
    foraminal_bulge: tuple[float, float]
    hernia_depth: float
    hernia_x: float
    hernia_width: float
    hernia_down: float
    nucleus_size: float
    nucleus_blur: float
    cleft: float
    vacuum: bool
    is_narrowed: bool
    is_bulging: bool
    is_herniated: bool
    zones: tuple[ZoneSpec, ...]
    hernia_kind: str = "protrusion"
    fragment: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class CanalSpec:
    """The canal at a disc: the dural sac (its front gap, depth, half width, shape exponents), the fat behind it,
    flavum and roots.

    `root_share` is the part of the sac that roots fill; `waviness` is how far they are thrown aside above a narrow
    place, in half widths.
    """

    latent: float
    area_ratio: float
    front_gap: float
    sac_depth: float
    sac_half_width: float
    sac_front: float
    sac_back: float
    dorsal_fat: float
    corner_x: float
    ceiling_power: float
    flavum: float
    root_share: float
    waviness: float


@dataclass(frozen=True, slots=True)
class SideSpec:
    """One side of a motion segment: recess, foramen and facet joint.

    Foraminal gaps are what lies between the ganglion and what surrounds it: in front, behind, above, below.
    `ganglion` is (half depth, half height); `slit` the width of the lower foramen.
    """

    recess_latent: float
    recess_depth: float
    recess_root: float
    foramen_latent: float
    gaps: tuple[float, float, float, float]
    ganglion: tuple[float, float]
    ganglion_x: float
    slit: float
    facet_angle: float
    facet_gap: float
    facet_fluid: bool
    overgrowth: float


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """What lies between two vertebrae; angles in degrees, `slip` is how far the upper body stands in front of the
    lower one."""

    name: str
    lordosis: float
    lateral_tilt: float
    slip: float
    is_slipped: bool
    disc: DiscSpec
    canal: CanalSpec
    left: SideSpec
    right: SideSpec


@dataclass(frozen=True, slots=True)
class TrunkSpec:
    """Soft tissue around the spine. Blobs are (left, behind, up, three radii, tissue) about the middle vertebra."""

    half_width: float
    front: float
    fat_upper: float
    fat_lower: float
    muscle_scale: float
    psoas_scale: float
    muscle_fat: float
    psoas_fat: float
    aorta_radius: float
    cava_radius: float
    bifurcation: float
    iliac_up: float
    blobs: tuple[tuple[float, float, float, float, float, float, int], ...]


@dataclass(frozen=True, slots=True)
class SpineSpec:
    """One drawn person.

    Attributes:
        size: factor on all lengths.
        offset_lps_mm: where the middle of the body `anatomy_tables.ALONG_MIDDLE` lies.
        tilt_degrees: of the person in the scanner, about the axes to the left, backward and up.
        middle_tilt: degrees by which the front of that body looks down, before `tilt_degrees`.
        conus: end of the cord, counted in vertebrae from the top of `vertebrae` (5.0 is the middle of the sixth).
        handedness: 1, or -1 for the mirror image.
        texture: seed of everything that is grained, see `noise_field`.
        transitional: `none`, `sacralised` (L5 joins the sacrum with its transverse processes) or `lumbarised` (S1 is
            square and keeps a disc). Names count from the lowest full disc.
        setting: name of the row of `phantom_settings` that it was drawn by.
    """

    seed: int
    age: float
    sex: str
    size: float
    vertebrae: tuple[VertebraSpec, ...]
    segments: tuple[SegmentSpec, ...]
    trunk: TrunkSpec
    offset_lps_mm: tuple[float, float, float]
    tilt_degrees: tuple[float, float, float]
    middle_tilt: float
    conus: float
    texture: int
    handedness: int = 1
    transitional: str = "none"
    setting: str = "usual"

    def __hash__(self) -> int:
        """A few fields tell specs apart well enough, and the hash of all numbers would be taken at every look into a
        cache."""
        return hash((self.seed, self.size, self.texture, self.tilt_degrees, self.handedness))

    def segment(self, level: str) -> SegmentSpec:
        """The segment of a level, as `L4/L5`."""
        return next(segment for segment in self.segments if segment.name == level)

    @property
    def person(self) -> str:
        """What to call the person: the seed, and the setting unless that is the usual one."""
        return f"{self.seed}" if self.setting == "usual" else f"{self.seed}-{self.setting}"

    def mirrored(self) -> "SpineSpec":
        """The mirror image of the person; what was left is right."""
        return replace(self, handedness=-self.handedness)

    def to_json(self) -> str:
        """All numbers of the spec; the setting where it is not the usual one."""
        said = {name: value for name, value in asdict(self).items() if (name, value) != ("setting", "usual")}
        return json.dumps(said, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> "SpineSpec":
        """Reads what `to_json` wrote.

        Raises:
            ValueError, KeyError, TypeError: not such a text.
        """
        data = json.loads(text)
        parts = {
            "vertebrae": tuple(_vertebra(row) for row in data["vertebrae"]),
            "segments": tuple(_segment(row) for row in data["segments"]),
            "trunk": TrunkSpec(**_frozen(data["trunk"])),
        }
        return cls(**{**_frozen(data), **parts})


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value


def _frozen(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _tuple(value) for name, value in row.items()}


def _vertebra(row: dict[str, Any]) -> VertebraSpec:
    ends = {name: EndplateSpec(**_frozen(row[name])) for name in ("upper", "lower")}
    return VertebraSpec(**{**_frozen(row), **ends})


def _segment(row: dict[str, Any]) -> SegmentSpec:
    kinds: dict[str, type[Any]] = {"canal": CanalSpec, "left": SideSpec, "right": SideSpec}
    parts = {name: kind(**_frozen(row[name])) for name, kind in kinds.items()}
    return SegmentSpec(**{**_frozen(row), **parts, "disc": _disc(row["disc"])})


def _disc(row: dict[str, Any]) -> DiscSpec:
    zones = tuple(ZoneSpec(**_frozen(zone)) for zone in row["zones"])
    return DiscSpec(**{**_frozen(row), "zones": zones})

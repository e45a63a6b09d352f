"""One row per condition; whatever differs between conditions is a field of its row.

A network head, a line of the report, a cell of the dashboard, a label reader: all are driven by these rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lumbago.anatomy.levels import LEVELS, SIDES, Side

Role = Literal["sagittal_t1", "sagittal_t2", "axial_t2"]
"""What a series is used for. STIR plays `sagittal_t2` when there is no T2 without fat suppression."""

ROLES: Final[tuple[Role, ...]] = ("sagittal_t1", "sagittal_t2", "axial_t2")
ROLE_TITLES: Final[dict[Role, str]] = {
    "sagittal_t1": "sagittal T1",
    "sagittal_t2": "sagittal T2 or STIR",
    "axial_t2": "axial T2",
}


@dataclass(frozen=True, slots=True)
class Scale:
    """An ordered list of grades, from best to worst.

    `values` are the numbers that an expected grade is made of, unless the scale is not `ordinal`; `colours` (sRGB hex)
    go from calm to alarming and
    stay apart for the colour-blind (after Okabe and Ito 2008); `abnormal_from` is the index of the first grade that
    a reader wants to see first.
    """

    name: str
    grades: tuple[str, ...]
    titles: tuple[str, ...]
    values: tuple[float, ...]
    colours: tuple[str, ...]
    abnormal_from: int
    ordinal: bool = True

    def expected_grade(self, probabilities: dict[str, float]) -> float | None:
        """Mean of `values` under the probabilities; None for a scale whose grades have no order."""
        if not self.ordinal:
            return None
        return sum(value * probabilities[grade] for grade, value in zip(self.grades, self.values, strict=True))

    def called(self, probabilities: Mapping[str, float], least: float | None = None) -> str:
        """The grade to give: the likeliest; or, where `least` is the probability from which on an abnormal grade is
        called, the likeliest of the abnormal ones from there on, and of the others below."""
        if least is None:
            return max(probabilities, key=lambda grade: probabilities[grade])
        normal, abnormal = self.grades[: self.abnormal_from], self.grades[self.abnormal_from :]
        among = abnormal if sum(probabilities[grade] for grade in abnormal) >= least else normal
        return max(among, key=lambda grade: probabilities[grade])


_CALM, _MILD, _WARN, _BAD, _WORST = "#009E73", "#56B4E9", "#E69F00", "#D55E00", "#8B1A4A"

SEVERITY = Scale(
    "severity",
    ("normal_mild", "moderate", "severe"),
    ("normal/mild", "moderate", "severe"),
    (0.0, 1.0, 2.0),
    (_CALM, _WARN, _BAD),
    abnormal_from=1,
)
PFIRRMANN = Scale(
    "pfirrmann",
    ("1", "2", "3", "4", "5"),
    ("1", "2", "3", "4", "5"),
    (1.0, 2.0, 3.0, 4.0, 5.0),
    (_CALM, _MILD, _WARN, _BAD, _WORST),
    abnormal_from=3,
)
PRESENCE = Scale("presence", ("absent", "present"), ("absent", "present"), (0.0, 1.0), (_CALM, _BAD), abnormal_from=1)
MODIC = Scale(
    "modic",
    ("0", "1", "2", "3"),
    ("none", "type 1", "type 2", "type 3"),
    (0.0, 1.0, 2.0, 3.0),
    (_CALM, _BAD, _WARN, _WORST),
    abnormal_from=1,
    ordinal=False,
)
DEGENERATION = Scale(
    "degeneration",
    ("normal", "mild_moderate", "severe"),
    ("normal", "mild/moderate", "severe"),
    (0.0, 1.0, 2.0),
    (_CALM, _WARN, _BAD),
    abnormal_from=2,
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is graded.

    Attributes:
        name: as in JSON, on the command line and in label files.
        title: as a reader sees it.
        short: column head of a table.
        scale: its grades.
        source: the role of the series that it is read from; also_from: other roles that can show it, each graded by a
            model of its own and joined (`pipeline.join_series`); instead_from: roles whose answer stands only where
            none of the others gives one.
        is_spot: small enough to lie on a few slices of a disc; how many, and where, is said of it.
        has_zone: lies at one side of a disc or in the middle; which zone is said of it where axial slices are graded.
        sized_by: name of the measurement that says how much of it there is, or "".
        sided: graded for left and right apart.
        definition: what the grade means, with its source.
    """

    name: str
    title: str
    short: str
    scale: Scale
    source: Role
    sided: bool
    definition: str
    also_from: tuple[Role, ...] = ()
    instead_from: tuple[Role, ...] = ()
    is_spot: bool = False
    has_zone: bool = False
    sized_by: str = ""

    @property
    def roles(self) -> tuple[Role, ...]:
        """Every role that it can be read from, the main one first."""
        return (self.source, *self.also_from, *self.instead_from)

    @property
    def sides(self) -> tuple[Side | None, ...]:
        """The sides that are graded: both, or `None` for the middle."""
        return SIDES if self.sided else (None,)


_RSNA = "graded as in the RSNA 2024 lumbar spine challenge, mild merged with normal"

CONDITIONS: Final[dict[str, Condition]] = {
    row.name: row
    for row in (
        Condition("spinal_canal_stenosis", "spinal canal stenosis", "canal", SEVERITY, "sagittal_t2", False,
                  f"narrowing of the dural sac at the disc, {_RSNA}"),
        Condition("neural_foraminal_narrowing", "neural foraminal narrowing", "foramen", SEVERITY, "sagittal_t1", True,
                  f"loss of the fat around the exiting root, {_RSNA}"),
        Condition("subarticular_stenosis", "subarticular stenosis", "recess", SEVERITY, "axial_t2", True,
                  f"narrowing of the lateral recess around the descending root, {_RSNA}"),
        Condition("pfirrmann", "disc degeneration (Pfirrmann)", "Pfirrmann", PFIRRMANN, "sagittal_t2", False,
                  "signal, structure, border and height of the disc, Pfirrmann et al., Spine 2001;26:1873"),
        Condition("disc_degeneration", "disc degeneration", "disc", DEGENERATION, "sagittal_t2", False,
                  "from Pfirrmann: 1-2 normal, 3-4 mild to moderate, 5 severe"),
        Condition("herniation", "disc herniation", "herniation", PRESENCE, "sagittal_t2", False,
                  "protrusion or extrusion beyond the interspace; a bulge is not one (lumbar disc nomenclature 2.0)",
                  also_from=("axial_t2",), has_zone=True),
        Condition("high_intensity_zone", "high-intensity zone", "HIZ", PRESENCE, "sagittal_t2", False,
                  "bright spot in the dark annulus on T2, clear of the nucleus, Aprill and Bogduk 1992",
                  also_from=("axial_t2",), is_spot=True),
        Condition("narrowing", "disc narrowing", "narrowing", PRESENCE, "sagittal_t2", False,
                  "loss of disc height against the neighbours", instead_from=("sagittal_t1",)),
        Condition("bulging", "disc bulging", "bulging", PRESENCE, "sagittal_t2", False,
                  "disc tissue beyond the ring apophyses over more than a quarter of the circumference",
                  instead_from=("sagittal_t1",)),
        Condition("modic", "Modic changes", "Modic", MODIC, "sagittal_t2", False,
                  "marrow change along the endplates: 1 oedema, 2 fat, 3 sclerosis, Modic et al. 1988",
                  also_from=("sagittal_t1",)),
        Condition("endplate_upper", "upper endplate change", "upper endplate", PRESENCE, "sagittal_t2", False,
                  "irregular or broken endplate above the disc", also_from=("sagittal_t1",)),
        Condition("endplate_lower", "lower endplate change", "lower endplate", PRESENCE, "sagittal_t2", False,
                  "irregular or broken endplate below the disc", also_from=("sagittal_t1",)),
        Condition("spondylolisthesis", "spondylolisthesis", "listhesis", PRESENCE, "sagittal_t2", False,
                  "slip of the body above on the body below; its size is given by Meyerding",
                  sized_by="slip_percent"),
    )
}  # fmt: skip


def expected_sites(condition: Condition) -> list[tuple[str, Side | None]]:
    """Every (level, side) at which a condition is graded, from the top down."""
    return [(level, side) for level in LEVELS for side in condition.sides]

"""Protocols of scanners: rows that `sample_scan` draws from and varies (SPIDER's scanner table, van der Graaf 2024, CC
BY 4.0, and its like). Driven equilibrium where sequence names say so: Siemens (RESTORE) and GE (FRFSE).
"""

from dataclasses import dataclass
from typing import Final

from lumbago.anatomy.conditions import Role


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence: times in ms, sizes in mm, images of `matrix` pixels interpolated from `acquired_mm` pixels.

    An inversion makes T1 as FLAIR does; `water` is the water image of a Dixon sequence, without fat's signal.
    """

    description: tuple[str, ...]
    name: str
    repetition_time: float
    echo_time: float
    echo_train: int
    restored: bool
    flip_angle: float
    bandwidth: float
    field_of_view: float
    matrix: tuple[int, ...]
    acquired_mm: float
    thickness: float
    spacing: float
    inversion_time: float = 0.0
    water: bool = False


@dataclass(frozen=True, slots=True)
class Scanner:
    """A scanner and its three sequences; `share` is how often it is met."""

    manufacturer: str
    models: tuple[str, ...]
    tesla: float
    share: float
    sequences: dict[Role, Sequence]
    stir: Sequence


@dataclass(frozen=True, slots=True)
class Planning:
    """How slices are laid on a spine.

    Attributes:
        layouts: shares of axial series that are one block, a block with a tilted lowest disc, a group on each disc.
        square: whether blocks lie square to the table instead of along the mean of their discs.
        askew: degrees that sagittal and axial slices are off by.
        counts: how many sagittal slices, four sorts from the scarcer to the richer, met in 30, 40, 20 and 10 %.
        per_disc: least and one more than most axial slices on a disc.
        widest_mm: largest sagittal and axial field of view.
        suppressed: share of studies whose sagittal T2 is the scanner's `stir`.
    """

    layouts: tuple[float, float, float] = (0.40, 0.25, 0.35)
    square: bool = False
    askew: tuple[float, float] = (1.2, 1.5)
    counts: tuple[int, int, int, int] = (13, 15, 17, 19)
    per_disc: tuple[int, int] = (3, 6)
    widest_mm: tuple[float, float] = (380.0, 250.0)
    suppressed: float = 0.06


USUAL_PLANNING: Final = Planning()

SCANNERS: Final[tuple[Scanner, ...]] = (
    Scanner("SIEMENS", ("Avanto_fit", "Aera", "SymphonyTim"), 1.5, 0.42, {
        "sagittal_t1": Sequence(("SAG T1 TSE", "t1_tse_sag", "t1_tse_sag_320"), "*tse2d1_3", 506.0, 9.8, 3,
            False, 150.0, 190.0, 290.0, (320, 384, 512), 0.85, 4.0, 4.4),
        "sagittal_t2": Sequence(("SAG T2 TSE", "t2_tse_sag", "t2_tse_sag_384"), "*tseR2d1rr17", 3715.0, 106.0, 17,
            True, 150.0, 195.0, 290.0, (384, 512, 448), 0.80, 4.0, 4.8),
        "axial_t2": Sequence(("t2_tse_tra", "t2_tse_tra_320_p2", "AX T2"), "*tse2d1_17", 4200.0, 104.0, 17, False,
            150.0, 190.0, 190.0, (320, 384), 0.68, 4.0, 4.4),
    }, Sequence(("SAG T2 TSE STIR", "t2_tirm_sag"), "*tir2d1_18", 4600.0, 70.0, 18, False, 150.0, 190.0, 300.0, (320,
        384), 0.95, 4.0, 4.8)),
    Scanner("SIEMENS", ("Skyra_fit", "Prisma_fit"), 3.0, 0.12, {
        "sagittal_t1": Sequence(("SAG T1 TSE", "t1_tse_sag"), "*tse2d1_5", 620.0, 9.8, 5, False, 150.0, 250.0, 280.0,
            (512, 448, 640), 0.65, 4.0, 4.4),
        "sagittal_t2": Sequence(("SAG T2 TSE", "t2_tse_sag"), "*tseR2d1rr21", 4200.0, 102.0, 21, True, 150.0, 245.0,
            280.0, (512, 448, 640), 0.62, 4.0, 4.4),
        "axial_t2": Sequence(("t2_tse_tra", "AX T2"), "*tse2d1_19", 4800.0, 100.0, 19, False, 150.0, 240.0, 180.0, (384,
            448), 0.55, 3.0, 3.3),
    }, Sequence(("t2_tirm_sag", "SAG STIR"), "*tir2d1_18", 5200.0, 70.0, 18, False, 150.0, 240.0, 290.0,
        (384,), 0.85, 4.0, 4.8)),
    Scanner("Philips Healthcare", ("Ingenia",), 3.0, 0.22, {
        "sagittal_t1": Sequence(("T1_CS_TSE SAG", "CS T1 TSE SAG", ""), "", 716.0, 13.8, 7, False, 85.0, 463.0, 300.0,
            (480, 512), 0.70, 3.0, 3.3),
        "sagittal_t2": Sequence(("T2_CS_TSE SAG", "T2 TSE SAG", ""), "", 3745.0, 120.0, 25, False, 90.0, 365.0, 300.0,
            (480, 512), 0.70, 3.0, 3.3),
        "axial_t2": Sequence(("T2W_TSE_ax", "T2 TSE TRA"), "", 3900.0, 110.0, 20, False, 90.0, 300.0, 180.0, (384, 512),
            0.60, 3.5, 3.9),
    }, Sequence(("STIR SAG", "STIR_longTE"), "", 5000.0, 65.0, 16, False, 90.0, 300.0, 300.0, (480,), 0.85, 3.5, 3.9)),
    Scanner("Philips Medical Systems", ("Ingenia", "Achieva"), 1.5, 0.10, {
        "sagittal_t1": Sequence(("T1 TSE SAG", ""), "", 575.0, 8.0, 5, False, 90.0, 199.0, 300.0, (512, 640),
            0.90, 4.0, 4.4),
        "sagittal_t2": Sequence(("T2 TSE SAG", ""), "", 2746.0, 90.0, 27, False, 90.0, 189.0, 300.0, (512, 640),
            0.85, 4.0, 4.4),
        "axial_t2": Sequence(("T2W_TSE_ax",), "", 3600.0, 100.0, 22, False, 90.0, 190.0, 190.0, (320, 512),
            0.70, 4.0, 4.4),
    }, Sequence(("STIR SAG",), "", 4400.0, 60.0, 16, False, 90.0, 190.0, 310.0, (512,), 1.0, 4.0, 4.4)),
    Scanner("GE MEDICAL SYSTEMS", ("SIGNA Explorer", "Optima MR450w"), 1.5, 0.10, {
        "sagittal_t1": Sequence(("Sag T1 FSE", "SAG T1"), "", 540.0, 11.0, 4, False, 160.0, 160.0, 300.0,
            (512,), 0.90, 4.0, 5.0),
        "sagittal_t2": Sequence(("Sag T2 FRFSE", "SAG T2"), "", 3210.0, 100.0, 18, True, 160.0, 160.0, 300.0, (512,),
            0.85, 4.0, 5.0),
        "axial_t2": Sequence(("Ax T2 FRFSE", "AX T2 FSE"), "", 4000.0, 100.0, 18, True, 160.0, 160.0, 180.0, (512, 256),
            0.75, 4.0, 4.4),
    }, Sequence(("Sag STIR", "SAG T2 STIR"), "", 4200.0, 60.0, 12, False, 160.0, 160.0, 310.0, (512,), 1.0, 4.0, 5.0)),
    Scanner("GE MEDICAL SYSTEMS", ("Discovery MR750w",), 3.0, 0.04, {
        "sagittal_t1": Sequence(("SAG T1",), "", 640.0, 10.0, 4, False, 111.0, 220.0, 300.0, (512,), 0.75, 4.0, 4.8),
        "sagittal_t2": Sequence(("SAG T2",), "", 2900.0, 118.0, 20, True, 111.0, 220.0, 300.0, (512,), 0.72, 4.0, 4.8),
        "axial_t2": Sequence(("Ax T2 frFSE S",), "", 3800.0, 110.0, 20, True, 111.0, 220.0, 180.0, (512,),
            0.60, 3.0, 3.3),
    }, Sequence(("Sag STIR",), "", 5000.0, 60.0, 14, False, 111.0, 220.0, 310.0, (512,), 0.9, 4.0, 4.8)),
)  # fmt: skip

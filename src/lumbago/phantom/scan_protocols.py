"""Protocols of scanners: rows that `sample_scan` draws from and varies (SPIDER's scanner table, van der Graaf 2024, CC BY 4.0, and its like)."""

from dataclasses import dataclass
from typing import Final

from lumbago.anatomy.conditions import Role


@dataclass(frozen=True, slots=True)
class Sequence:
    """One sequence: times in ms, sizes in mm, images of `matrix` pixels interpolated from `acquired_mm` pixels."""

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


@dataclass(frozen=True, slots=True)
class Scanner:
    """A scanner and its three sequences; `share` is how often it is met."""

    manufacturer: str
    models: tuple[str, ...]
    tesla: float
    share: float
    sequences: dict[Role, Sequence]
    stir: Sequence


SCANNERS: Final[tuple[Scanner, ...]] = (
    Scanner("SIEMENS", ("Avanto_fit", "Aera", "SymphonyTim"), 1.5, 0.42, {
        "sagittal_t1": Sequence(("SAG T1 TSE", "t1_tse_sag", "t1_tse_sag_320"), "*tse2d1_3", 506, 9.8, 3, False, 150, 190, 290, (320, 384, 512), 0.85, 4.0, 4.4),
        "sagittal_t2": Sequence(("SAG T2 TSE", "t2_tse_sag", "t2_tse_sag_384"), "*tseR2d1rr17", 3715, 106, 17, True, 150, 195, 290, (384, 512, 448), 0.80, 4.0, 4.8),
        "axial_t2": Sequence(("t2_tse_tra", "t2_tse_tra_320_p2", "AX T2"), "*tse2d1_17", 4200, 104, 17, False, 150, 190, 190, (320, 384), 0.68, 4.0, 4.4),
    }, Sequence(("SAG T2 TSE STIR", "t2_tirm_sag"), "*tir2d1_18", 4600, 70, 18, False, 150, 190, 300, (320, 384), 0.95, 4.0, 4.8)),
    Scanner("SIEMENS", ("Skyra_fit", "Prisma_fit"), 3.0, 0.12, {
        "sagittal_t1": Sequence(("SAG T1 TSE", "t1_tse_sag"), "*tse2d1_5", 620, 9.8, 5, False, 150, 250, 280, (512, 448, 640), 0.65, 4.0, 4.4),
        "sagittal_t2": Sequence(("SAG T2 TSE", "t2_tse_sag"), "*tseR2d1rr21", 4200, 102, 21, True, 150, 245, 280, (512, 448, 640), 0.62, 4.0, 4.4),
        "axial_t2": Sequence(("t2_tse_tra", "AX T2"), "*tse2d1_19", 4800, 100, 19, False, 150, 240, 180, (384, 448), 0.55, 3.0, 3.3),
    }, Sequence(("t2_tirm_sag", "SAG STIR"), "*tir2d1_18", 5200, 70, 18, False, 150, 240, 290, (384,), 0.85, 4.0, 4.8)),
    Scanner("Philips Healthcare", ("Ingenia",), 3.0, 0.22, {
        "sagittal_t1": Sequence(("T1_CS_TSE SAG", "CS T1 TSE SAG", ""), "", 716, 13.8, 7, False, 85, 463, 300, (480, 512), 0.70, 3.0, 3.3),
        "sagittal_t2": Sequence(("T2_CS_TSE SAG", "T2 TSE SAG", ""), "", 3745, 120, 25, True, 90, 365, 300, (480, 512), 0.70, 3.0, 3.3),
        "axial_t2": Sequence(("T2W_TSE_ax", "T2 TSE TRA"), "", 3900, 110, 20, True, 90, 300, 180, (384, 512), 0.60, 3.5, 3.9),
    }, Sequence(("STIR SAG", "STIR_longTE"), "", 5000, 65, 16, False, 90, 300, 300, (480,), 0.85, 3.5, 3.9)),
    Scanner("Philips Medical Systems", ("Ingenia", "Achieva"), 1.5, 0.10, {
        "sagittal_t1": Sequence(("T1 TSE SAG", ""), "", 575, 8, 5, False, 90, 199, 300, (512, 640), 0.90, 4.0, 4.4),
        "sagittal_t2": Sequence(("T2 TSE SAG", ""), "", 2746, 90, 27, True, 90, 189, 300, (512, 640), 0.85, 4.0, 4.4),
        "axial_t2": Sequence(("T2W_TSE_ax",), "", 3600, 100, 22, False, 90, 190, 190, (320, 512), 0.70, 4.0, 4.4),
    }, Sequence(("STIR SAG",), "", 4400, 60, 16, False, 90, 190, 310, (512,), 1.0, 4.0, 4.4)),
    Scanner("GE MEDICAL SYSTEMS", ("SIGNA Explorer", "Optima MR450w"), 1.5, 0.10, {
        "sagittal_t1": Sequence(("Sag T1 FSE", "SAG T1"), "", 540, 11, 4, False, 160, 160, 300, (512,), 0.90, 4.0, 5.0),
        "sagittal_t2": Sequence(("Sag T2 FRFSE", "SAG T2"), "", 3210, 100, 18, True, 160, 160, 300, (512,), 0.85, 4.0, 5.0),
        "axial_t2": Sequence(("Ax T2 FRFSE", "AX T2 FSE"), "", 4000, 100, 18, True, 160, 160, 180, (512, 256), 0.75, 4.0, 4.4),
    }, Sequence(("Sag STIR", "SAG T2 STIR"), "", 4200, 60, 12, False, 160, 160, 310, (512,), 1.0, 4.0, 5.0)),
    Scanner("GE MEDICAL SYSTEMS", ("Discovery MR750w",), 3.0, 0.04, {
        "sagittal_t1": Sequence(("SAG T1",), "", 640, 10, 4, False, 111, 220, 300, (512,), 0.75, 4.0, 4.8),
        "sagittal_t2": Sequence(("SAG T2",), "", 2900, 118, 20, True, 111, 220, 300, (512,), 0.72, 4.0, 4.8),
        "axial_t2": Sequence(("Ax T2 frFSE S",), "", 3800, 110, 20, True, 111, 220, 180, (512,), 0.60, 3.0, 3.3),
    }, Sequence(("Sag STIR",), "", 5000, 60, 14, False, 111, 220, 310, (512,), 0.9, 4.0, 4.8)),
)  # fmt: skip

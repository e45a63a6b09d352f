"""The same as `acceptance` for how phantoms are scanned: signals of tissues, where points lie in the picture, how many
series a study has and how they are ordered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64

from lumbago.anatomy.conditions import Role
from lumbago.anatomy.findings import Point
from lumbago.anatomy.levels import LEVELS
from lumbago.phantom.acceptance import Check
from lumbago.phantom.mr_signal import Contrast, Signals, tissue_signals
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study
from lumbago.phantom.scan_spec import ScanSpec, SliceGroup
from lumbago.phantom.tissues import Tissue
from lumbago.phantom.write_study import planned_series

# --- signals ---------------------------------------------------------------------------------------------------------

_T1 = Contrast("T1", 1.5, 506.0, 9.8, 0.0, 3, restored=False, variation_seed=0)
_T2 = Contrast("T2", 1.5, 3715.0, 106.0, 0.0, 17, restored=False, variation_seed=0)
_RESTORED = Contrast("T2", 1.5, 3715.0, 106.0, 0.0, 17, restored=True, variation_seed=0)
_STIR = Contrast("STIR", 1.5, 4500.0, 55.0, 207.0, 10, restored=False, variation_seed=0)
_CONTRASTS: Final = {"T1": _T1, "T2": _T2, "T2 restored": _RESTORED, "STIR": _STIR}

_WANTED: Final[dict[str, tuple[float, float, float, float]]] = {
    "fluid": (0.15, 1.0, 1.0, 1.0),
    "nucleus of grade 1": (0.39, 0.96, 0.60, 0.89),
    "nucleus of grade 2": (0.40, 0.69, 0.43, 0.70),
    "nucleus of grade 3": (0.41, 0.41, 0.25, 0.46),
    "nucleus of grade 4": (0.37, 0.16, 0.10, 0.22),
    "nucleus of grade 5": (0.32, 0.07, 0.04, 0.11),
    "high-intensity zone": (0.34, 0.85, 0.53, 0.84),
    "inner annulus": (0.39, 0.22, 0.13, 0.29),
    "outer annulus": (0.25, 0.01, 0.0, 0.03),
    "marrow with 25 % fat": (0.53, 0.26, 0.16, 0.19),
    "marrow with 45 % fat": (0.65, 0.37, 0.23, 0.18),
    "marrow with 65 % fat": (0.77, 0.49, 0.30, 0.17),
    "fat": (1.0, 0.81, 0.50, 0.10),
    "muscle": (0.32, 0.07, 0.04, 0.18),
    "roots": (0.43, 0.37, 0.23, 0.40),
    "flavum": (0.23, 0.02, 0.01, 0.08),
    "Modic 1": (0.38, 0.48, 0.29, 0.56),
    "Modic 2": (0.89, 0.60, 0.37, 0.16),
    "Modic 3": (0.18, 0.09, 0.06, 0.07),
}
"""Signal of tissues by contrast of `_CONTRASTS`, relative to fat on T1 and to fluid on the others; what the equations
give for published relaxation times. Fat on STIR is 0 to 0.2."""

_SMALLEST = 0.05
"""Signals below this are told apart by nobody: it is the slack of every comparison."""


def check_signals(persons: int = 200) -> list[Check]:
    """Tissue by tissue, the median over persons within 25 % (or `_SMALLEST`) of `_WANTED`."""
    found = {name: _median_signals(contrast, persons) for name, contrast in _CONTRASTS.items()}
    checks = []
    for tissue, wanted in _WANTED.items():
        values = [signals[tissue] for signals in found.values()]
        near = [_near_signal(tissue, name, *pair) for name, *pair in zip(_CONTRASTS, wanted, values, strict=True)]
        checks.append(Check(f"{tissue} on {', '.join(_CONTRASTS)}", _row(wanted), _row(values), all(near)))
    return checks


def _near_signal(tissue: str, contrast: str, wanted: float, found: float) -> bool:
    """Fat is nulled on STIR: whatever holds much of it may have any signal that is low."""
    if contrast == "STIR" and tissue.startswith(("fat", "marrow", "Modic 2")):
        return found <= 0.2
    return abs(found - wanted) <= max(0.25 * wanted, _SMALLEST)


def _row(values: Iterable[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def _median_signals(contrast: Contrast, persons: int) -> dict[str, float]:
    rows = [_named(tissue_signals(_of_person(contrast, seed))) for seed in range(persons)]
    return {name: float(np.median([row[name] for row in rows])) for name in _WANTED}


def _of_person(contrast: Contrast, seed: int) -> Contrast:
    return Contrast(
        contrast.weighting,
        contrast.tesla,
        contrast.repetition_time,
        contrast.echo_time,
        contrast.inversion_time,
        contrast.echo_train,
        contrast.restored,
        variation_seed=seed,
    )


def _named(signals: Signals) -> dict[str, float]:
    tissue = {
        "fluid": Tissue.CSF,
        "high-intensity zone": Tissue.HIGH_INTENSITY_ZONE,
        "outer annulus": Tissue.OUTER_ANNULUS,
        "fat": Tissue.SUBCUTANEOUS_FAT,
        "muscle": Tissue.MUSCLE,
        "roots": Tissue.ROOT,
        "flavum": Tissue.FLAVUM,
        "Modic 1": Tissue.MODIC_1,
        "Modic 2": Tissue.MODIC_2,
        "Modic 3": Tissue.MODIC_3,
    }
    red, yellow = signals.red_marrow, signals.yellow_marrow
    return {
        **{name: float(signals.by_tissue[kind]) for name, kind in tissue.items()},
        **{f"nucleus of grade {grade}": float(signals.nucleus[grade - 1]) for grade in range(1, 6)},
        **{f"marrow with {fat} % fat": red + fat / 100 * (yellow - red) for fat in (25, 45, 65)},
        "inner annulus": signals.annulus,
    }


# --- points ----------------------------------------------------------------------------------------------------------

_POINTS: Final[dict[str, tuple[tuple[float, float, float, float], ...]]] = {
    "canal": (
        (0.581, 0.052, 0.300, 0.055),
        (0.556, 0.051, 0.416, 0.052),
        (0.541, 0.050, 0.531, 0.051),
        (0.545, 0.049, 0.640, 0.051),
        (0.572, 0.051, 0.730, 0.054),
    ),
    "left foramen": (
        (0.576, 0.052, 0.279, 0.054),
        (0.549, 0.051, 0.386, 0.053),
        (0.526, 0.049, 0.497, 0.054),
        (0.515, 0.049, 0.604, 0.059),
        (0.526, 0.050, 0.704, 0.065),
    ),
    "left recess": (
        (0.551, 0.023, 0.540, 0.043),
        (0.548, 0.023, 0.527, 0.040),
        (0.545, 0.023, 0.516, 0.040),
        (0.543, 0.024, 0.510, 0.041),
        (0.547, 0.026, 0.513, 0.047),
    ),
    "right recess": (
        (0.451, 0.022, 0.540, 0.043),
        (0.455, 0.022, 0.527, 0.040),
        (0.458, 0.022, 0.516, 0.040),
        (0.460, 0.023, 0.510, 0.041),
        (0.455, 0.025, 0.513, 0.047),
    ),
}
"""Where RSNA's points lie from L1/L2 down: mean and deviation of x, then of y, as shares of the image's width and
height."""
_CANAL_PATH_MM, _CANAL_PATH_SLACK = 136.0, 0.07


@dataclass(frozen=True, eq=False)
class CountedStudies:
    """What was counted on planned studies (nothing is rendered): the place of every point in its picture (x, y; not a
    number where no slice passes), the length of the canal, and the series."""

    points: dict[str, Float64[np.ndarray, "studies 5 2"]]
    canal_path_mm: Float64[np.ndarray, " studies"]
    axial_series: Float64[np.ndarray, " studies"]
    sagittal_toward_left: Float64[np.ndarray, " studies"]
    axial_toward_feet: Float64[np.ndarray, " studies"]
    slices: Float64[np.ndarray, " studies"]
    missing: Float64[np.ndarray, "studies 5"]


def count_studies(seeds: Iterable[int]) -> CountedStudies:
    """Plans the studies of some seeds."""
    places, rows = zip(*(_count_study(phantom_study(seed)) for seed in seeds), strict=True)
    points = {name: np.array([place[name] for place in places]) for name in _POINTS}
    path, axial, left, feet, slices = np.array(rows).T
    missing = np.isnan(points["left recess"][:, :, 0]).astype(float)
    return CountedStudies(points, path, axial, left, feet, slices, missing)


def _count_study(study: PhantomStudy) -> tuple[dict[str, Float64[np.ndarray, "5 2"]], tuple[float, ...]]:
    sagittal, axial = study.scans["sagittal_t2"], study.scans["axial_t2"]
    return {name: _places(study, *_ROLES[name]) for name in _POINTS}, (
        _canal_path(study),
        float(sum(scan.role == "axial_t2" for scan in planned_series(study))),
        float(sagittal.instance_order == 1),
        float(axial.instance_order == 1),
        float(sagittal.groups[0].count),
    )


Finder = Callable[[PhantomStudy, str], Point]
_ROLES: Final[dict[str, tuple[Role, Finder]]] = {
    "canal": ("sagittal_t2", lambda study, level: study.landmarks.disc(level).canal_lps_mm),
    "left foramen": ("sagittal_t1", lambda study, level: study.landmarks.disc(level).foramen_lps_mm["left"]),
    "left recess": ("axial_t2", lambda study, level: study.landmarks.disc(level).recess_lps_mm["left"]),
    "right recess": ("axial_t2", lambda study, level: study.landmarks.disc(level).recess_lps_mm["right"]),
}
_OUT_OF_REACH_MM = 6.0


def _places(study: PhantomStudy, role: Role, find: Finder) -> Float64[np.ndarray, "5 2"]:
    return np.array([_share_of_picture(study.scans[role], np.array(find(study, level))) for level in LEVELS])


def _share_of_picture(scan: ScanSpec, point: Float64[np.ndarray, "3"]) -> tuple[float, float]:
    nearest: SliceGroup = min(scan.groups, key=lambda group: group.distance_to(point))
    if nearest.distance_to(point) > _OUT_OF_REACH_MM:
        return float("nan"), float("nan")
    off = point - np.array(nearest.center_lps_mm)
    x = 0.5 + float(off @ np.array(nearest.along)) / (scan.columns * scan.pixel_mm)
    return x, 0.5 + float(off @ np.array(nearest.down)) / (scan.rows * scan.pixel_mm)


def _canal_path(study: PhantomStudy) -> float:
    canal = np.array([study.landmarks.disc(level).canal_lps_mm for level in LEVELS])
    return float(np.linalg.norm(np.diff(canal, axis=0), axis=1).sum())


def check_points(counted: CountedStudies) -> list[Check]:
    """Means within 0.02 and deviations within 30 % (or three standard errors) of RSNA's; canal paths within 7 %."""
    checks = [
        _point_check(f"{name} {level} in the picture", wanted, places[:, number])
        for name, places in counted.points.items()
        for number, (level, wanted) in enumerate(zip(LEVELS, _POINTS[name], strict=True))
    ]
    path = float(np.mean(counted.canal_path_mm))
    near = abs(path / _CANAL_PATH_MM - 1) <= _CANAL_PATH_SLACK
    return [*checks, Check("canal from L1/L2 to L5/S1", f"{_CANAL_PATH_MM:.0f} mm +- 7 %", f"{path:.1f} mm", near)]


def _point_check(name: str, wanted: tuple[float, float, float, float], places: Float64[np.ndarray, "_ 2"]) -> Check:
    mean, spread = np.nanmean(places, axis=0), np.nanstd(places, axis=0)
    found = mean[0], spread[0], mean[1], spread[1]
    chance = 3 / np.sqrt(np.sum(~np.isnan(places[:, 0])))
    near = [
        abs(found[i] - wanted[i]) <= max(0.02, chance * wanted[i + 1])
        and abs(found[i + 1] / wanted[i + 1] - 1) <= max(0.3, chance)
        for i in (0, 2)
    ]
    text = "x {:.3f} ({:.3f}), y {:.3f} ({:.3f})"
    return Check(name, text.format(*wanted), text.format(*found), all(near))


# --- series ----------------------------------------------------------------------------------------------------------


def check_series(counted: CountedStudies) -> list[Check]:
    """How many series, slices and missing places there are, and in which order slices are numbered."""
    shares = (
        ("studies with several axial series", 0.170, counted.axial_series > 1),
        ("sagittal series numbered toward the left", 0.644, counted.sagittal_toward_left > 0),
        ("axial series numbered toward the feet", 0.881, counted.axial_toward_feet > 0),
        ("recess L1/L2 on no slice", 0.083, counted.missing[:, 0] > 0),
        ("recess L2/L3 on no slice", 0.042, counted.missing[:, 1] > 0),
        ("recess L3/L4 to L5/S1 on no slice", 0.003, counted.missing[:, 2:] > 0),
    )
    slices = float(np.median(counted.slices))
    return [
        *(_share_check(*row) for row in shares),
        Check("slices of a sagittal series, median", "13 to 19", f"{slices:.0f}", 13 <= slices <= 19),
    ]


def _share_check(name: str, wanted: float, found: np.ndarray) -> Check:
    error = 3 * float(np.sqrt(wanted * (1 - wanted) / found.size))
    share = float(np.mean(found))
    return Check(name, f"{100 * wanted:.1f} %", f"{100 * share:.1f} %", abs(share - wanted) <= max(0.01, error))

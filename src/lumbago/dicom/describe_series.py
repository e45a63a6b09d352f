"""What a series shows: plane, weighting, fat suppression, and why; from geometry and timing, names only break ties.

The limits of the timing rules are ours, drawn between the spine protocols in use at 1.5 and 3 T (TR, TE, TI in ms):
spin echo with TE from 60 is T2, with TE to 35 and TR to 1500 T1, with TR from 1800 and a shorter TE proton density;
inversion times to 300 null fat (STIR), to 1300 give T1, longer ones null fluid; without one, an inversion recovery with
TE to 40 may be any of these. Echo-planar images are diffusion unless they say GR: older ones state no b-value.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from jaxtyping import Float64

from lumbago.anatomy.levels import Plane
from lumbago.dicom.series_words import (
    WEIGHTING_TITLES,
    Weighting,
    named_planes,
    named_weighting,
    names_contrast_agent,
    names_fat_suppression,
    names_localizer,
    words_of,
)
from lumbago.dicom.study import Series, SliceHeader
from lumbago.dicom.timing_units import in_milliseconds

SeriesPlane = Plane | Literal["oblique", "unknown"]
DixonPart = Literal["", "water", "fat", "in_phase", "out_phase"]

_PLANES: Final[tuple[Plane, ...]] = ("sagittal", "coronal", "axial")
_CLEAR_PLANE: Final = 0.7
_CROSSING: Final = 0.25
_STRAY_SHARE: Final = 0.2
_SHORT_ECHO: Final = 40
_REFORMAT: Final = "a reformat"
_FAT_OPTIONS: Final = frozenset(("FS", "SFS", "FATSAT", "FAT_SAT", "FATSAT_GEMS", "FAT_SAT_GEMS", "SPIR", "SPAIR"))
_CONTRASTS: Final[dict[str, Weighting]] = {
    "T1": "t1", "T2": "t2", "STIR": "stir", "PROTON_DENSITY": "pd", "T2_STAR": "t2_star",
    "FLUID_ATTENUATED": "flair", "DIFFUSION": "diffusion",
}  # fmt: skip
_DIXON: Final[dict[str, DixonPart]] = {
    "WATER": "water", "W": "water", "FAT": "fat", "F": "fat", "IN_PHASE": "in_phase", "IP": "in_phase",
    "IN": "in_phase", "OUT_PHASE": "out_phase", "OPP": "out_phase", "OPP_PHASE": "out_phase", "OP": "out_phase",
}  # fmt: skip
_BEST_PARTS: Final[tuple[DixonPart, ...]] = ("in_phase", "water", "", "out_phase", "fat")
_DERIVED: Final[dict[str, str]] = {
    "SUBTRACT": "a subtraction", "SUBTRACTION": "a subtraction", "SUB": "a subtraction",
    "PROJECTION IMAGE": "a projection", "MAX_IP": "a projection", "MIN_IP": "a projection", "MIP": "a projection",
    "ADC": "a diffusion map", "FA": "a diffusion map", "TRACEW": "a diffusion map", "T1 MAP": "a map",
    "T2 MAP": "a map", "T2_STAR MAP": "a map", "FAT_FRACTION": "a map", "WATER_FRACTION": "a map",
    "P": "a phase image", "PHASE MAP": "a phase image",
    "SCREEN SAVE": "a picture of a screen", "SECONDARY CAPTURE": "a picture of a screen", "MPR": _REFORMAT,
    "CSA MPR": _REFORMAT, "REFORMATTED": _REFORMAT,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeriesDescription:
    """What a series shows.

    Attributes:
        plane: the patient plane that its slices lie in; `oblique` between planes, `unknown` without geometry.
        weighting: by timing where that is clear, else by what the files say.
        fat_suppressed: None when nothing says so or otherwise.
        dixon_part: which image of a Dixon acquisition, "" when it is none.
        is_localizer: made for planning, not for reading.
        is_derived: computed from other images (subtraction, projection, map, reformat).
        is_reformat: derived in no other way than by cutting other slices through a volume.
        has_contrast: given contrast agent, as far as the files say.
        is_mr: False for another modality; NIfTI states none and counts as MR.
        reasons: a sentence for each of the answers above.
        conflicts: where two sources contradict each other, the answer above being then the first-named one, and times
            that are not in milliseconds.
    """

    plane: SeriesPlane
    weighting: Weighting
    fat_suppressed: bool | None
    dixon_part: DixonPart
    is_localizer: bool
    is_derived: bool
    is_reformat: bool
    has_contrast: bool
    is_mr: bool
    reasons: tuple[str, ...]
    conflicts: tuple[str, ...]


def _normals(slices: Sequence[SliceHeader]) -> Float64[np.ndarray, "slices 3"]:
    """Unit normals of the slices that have an orientation."""
    stated = np.array([h.image_orientation for h in slices if h.image_orientation], np.float64).reshape(-1, 6)
    normals = np.cross(stated[:, :3], stated[:, 3:])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    usable: Float64[np.ndarray, "slices 3"] = (normals / np.maximum(lengths, 1e-9))[lengths[:, 0] > 1e-3]
    return usable


def _crossing_planes(normals: Float64[np.ndarray, "slices 3"]) -> bool:
    """Whether some slices stand nearly at right angles to others."""
    return bool(len(normals)) and float(np.abs(normals @ normals.T).min()) < _CROSSING


def _says_localizer(header: SliceHeader) -> bool:
    return "LOCALIZER" in (value.upper() for value in header.image_type)


def _most_say_localizer(slices: Sequence[SliceHeader]) -> bool:
    return 2 * sum(map(_says_localizer, slices)) > len(slices)


def _few_crossing(slices: Sequence[SliceHeader]) -> list[SliceHeader]:
    """The slices that cross the plane that most agree with, where they are few."""
    placed = [header for header in slices if len(_normals([header]))]
    if not placed:
        return []
    normals = _normals(placed)
    crosses = np.abs(normals @ normals.T) < _CROSSING
    most = crosses[int(crosses.sum(axis=1).argmin())]
    few = [header for header, is_across in zip(placed, most, strict=True) if is_across]
    return few if len(few) <= _STRAY_SHARE * len(slices) else []


def _few_localizers(slices: Sequence[SliceHeader]) -> list[SliceHeader]:
    """The slices that say LOCALIZER and are of another size than those that do not, where most do not."""
    if _most_say_localizer(slices):
        return []
    read = {(header.rows, header.columns, header.pixel_spacing) for header in slices if not _says_localizer(header)}
    return [
        header
        for header in slices
        if _says_localizer(header) and (header.rows, header.columns, header.pixel_spacing) not in read
    ]


def _few_derived(slices: Sequence[SliceHeader]) -> list[SliceHeader]:
    """The computed images among others, where they are no more than these."""
    derived = [header for header in slices if _how_derived(header)]
    return derived if 2 * len(derived) <= len(slices) else []


def without_strays(series: Series) -> Series:
    """The series without single slices that were put among those to be read: slices at right angles to the others, as
    a sagittal one that shows where axial ones lie, up to a fifth of all, and localizers of another size and computed
    images, as phase images or pictures of a screen, up to half.

    A series whose slices cross each other more evenly, as those of a localizer do, stays as it is.
    """
    few = (_few_crossing, _few_localizers, _few_derived)
    strays = {id(header) for strays_in in few for header in strays_in(series.slices)}
    kept = tuple(header for header in series.slices if id(header) not in strays)
    return replace(series, slices=kept) if strays else series


def _find_plane(normals: Float64[np.ndarray, "slices 3"]) -> tuple[SeriesPlane, str]:
    """The plane nearest to the common direction of the normals."""
    if not len(normals):
        return "unknown", "no slice states its orientation"
    if _crossing_planes(normals):
        return "unknown", "its slices cross each other"
    common = np.abs(np.linalg.eigh(normals.T @ normals)[1][:, -1])
    axis = int(np.argmax(common))
    tilt = np.degrees(np.arccos(np.clip(np.abs(normals[:, axis]), 0.0, 1.0)))
    spread = f"{tilt.min():.0f} to {tilt.max():.0f}" if np.ptp(tilt) > 1.0 else f"{tilt.mean():.0f}"
    plane = _PLANES[axis]
    if common[axis] < _CLEAR_PLANE:
        return "oblique", f"its slices are tilted {spread} degrees from {plane}"
    return plane, f"{plane} by its geometry, tilted {spread} degree{'' if spread == '1' else 's'}"


def _is_gradient_echo(header: SliceHeader) -> bool:
    sequences = header.scanning_sequence.upper().split("\\")
    if sequences != [""]:
        return "SE" not in sequences and ("GR" in sequences or "EP" in sequences)
    return header.repetition_time is not None and header.repetition_time < 100


def _gradient_weighting(header: SliceHeader, echo_time: float) -> Weighting:
    if echo_time >= 12:
        return "t2_star"
    is_spoiled_enough = header.flip_angle is not None and header.flip_angle >= 20
    is_balanced = "SS" in header.sequence_variant.split("\\") and "SP" not in header.sequence_variant.split("\\")
    return "t1" if echo_time < 10 and is_spoiled_enough and not is_balanced else "unknown"


def _inversion_weighting(inversion_time: float, echo_time: float) -> Weighting:
    if inversion_time <= 300:
        return "stir"
    if inversion_time > 1300:
        return "flair"
    return "t1" if echo_time <= _SHORT_ECHO else "unknown"


def _spin_weighting(repetition_time: float | None, echo_time: float) -> Weighting:
    if echo_time >= 60:
        return "t2" if repetition_time is None or repetition_time >= 800 else "unknown"
    if repetition_time is None:
        return "unknown"
    if repetition_time >= 1800:
        return "pd"
    return "t1" if repetition_time <= 1500 and echo_time <= 35 else "unknown"


def timed_weighting(header: SliceHeader) -> Weighting:
    """The weighting that TR, TE, TI and the sequence make."""
    sequences = set(header.scanning_sequence.upper().split("\\"))
    if header.diffusion_b_value or ("EP" in sequences and "GR" not in sequences):
        return "diffusion"
    if header.echo_time is None or header.echo_time <= 0:
        return "unknown"
    if _is_gradient_echo(header) and not (header.inversion_time or 0) > 0:
        return _gradient_weighting(header, header.echo_time)
    if (header.inversion_time or 0) > 0:
        return _inversion_weighting(header.inversion_time or 0, header.echo_time)
    if "IR" in header.scanning_sequence.upper().split("\\") and header.echo_time <= _SHORT_ECHO:
        return "unknown"
    repetition = header.repetition_time if (header.repetition_time or 0) > 0 else None
    return _spin_weighting(repetition, header.echo_time)


def _timing_text(header: SliceHeader) -> str:
    stated = (("TR", header.repetition_time), ("TE", header.echo_time), ("TI", header.inversion_time))
    return ", ".join(f"{name} {value:.0f} ms" for name, value in stated if value) or "no timing"


def _find_weighting(header: SliceHeader, words: str) -> tuple[Weighting, str, tuple[str, ...]]:
    """(weighting, reason, conflicts): timing before the stated contrast before the name."""
    timed, named = timed_weighting(header), named_weighting(words)
    stated = _CONTRASTS.get(header.acquisition_contrast.upper(), "unknown")
    sources: tuple[tuple[Weighting, str], ...] = (
        (timed, f"by its timing ({_timing_text(header)})"),
        (stated, "by its AcquisitionContrast"),
        (named, "by its name alone"),
    )
    known = [
        (weighting, f"{WEIGHTING_TITLES[weighting]} {why}") for weighting, why in sources if weighting != "unknown"
    ]
    if not known:
        return "unknown", f"weighting unknown: {_timing_text(header)}, and its name says nothing", ()
    weighting, why = known[0]
    conflicts = tuple(f"{why}, but {source}" for other, source in known[1:] if other != weighting)
    return weighting, why, conflicts


def _find_dixon(header: SliceHeader) -> DixonPart:
    return next((_DIXON[value.upper()] for value in header.image_type[2:] if value.upper() in _DIXON), "")


def _find_fat_suppression(header: SliceHeader, weighting: Weighting, words: str) -> tuple[bool | None, str]:
    options = {option.strip().upper() for option in header.scan_options.split("\\")} - {""}
    if weighting == "stir":
        return True, "fat is suppressed: a STIR"
    if (part := _find_dixon(header)) != "":
        return part == "water", f"the {part.replace('_', ' ')} image of a Dixon acquisition"
    if options & _FAT_OPTIONS:
        return True, f"fat is suppressed: ScanOptions hold {', '.join(sorted(options & _FAT_OPTIONS))}"
    if names_fat_suppression(words):
        return True, "fat is suppressed, by its name alone"
    if options:
        return False, "fat is not suppressed: ScanOptions do not hold it"
    return None, "nothing says whether fat is suppressed"


def _is_planning_echo(slices: Sequence[SliceHeader]) -> bool:
    """Few thick slices of a fast gradient echo: no one reads a spine from these."""
    first = slices[0]
    is_fast = (first.repetition_time or 1e9) <= 40 and (first.echo_time or 1e9) < 8
    is_thick = (first.slice_thickness or 0.0) >= 5.0
    return _is_gradient_echo(first) and is_fast and is_thick and len(slices) <= 15


def _why_localizer(slices: Sequence[SliceHeader], crossing: bool, words: str) -> str:
    """The reason to take a series for a localizer; "" when there is none."""
    if _most_say_localizer(slices):
        return "a localizer: ImageType says so"
    if crossing:
        return "a localizer: its slices cross each other"
    if _is_planning_echo(slices):
        return "a localizer: few thick slices of a fast gradient echo"
    if names_localizer(words) and len(slices) <= 15:
        return "a localizer, by its name and its few slices"
    return ""


def _how_derived(header: SliceHeader) -> list[str]:
    """In which ways an image was computed, by its ImageType."""
    return [_DERIVED[value.upper()] for value in header.image_type if value.upper() in _DERIVED]


def _representative(slices: Sequence[SliceHeader]) -> tuple[SliceHeader, tuple[str, ...]]:
    """The header whose timing stands for all: the most frequent echo time, the longest of several equally frequent; of
    a Dixon acquisition that of its best image."""
    best = min(map(_find_dixon, slices), key=_BEST_PARTS.index)
    slices = [header for header in slices if _find_dixon(header) == best]
    counts = Counter(header.echo_time for header in slices)
    chosen = max(counts, key=lambda time: (counts[time], time or 0.0))
    header = next(header for header in slices if header.echo_time == chosen)
    if len(counts) == 1:
        return header, ()
    times = ", ".join(f"{time:.0f}" for time in sorted(time for time in counts if time is not None))
    return header, (f"several echoes ({times} ms), described by the one of {chosen or 0:.0f} ms",)


def _strays_text(count: int) -> str:
    if not count:
        return ""
    return f"{count} slice{'s' if count > 1 else ''} of another plane, size or kind left out"


def _plane_conflicts(plane: str, words: str) -> tuple[str, ...]:
    named = named_planes(words)
    wrong = len(named) == 1 and plane in _PLANES and plane not in named
    return (f"{plane} by its geometry, but {named[0]} by its name",) if wrong else ()


def _unit_conflicts(stated: Sequence[SliceHeader], slices: Sequence[SliceHeader]) -> tuple[str, ...]:
    header = next((header for header, used in zip(stated, slices, strict=True) if header != used), None)
    if header is None:
        return ()
    return (f"an echo time of {header.echo_time:.3g} can only be in seconds, and its times were read so",)


def describe_series(series: Series) -> SeriesDescription:
    """Plane, weighting and kind of a series `without_strays`, each with its reason.

    A series of several echoes or blocks is described as a whole; give `Series(uid, volume.headers)` to have one of its
    volumes described.
    """
    stated = without_strays(series).slices
    slices = tuple(map(in_milliseconds, stated))
    header, remarks = _representative(slices)
    words, normals = words_of(header), _normals(slices)
    plane, plane_reason = _find_plane(normals)
    weighting, weighting_reason, conflicts = _find_weighting(header, words)
    fat_suppressed, fat_reason = _find_fat_suppression(header, weighting, words)
    localizer, derived = _why_localizer(slices, _crossing_planes(normals), words), _how_derived(header)
    derived_reason = f"derived: {derived[0]}, by its ImageType" if derived else ""
    strays = _strays_text(len(series.slices) - len(stated))
    reasons = (plane_reason, weighting_reason, fat_reason, localizer, derived_reason, *remarks, strays)
    return SeriesDescription(
        plane=plane,
        weighting=weighting,
        fat_suppressed=fat_suppressed,
        dixon_part=_find_dixon(header),
        is_localizer=bool(localizer),
        is_derived=bool(derived),
        is_reformat=set(derived) == {_REFORMAT},
        has_contrast=names_contrast_agent(header.contrast_agent),
        is_mr=header.modality in ("MR", ""),
        reasons=tuple(reason for reason in reasons if reason),
        conflicts=conflicts + _plane_conflicts(plane, words) + _unit_conflicts(stated, slices),
    )

"""Which series plays which role, by geometry and timing."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from painted_spine import make_header

from lumbago.dicom.study import Series, Study
from lumbago.errors import NotALumbarStudy
from lumbago.pipeline.choose_series import SeriesChoice, choose_series

SAGITTAL, AXIAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
T1: dict[str, Any] = {"repetition_time": 550.0, "echo_time": 11.0}
T2: dict[str, Any] = {"repetition_time": 3500.0, "echo_time": 100.0}
STIR: dict[str, Any] = {"repetition_time": 4000.0, "echo_time": 60.0, "inversion_time": 160.0}
UNTIMED: dict[str, Any] = {"repetition_time": None, "echo_time": None}


def series(uid: str, slices: int = 15, **fields: Any) -> Series:
    stated = {
        "modality": "MR", "image_orientation": SAGITTAL, "pixel_spacing": (0.5, 0.5), "scanning_sequence": "SE",
        "image_type": ("ORIGINAL", "PRIMARY", "M"), **T2, **fields,
    }  # fmt: skip
    headers = [make_header(uid, n, image_position=(4.0 * n, 0.0, 0.0), **stated) for n in range(slices)]
    return Series(uid, tuple(headers))


def study(*members: Series) -> Study:
    return Study(Path("case"), "case", "1.2", members)


def chosen(choice: SeriesChoice) -> dict[str, list[str]]:
    return {role: [row.series.series_instance_uid for row in ranked] for role, ranked in choice.candidates.items()}


SAG_T1, SAG_T2, AX_T2 = series("t1", **T1), series("t2"), series("ax", image_orientation=AXIAL)


def test_a_plain_study() -> None:
    choice = choose_series(study(SAG_T1, SAG_T2, AX_T2))
    assert chosen(choice) == {"sagittal_t1": ["t1"], "sagittal_t2": ["t2"], "axial_t2": ["ax"]}
    assert choice.left_out == ()


def test_a_stray_slice_does_not_cost_its_series() -> None:
    """One slice of the other plane in each series; neither is read."""
    sagittal = replace(SAG_T2, slices=(*SAG_T2.slices, AX_T2.slices[7]))
    axial = replace(AX_T2, slices=(SAG_T2.slices[7], *AX_T2.slices))
    choice = choose_series(study(SAG_T1, sagittal, axial))
    assert chosen(choice) == {"sagittal_t1": ["t1"], "sagittal_t2": ["t2"], "axial_t2": ["ax"]}
    assert [row.series for row in choice.candidates["sagittal_t2"]] == [SAG_T2]
    assert [row.series for row in choice.candidates["axial_t2"]] == [AX_T2]


def test_names_play_no_part() -> None:
    lying = series("t1", series_description="AX T2", **T1)
    choice = choose_series(study(lying, SAG_T2, AX_T2))
    assert chosen(choice)["sagittal_t1"] == ["t1"]
    assert choice.candidates["sagittal_t1"][0].description.conflicts


def test_the_reason_is_given() -> None:
    (candidate,) = choose_series(study(SAG_T1, SAG_T2)).candidates["sagittal_t1"]
    assert candidate.reason.startswith("sagittal T1: sagittal by its geometry")
    assert "TR 550 ms, TE 11 ms" in candidate.reason


def t2_order(*members: Series) -> list[str]:
    """Candidates for sagittal T2, which must not depend on the order of the series."""
    orders: set[tuple[str, ...]] = set()
    for order in permutations(members):
        orders.add(tuple(chosen(choose_series(study(*order)))["sagittal_t2"]))
    assert len(orders) == 1
    return list(orders.pop())


def test_plain_t2_before_fat_suppressed_before_stir_before_unknown() -> None:
    suppressed = series("fs", scan_options="FS")
    assert t2_order(series("stir", **STIR), series("unknown", **UNTIMED), suppressed, SAG_T2) == [
        "t2", "fs", "stir", "unknown",
    ]  # fmt: skip


def test_without_contrast_agent_first() -> None:
    assert t2_order(series("gd", contrast_agent="Gadovist"), SAG_T2) == ["t2", "gd"]


def test_more_slices_first_then_finer_pixels() -> None:
    coarse, few = series("coarse", pixel_spacing=(0.9, 0.9)), series("few", slices=3, pixel_spacing=(0.3, 0.3))
    assert t2_order(coarse, few, SAG_T2) == ["t2", "coarse", "few"]


def test_several_images_of_a_place_are_no_more_slices() -> None:
    """As in a series of many echoes, from which T2 is computed."""
    coarse = series("many", pixel_spacing=(0.9, 0.9)).slices
    echoes = [replace(header, echo_time=echo) for header in coarse for echo in (20.0, 40.0, 60.0, 80.0)]
    assert t2_order(Series("many", tuple(echoes)), SAG_T2) == ["t2", "many"]


def test_a_coarse_series_comes_last_of_its_kind() -> None:
    whole = series("whole", slices=20, pixel_spacing=(1.2, 1.2))
    assert t2_order(whole, series("stir", **STIR), SAG_T2) == ["t2", "whole", "stir"]


def test_twins_are_told_apart_by_their_place_and_not_by_their_names() -> None:
    first = Series("z", tuple(make_header("z", 0, modality="MR", image_orientation=SAGITTAL, scanning_sequence="SE",
                                          image_position=(0.0, 0.0, 0.0), **T2) for _ in range(3)))  # fmt: skip
    second = Series("a", tuple(make_header("a", 0, modality="MR", image_orientation=SAGITTAL, scanning_sequence="SE",
                                           image_position=(9.0, 0.0, 0.0), **T2) for _ in range(3)))  # fmt: skip
    assert t2_order(first, second) == ["z", "a"]


def test_a_sagittal_series_of_unknown_weighting_may_play_either_part() -> None:
    choice = chosen(choose_series(study(series("unknown", **UNTIMED))))
    assert choice == {"sagittal_t1": ["unknown"], "sagittal_t2": ["unknown"], "axial_t2": []}


def test_an_axial_series_of_unknown_weighting_stands_in_for_t2() -> None:
    unknown = series("unknown", image_orientation=AXIAL, **UNTIMED)
    assert chosen(choose_series(study(SAG_T2, unknown)))["axial_t2"] == ["unknown"]
    choice = choose_series(study(SAG_T2, unknown, AX_T2))
    assert chosen(choice)["axial_t2"] == ["ax"]
    assert [row.reason for row in choice.left_out] == ["axial of unknown weighting: no role for it"]


PD: dict[str, Any] = {"repetition_time": 3000.0, "echo_time": 55.0}
STAR: dict[str, Any] = {"repetition_time": 600.0, "echo_time": 18.0, "scanning_sequence": "GR"}


def test_a_sagittal_proton_density_comes_last() -> None:
    pd = series("pd", **PD)
    assert t2_order(pd, series("stir", **STIR), SAG_T2) == ["t2", "stir", "pd"]
    assert chosen(choose_series(study(pd)))["sagittal_t1"] == ["pd"]


@pytest.mark.parametrize("places", [(0,), (0, 1), (1, 2), (2, 3), (3, 1), (2, 1)])
def test_the_best_kind_of_axial_series_is_taken(places: tuple[int, ...]) -> None:
    kinds: tuple[dict[str, Any], ...] = ({}, {"image_type": ("DERIVED", "SECONDARY", "MPR")}, STAR, PD)
    members = [series(str(place), image_orientation=AXIAL, **kinds[place]) for place in places]
    assert chosen(choose_series(study(SAG_T2, *members)))["axial_t2"] == [str(min(places))]


def test_a_sagittal_reformat_is_taken_where_there_is_nothing_else() -> None:
    """As of a 3D series that was acquired in another plane."""
    reformats = [
        series(uid, image_type=("DERIVED", "SECONDARY", "MPR"), **timing) for uid, timing in (("r1", T1), ("r2", T2))
    ]
    alone = {"sagittal_t1": ["r1"], "sagittal_t2": ["r2"], "axial_t2": []}
    assert chosen(choose_series(study(*reformats))) == alone
    assert chosen(choose_series(study(*reformats, SAG_T2))) == {**alone, "sagittal_t2": ["t2"]}
    assert t2_order(reformats[1], series("stir", **STIR)) == ["stir"]
    assert t2_order(reformats[1], series("untimed", **UNTIMED)) == ["untimed"]


def test_a_lone_picture_without_orientation_may_be_sagittal() -> None:
    lone = Series("png", (make_header("png", 0, modality="MR", pixel_spacing=(0.5, 0.5)),))
    assert chosen(choose_series(study(lone)))["sagittal_t2"] == ["png"]
    with pytest.raises(NotALumbarStudy):
        choose_series(study(Series("png", (*lone.slices, make_header("png", 1, modality="MR")))))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (series("x", image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")), "a localizer"),
        (series("x", image_type=("DERIVED", "SECONDARY", "MPR")), "computed from other images"),
        (series("x", image_orientation=CORONAL), "coronal T2: no role for it"),
        (series("x", image_orientation=AXIAL, **T1), "axial T1: no role for it"),
        (series("x", modality="CT"), "not an MR image"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_what_is_left_out_and_why(other: Series, why: str) -> None:
    choice = choose_series(study(SAG_T2, other))
    assert [(row.series.series_instance_uid, row.reason) for row in choice.left_out] == [("x", why)]


def test_a_fat_fraction_is_left_out() -> None:
    parts = [series(part, image_type=("DERIVED", "PRIMARY", "DIXON", part)) for part in ("WATER", "FAT_FRACTION")]
    assert t2_order(*parts) == ["WATER"]


def test_the_fat_image_of_a_dixon_series_is_left_out() -> None:
    dixon: Sequence[Series] = [
        series(part, image_type=("DERIVED", "PRIMARY", "DIXON", part)) for part in ("WATER", "FAT")
    ]
    choice = choose_series(study(*dixon))
    assert chosen(choice)["sagittal_t2"] == ["WATER"]
    assert [row.series.series_instance_uid for row in choice.left_out] == ["FAT"]


def test_out_of_phase_comes_after_in_phase_and_water() -> None:
    parts = ("OUT_PHASE", "WATER", "IN_PHASE")
    dixon = [series(part, image_type=("DERIVED", "PRIMARY", "DIXON", part)) for part in parts]
    assert t2_order(*dixon, series("STIR", **STIR)) == ["IN_PHASE", "WATER", "OUT_PHASE", "STIR"]


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ([series("x", image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))], "the study holds localizers only"),
        ([AX_T2], r"the study holds no sagittal T1 or T2 series \(axial T2\)"),
        ([AX_T2, series("x", image_orientation=CORONAL, **T1)],
         r"the study holds no sagittal T1 or T2 series \(axial T2, coronal T1\)"),
        ([series("x", image_type=("DERIVED", "PRIMARY", "SUBTRACT"))],
         r"the study holds no sagittal T1 or T2 series \(computed sagittal T2\)"),
        ([series("x", scanning_sequence="GR", sequence_variant="")],
         r"the study holds no sagittal T1 or T2 series \(sagittal T2\*\)"),
    ],
)  # fmt: skip
def test_a_study_without_sagittal_images_is_refused(members: list[Series], found: str) -> None:
    with pytest.raises(NotALumbarStudy, match=f"^{found}; expected a sagittal T1 or T2 series"):
        choose_series(study(*members))

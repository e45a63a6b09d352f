"""Plane, weighting and kind of a series: by geometry and timing, with names as tie-breakers."""

from dataclasses import replace

import numpy as np
import pytest
from headers import AXIAL, CORONAL, SAGITTAL, make_header

from lumbago.dicom.describe_series import SeriesDescription, describe_series, without_strays
from lumbago.dicom.study import Series


def describe(count: int = 12, **fields: object) -> SeriesDescription:
    return describe_series(Series("1", tuple(make_header(number, **fields) for number in range(count))))


def tilted_axial(degrees: float) -> tuple[float, ...]:
    angle = np.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(np.sin(angle)))


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        (SAGITTAL, "sagittal"),
        (AXIAL, "axial"),
        (CORONAL, "coronal"),
        (tilted_axial(40), "axial"),
        (tilted_axial(-25), "axial"),
        ((0.0, -1.0, 0.0, 0.0, 0.0, 1.0), "sagittal"),
        ((0.7071, 0.7071, 0.0, -0.4082, 0.4082, -0.8165), "oblique"),
        (None, "unknown"),
    ],
)
def test_plane(orientation: tuple[float, ...] | None, plane: str) -> None:
    assert describe(image_orientation=orientation).plane == plane


@pytest.mark.parametrize(
    ("timing", "weighting"),
    [
        ({"repetition_time": 550, "echo_time": 11}, "t1"),
        ({"repetition_time": 1300, "echo_time": 20}, "t1"),
        ({"repetition_time": 3500, "echo_time": 110}, "t2"),
        ({"repetition_time": 1500, "echo_time": 130}, "t2"),
        ({"repetition_time": None, "echo_time": 95}, "t2"),
        ({"repetition_time": 2600, "echo_time": 25}, "pd"),
        ({"repetition_time": 2600, "echo_time": 45}, "pd"),
        ({"repetition_time": 4000, "echo_time": 60, "inversion_time": 160}, "stir"),
        ({"repetition_time": 3800, "echo_time": 35, "inversion_time": 230, "scanning_sequence": "SE\\IR"}, "stir"),
        ({"repetition_time": 2100, "echo_time": 12, "inversion_time": 860, "scanning_sequence": "IR"}, "t1"),
        ({"repetition_time": 9000, "echo_time": 110, "inversion_time": 2500, "scanning_sequence": "SE\\IR"}, "flair"),
        ({"repetition_time": 2200, "echo_time": 24, "scanning_sequence": "SE\\IR"}, "unknown"),
        ({"repetition_time": 600, "echo_time": 18, "scanning_sequence": "GR", "flip_angle": 25}, "t2_star"),
        ({"repetition_time": 150, "echo_time": 4, "scanning_sequence": "GR", "flip_angle": 70}, "t1"),
        ({"repetition_time": 3000, "echo_time": 80, "scanning_sequence": "EP", "diffusion_b_value": 800}, "diffusion"),
        ({"repetition_time": 5000, "echo_time": 75, "scanning_sequence": "EP\\SE"}, "diffusion"),
        ({"repetition_time": 4200, "echo_time": 71, "scanning_sequence": "EP"}, "diffusion"),
        ({"repetition_time": 2000, "echo_time": 30, "scanning_sequence": "EP\\GR"}, "t2_star"),
        ({"repetition_time": None, "echo_time": None}, "unknown"),
        ({"repetition_time": 500, "echo_time": 0}, "unknown"),
    ],
)
def test_weighting_by_timing(timing: dict[str, object], weighting: str) -> None:
    timing = {name: float(value) if isinstance(value, int) else value for name, value in timing.items()}
    description = describe(**timing)
    assert description.weighting == weighting
    assert description.conflicts == ()


@pytest.mark.parametrize(
    ("name", "weighting", "fat_suppressed"),
    [
        ("t2_tse_sag_384", "t2", None),
        ("SAG T1 FSE", "t1", None),
        ("AxT2 FRFSE", "t2", None),
        ("sagT1", "t1", None),
        ("T2_STIR_SAG", "stir", True),
        ("t1_tirm_sag", "stir", True),
        ("T1 FLAIR sag", "t1", None),
        ("PD SPAIR", "pd", True),
        ("t2_fs_tra", "t2", True),
        ("T2* axial", "t2_star", None),
        ("ax_t2_T12-S1", "t2", None),
        ("Beckenübersicht", "unknown", None),
    ],
)
def test_name_decides_when_nothing_else_does(name: str, weighting: str, fat_suppressed: bool | None) -> None:
    description = describe(series_description=name, echo_time=None, repetition_time=None)
    assert (description.weighting, description.fat_suppressed) == (weighting, fat_suppressed)


def test_timing_beats_the_name_and_says_so() -> None:
    description = describe(series_description="T1 axial", repetition_time=4000.0, echo_time=110.0)
    assert (description.weighting, description.plane) == ("t2", "sagittal")
    assert description.conflicts == (
        "T2 by its timing (TR 4000 ms, TE 110 ms), but T1 by its name alone",
        "sagittal by its geometry, but axial by its name",
    )


@pytest.mark.parametrize(
    ("timing", "weighting"),
    [
        ({"repetition_time": 3.5, "echo_time": 0.1}, "t2"),
        ({"repetition_time": 0.55, "echo_time": 0.011, "scanning_sequence": ""}, "t1"),
        ({"repetition_time": 3000.0, "echo_time": 0.1}, "t2"),
        ({"repetition_time": 4.0, "echo_time": 0.06, "inversion_time": 0.16, "scanning_sequence": "SE\\IR"}, "stir"),
        ({"repetition_time": 2.1, "echo_time": 0.012, "inversion_time": 0.86, "scanning_sequence": "IR"}, "t1"),
        ({"repetition_time": 0.6, "echo_time": 0.018, "scanning_sequence": "GR"}, "t2_star"),
    ],
)
def test_timing_in_seconds(timing: dict[str, object], weighting: str) -> None:
    description = describe(slice_thickness=5.0, **timing)
    assert (description.weighting, description.is_localizer) == (weighting, False)
    assert description.conflicts == (
        f"an echo time of {timing['echo_time']} can only be in seconds, and its times were read so",
    )


@pytest.mark.parametrize("sequence", ["GR", "GR\\IR"])
def test_an_ultrashort_echo_is_in_milliseconds(sequence: str) -> None:
    assert describe(repetition_time=8.0, echo_time=0.1, scanning_sequence=sequence, flip_angle=5.0).conflicts == ()


def test_stated_contrast_stands_between_timing_and_name() -> None:
    description = describe(acquisition_contrast="STIR", echo_time=None, series_description="T2")
    assert description.weighting == "stir"
    assert description.conflicts == ("STIR by its AcquisitionContrast, but T2 by its name alone",)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"scan_options": "FAST_GEMS\\FS"}, True),
        ({"scan_options": "FAST_GEMS\\SAT_GEMS"}, False),
        ({"scan_options": ""}, None),
        ({"inversion_time": 150.0}, True),
        ({"image_type": ("ORIGINAL", "PRIMARY", "DIXON", "WATER")}, True),
        ({"image_type": ("DERIVED", "PRIMARY", "M", "IP")}, False),
    ],
)
def test_fat_suppression(fields: dict[str, object], expected: bool | None) -> None:
    assert describe(**fields).fat_suppressed is expected


def test_a_series_of_several_dixon_images_is_described_by_the_best() -> None:
    parts = ("FAT", "FAT_FRACTION", "WATER", "OUT_PHASE")
    slices = tuple(
        make_header(number, image_type=("DERIVED", "PRIMARY", "DIXON", part)) for number, part in enumerate(parts)
    )
    description = describe_series(Series("1", slices))
    assert (description.dixon_part, description.fat_suppressed) == ("water", True)


def test_dixon_part() -> None:
    assert describe(image_type=("ORIGINAL", "PRIMARY", "M", "ND", "F")).dixon_part == "fat"
    assert describe().dixon_part == ""


@pytest.mark.parametrize(
    ("image_type", "derived"),
    [
        (("DERIVED", "SECONDARY", "SUBTRACTION"), True),
        (("DERIVED", "PRIMARY", "PROJECTION IMAGE", "CSA MIP"), True),
        (("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), True),
        (("DERIVED", "PRIMARY", "M", "ND"), False),
        (("ORIGINAL", "PRIMARY", "M_SE", "M", "SE"), False),
        ((), False),
    ],
)
def test_derived(image_type: tuple[str, ...], derived: bool) -> None:
    assert describe(image_type=image_type).is_derived is derived


class TestLocalizer:
    def test_three_planes(self) -> None:
        slices = [
            make_header(number, image_orientation=orientation)
            for number, orientation in enumerate((SAGITTAL, CORONAL, AXIAL) * 3)
        ]
        description = describe_series(Series("1", tuple(slices)))
        assert (description.is_localizer, description.plane) == (True, "unknown")

    def test_image_type(self) -> None:
        assert describe(image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")).is_localizer

    def test_fast_thick_gradient_echo_without_a_name(self) -> None:
        timing = {"repetition_time": 7.0, "echo_time": 3.0, "scanning_sequence": "GR", "slice_thickness": 7.0}
        assert describe(5, **timing).is_localizer
        assert not describe(60, **timing).is_localizer

    def test_name_counts_for_few_slices_only(self) -> None:
        assert describe(5, series_description="3-pl loc").is_localizer
        assert not describe(30, series_description="loc").is_localizer

    @pytest.mark.parametrize("count", [1, 3, 15])
    def test_reading_series_are_none(self, count: int) -> None:
        assert not describe(count).is_localizer

    def test_angled_axial_blocks_are_none(self) -> None:
        slices = [
            make_header(5 * block + number, image_orientation=tilted_axial(angle))
            for block, angle in enumerate((-15, -5, 5, 20, 44))
            for number in range(4)
        ]
        description = describe_series(Series("1", tuple(slices)))
        assert (description.is_localizer, description.plane) == (False, "axial")
        assert description.reasons[0] == "axial by its geometry, tilted 5 to 44 degrees"

    def test_one_degree(self) -> None:
        description = describe_series(Series("1", (make_header(0, image_orientation=tilted_axial(1)),)))
        assert description.reasons[0] == "axial by its geometry, tilted 1 degree"


class TestStrays:
    """Single slices of another kind in a series to be read."""

    READ = tuple(make_header(number, image_orientation=AXIAL) for number in range(12))

    @pytest.mark.parametrize("count", [1, 3])
    def test_few_slices_across_the_others(self, count: int) -> None:
        across = tuple(make_header(20 + number, image_orientation=SAGITTAL) for number in range(count))
        for slices in (self.READ + across, across + self.READ):
            series = Series("1", slices)
            assert without_strays(series).slices == self.READ
            description = describe_series(series)
            assert (description.is_localizer, description.plane) == (False, "axial")
            assert description.reasons[0] == "axial by its geometry, tilted 0 degrees"
            assert f"{count} slice" in description.reasons[-1]

    def test_more_than_a_fifth_across_the_others_are_a_localizer(self) -> None:
        across = tuple(make_header(20 + number, image_orientation=SAGITTAL) for number in range(4))
        series = Series("1", self.READ + across)
        assert without_strays(series) is series
        assert describe_series(series).is_localizer

    def test_one_localizer_of_another_size(self) -> None:
        stray = make_header(20, image_orientation=AXIAL, rows=256, image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
        series = Series("1", (stray, *self.READ))
        assert without_strays(series).slices == self.READ
        assert not describe_series(series).is_localizer

    def test_a_slice_of_the_grid_that_says_localizer_stays(self) -> None:
        tagged = replace(self.READ[3], image_type=("ORIGINAL", "PRIMARY", "LOCALIZER"))
        series = Series("1", (*self.READ[:3], tagged, *self.READ[4:]))
        assert without_strays(series) is series
        assert not describe_series(series).is_localizer

    @pytest.mark.parametrize(
        ("count", "kind"), [(1, "SCREEN SAVE"), (2, "PROJECTION IMAGE"), (12, "PHASE MAP"), (12, "SUBTRACT")]
    )
    def test_computed_images_among_the_others(self, count: int, kind: str) -> None:
        computed = tuple(
            make_header(number, image_orientation=AXIAL, image_type=("DERIVED", "PRIMARY", kind))
            for number in range(count)
        )
        series = Series("1", (*computed, *self.READ))
        assert without_strays(series).slices == self.READ
        description = describe_series(series)
        assert not description.is_derived
        assert f"{count} slice" in description.reasons[-1]

    def test_more_computed_images_than_others_are_a_computed_series(self) -> None:
        computed = tuple(
            make_header(number, image_orientation=AXIAL, image_type=("DERIVED", "PRIMARY", "MIP"))
            for number in range(13)
        )
        series = Series("1", (*computed, *self.READ))
        assert without_strays(series) is series
        assert describe_series(series).is_derived

    def test_slices_without_orientation_are_none(self) -> None:
        series = Series("1", tuple(make_header(number, image_orientation=None) for number in range(3)))
        assert without_strays(series) is series


def test_what_is_said_of_a_contrast_agent() -> None:
    for agent in ("Gadovist", "YES", "Y", "7.5 ml", "NONIONIC GD", "Omniscan iv", "NONE\\Dotarem", "Native Gd-DOTA"):
        assert describe(contrast_agent=agent).has_contrast, agent
    for none in ("", "NONE", "NO", "N", "N/A", "NO CONTRAST", "W/O CONTRAST", "ohne KM", "-", "0", "NONE\\None"):
        assert not describe(contrast_agent=none).has_contrast, none


def test_other_modality_and_echoes() -> None:
    assert not describe(modality="CT").is_mr
    slices = tuple(make_header(n, echo_time=echo) for n in range(4) for echo in (15.0, 90.0))
    description = describe_series(Series("1", slices))
    assert description.weighting == "t2"
    assert "several echoes (15, 90 ms), described by the one of 90 ms" in description.reasons

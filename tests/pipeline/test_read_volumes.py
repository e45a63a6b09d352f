"""Painted DICOM series become volumes that play the roles that their pixels show."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from painted_spine import DISCS, T1, PaintedLocator, Spine, axial_block, sagittal_volume
from painted_study import ROOT, small_sagittal, write_volume

from lumbago.dicom.decoder import Decoder
from lumbago.dicom.read_study import read_study
from lumbago.dicom.volume import Volume
from lumbago.pipeline.choose_series import SeriesChoice, choose_series
from lumbago.pipeline.locate_discs import SpineLocation
from lumbago.pipeline.locate_points import locate_foramina
from lumbago.pipeline.read_volumes import ReadSagittal, SeriesReader, read_axial, read_sagittal

BLANK = small_sagittal((0.1,) * 9)


def read(folder: Path, locator: PaintedLocator, decoder: Decoder) -> tuple[dict[str, ReadSagittal], SeriesReader]:
    """The sagittal series by role, and what the reader kept."""
    reader = SeriesReader(locator, decoder)
    roles = read_sagittal(choose_series(read_study(folder, decoder=decoder)), reader)
    return {str(role): found for role, found in roles.items()}, reader


def uids(roles: dict[str, ReadSagittal]) -> dict[str, str]:
    """The last number of the series' UID by role."""
    return {role: found.candidate.series.series_instance_uid.rpartition(".")[2] for role, found in roles.items()}


def remarks(reader: SeriesReader) -> list[str]:
    return [remark.text for remark in reader.remarks]


@pytest.mark.parametrize("missing", [1, 3, 5, 8])
def test_foramina_are_found_on_all_parts_of_a_series(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder, missing: int
) -> None:
    """As where one slice is missing."""
    folder = write_volume(small_sagittal(T1), tmp_path, 1, "t1")
    (folder / f"IM1{missing:03}").unlink()
    roles, _ = read(tmp_path, locator, decoder)
    location = roles["sagittal_t1"].location
    slices = [len(volume.array) for volume in (location.volume, *location.further)]
    assert sorted(slices) == sorted(count for count in (missing, 10 - missing) if count)
    for (_, side), point in locate_foramina(locator, location).items():
        outward = point.point_lps_mm[0] - 3.0
        assert point.confidence > 0.8
        assert 10 < (outward if side == "left" else -outward) < 19
    assert len(locate_foramina(locator, location)) == 10


def test_another_echo_is_no_part(tmp_path: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    """Not at the chosen one's slices, nor where it has none."""
    write_volume(small_sagittal(T1), tmp_path, 1, "t1")
    write_volume(small_sagittal(T1), tmp_path, 6, "t1", SeriesInstanceUID=f"{ROOT}2.1", EchoTime=25)
    for number in (1, 6):
        (tmp_path / f"IM{number}004").unlink()
    roles, _ = read(tmp_path, locator, decoder)
    location = roles["sagittal_t1"].location
    parts = (location.volume, *location.further)
    assert sorted(len(volume.array) for volume in parts) == [4, 6]
    assert len({header.echo_time for volume in parts for header in volume.headers}) == 1


def test_series_play_the_roles_that_they_state_and_show(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder
) -> None:
    write_volume(small_sagittal(T1), tmp_path, 1, "t1")
    write_volume(small_sagittal(), tmp_path, 2, "t2")
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t1": "1", "sagittal_t2": "2"}
    assert (remarks(reader), reader.skipped) == ([], [])
    assert {found.shows for found in roles.values()} == {"t1", "t2"}
    assert {found.doubt for found in roles.values()} == {""}


def test_files_keep_the_places_of_what_was_painted(tmp_path: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    painted = small_sagittal()
    write_volume(painted.reordered((0, 2, 1), (True, False, True)), tmp_path, 2, "t2")
    roles, _ = read(tmp_path, locator, decoder)
    volume = roles["sagittal_t2"].location.volume
    np.testing.assert_array_equal(volume.array, painted.array)
    np.testing.assert_allclose(volume.affine, painted.affine, atol=1e-4)


def test_swapped_tags_are_overruled_by_the_pixels(tmp_path: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    write_volume(small_sagittal(T1), tmp_path, 1, "t2")
    write_volume(small_sagittal(), tmp_path, 2, "t1")
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t1": "1", "sagittal_t2": "2"}
    assert sorted(remarks(reader)) == [
        "A series is tagged T1 but shows T2 contrast; the pixels were followed.",
        "A series is tagged T2 but shows T1 contrast; the pixels were followed.",
    ]


def test_a_rescale_intercept_changes_no_contrast(tmp_path: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    painted = small_sagittal(T1)
    write_volume(painted, tmp_path, 1, "t1", RescaleSlope=1, RescaleIntercept=1500)
    roles, reader = read(tmp_path, locator, decoder)
    assert (uids(roles), remarks(reader)) == ({"sagittal_t1": "1"}, [])
    np.testing.assert_allclose(roles["sagittal_t1"].location.volume.array, painted.array - painted.array.min(), atol=5)


def test_untimed_series_are_told_apart_by_their_pixels(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder
) -> None:
    write_volume(small_sagittal(T1), tmp_path, 1, "unknown")
    write_volume(small_sagittal(), tmp_path, 2, "unknown")
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t1": "1", "sagittal_t2": "2"}
    assert remarks(reader) == []


def test_a_lone_series_plays_one_role(tmp_path: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    write_volume(small_sagittal(T1), tmp_path, 1, "t2")
    roles, _ = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t1": "1"}


def test_a_reformatted_sagittal_series_stands_in_with_a_remark(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder
) -> None:
    write_volume(small_sagittal(), tmp_path, 2, "t2", ImageType=["DERIVED", "SECONDARY", "MPR"])
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t2": "2"}
    assert remarks(reader) == ["sagittal T2 or STIR: a reformatted series stands in for it; its grades are less sure."]


def test_contrast_that_nobody_can_tell_is_taken_for_t2(tmp_path: Path, decoder: Decoder) -> None:
    write_volume(small_sagittal(), tmp_path, 1, "unknown")
    roles, _ = read(tmp_path, BlindToCanal(), decoder)
    assert uids(roles) == {"sagittal_t2": "1"}
    assert roles["sagittal_t2"].shows == "unknown"


class BlindToCanal(PaintedLocator):
    """Draws no canal, as on a slice beside it."""

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        maps = super().run(batch)["maps"]
        maps[:, 3] = -6.0
        return {"maps": maps}


def test_a_better_candidate_that_shows_no_spine_gives_way(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder
) -> None:
    """The first T2 by rank holds nothing; the second one is taken."""
    write_volume(BLANK, tmp_path, 1, "t2", PixelSpacing=["0.5", "0.5"])
    write_volume(small_sagittal(), tmp_path, 2, "t2")
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t2": "2"}
    assert [found.doubt[:7] for found in reader.read.values()] == ["0 discs", ""]


UPPER = Spine(DISCS[:4], has_sacrum=False)


@pytest.mark.parametrize(("timing", "expected"), [("t2", "3"), ("stir", "2")])
def test_a_series_without_the_sacrum_gives_way_to_one_of_its_kind(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder, timing: str, expected: str
) -> None:
    """It has more slices; a STIR does not stand in for it."""
    inversion = 160 if timing == "stir" else None
    write_volume(sagittal_volume(UPPER, first_x=-21.0, slices=13), tmp_path, 2, "t2")
    write_volume(small_sagittal(), tmp_path, 3, "t2", InversionTime=inversion)
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t2": expected}
    assert len(reader.read) == (1 if inversion else 2)


def test_of_series_without_the_sacrum_the_one_with_most_discs_is_taken(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder
) -> None:
    write_volume(sagittal_volume(Spine(DISCS[:3], has_sacrum=False), first_x=-21.0, slices=13), tmp_path, 2, "t2")
    write_volume(small_sagittal(spine=UPPER), tmp_path, 3, "t2")
    roles, _ = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t2": "3"}


def test_of_proton_density_by_its_timing_the_pixels_decide(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder
) -> None:
    write_volume(small_sagittal(T1), tmp_path, 1, "t1")
    write_volume(small_sagittal(), tmp_path, 2, "t2", EchoTime=55)
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t1": "1", "sagittal_t2": "2"}
    assert remarks(reader) == ["A series is tagged PD but shows T2 contrast; the pixels were followed."]


def test_proton_density_whose_contrast_nobody_can_tell_is_taken_for_t2(tmp_path: Path, decoder: Decoder) -> None:
    write_volume(small_sagittal(), tmp_path, 2, "t2", EchoTime=55)
    roles, reader = read(tmp_path, BlindToCanal(), decoder)
    assert uids(roles) == {"sagittal_t2": "2"}
    assert remarks(reader) == ["A series is tagged PD, and its pixels do not tell T1 from T2."]


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (
            {"ImageType": ["DERIVED", "PRIMARY", "DIXON", "FAT"]},
            {"ImageType": ["DERIVED", "PRIMARY", "DIXON", "WATER"]},
        ),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M", "OP"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "M", "IP"]}),
        ({"EchoTime": 15}, {}),
    ],
    ids=["fat", "out of phase", "first echo"],
)
def test_of_several_images_of_a_place_the_better_is_read(
    tmp_path: Path, decoder: Decoder, worse: dict[str, Any], better: dict[str, Any]
) -> None:
    """All in one series, the worse first and with a spine of its own."""
    write_volume(small_sagittal(), tmp_path, 2, "t2", **worse)
    write_volume(small_sagittal(), tmp_path, 3, "t2", SeriesInstanceUID=f"{ROOT}2.2", **better)
    roles, reader = read(tmp_path, PaintedLocator(), decoder)
    headers = roles["sagittal_t2"].location.volume.headers
    assert {header.sop_instance_uid.split(".")[-2] for header in headers} == {"3"}
    assert list(reader.read) == [f"{ROOT}2.2"]


@pytest.mark.parametrize("fat, water", [(1, 2), (2, 1)])
def test_of_several_images_of_a_place_the_one_of_the_claimed_contrast_is_read(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder, fat: int, water: int
) -> None:
    """As of a Dixon series whose ImageType was taken away."""
    write_volume(small_sagittal(T1), tmp_path, 2, "t2", AcquisitionNumber=fat)
    write_volume(small_sagittal(), tmp_path, 3, "t2", SeriesInstanceUID=f"{ROOT}2.2", AcquisitionNumber=water)
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t2": "2"} and remarks(reader) == []
    headers = roles["sagittal_t2"].location.volume.headers
    assert {header.sop_instance_uid.split(".")[-2] for header in headers} == {"3"}


def test_nothing_but_doubtful_series_play_no_role(tmp_path: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    write_volume(BLANK, tmp_path, 1, "t2")
    roles, reader = read(tmp_path, locator, decoder)
    assert roles == {}
    assert len(reader.read) == 1


@pytest.mark.parametrize("timing", ["t2", "unknown"])
def test_a_series_that_cannot_be_decoded_is_skipped_once(
    tmp_path: Path, locator: PaintedLocator, decoder: Decoder, timing: str
) -> None:
    """Also when it is a candidate for both roles."""
    syntax = "1.2.840.10008.1.2.4.70"
    folder = write_volume(small_sagittal(), tmp_path, 1, timing, PixelSpacing=["0.5", "0.5"])
    break_pixels(folder, syntax)
    write_volume(small_sagittal(), tmp_path, 2, timing)
    roles, reader = read(tmp_path, locator, decoder)
    assert uids(roles) == {"sagittal_t2": "2"}
    names = [file.name for file in reader.skipped]
    assert len(names) == len(set(names)) == 11
    assert all(file.is_damage for file in reader.skipped)


def break_pixels(folder: Path, syntax: str) -> None:
    """Makes every file of the folder claim a compression that its pixels do not have."""
    import pydicom
    from pydicom.encaps import encapsulate

    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([b"\xff\xd8\xff\xc3" + bytes(60)])
        dataset["PixelData"].VR = "OB"
        dataset.save_as(path)


def test_each_series_is_read_once(tmp_path: Path, decoder: Decoder) -> None:
    locator = PaintedLocator()
    write_volume(small_sagittal(), tmp_path, 2, "unknown")
    _, reader = read(tmp_path, locator, decoder)
    assert len(locator.slices_seen) == sum(len(found.location.maps) for found in reader.read.values())


def test_slices_that_form_no_grid_are_remarked(tmp_path: Path, locator: PaintedLocator, decoder: Decoder) -> None:
    write_volume(small_sagittal(), tmp_path, 2, "t2")
    unplaced = {"ImagePositionPatient": None, "InstanceNumber": None, "SeriesInstanceUID": f"{ROOT}7"}
    write_volume(small_sagittal(), tmp_path / "more", 4, "t1", **unplaced)
    roles, reader = read(tmp_path, locator, decoder)
    assert set(roles) == {"sagittal_t2"}
    assert any("no usable geometry" in text for text in remarks(reader))


def axial_choice(
    folder: Path, location: SpineLocation, decoder: Decoder
) -> tuple[SeriesChoice, tuple[Volume, ...], list[str]]:
    """What becomes of the axial series of a folder that also has a sagittal T2, and the remarks on the way."""
    write_volume(small_sagittal(), folder, 2, "t2")
    reader = SeriesReader(PaintedLocator(), decoder)
    choice, volumes = read_axial(choose_series(read_study(folder, decoder=decoder)), reader, location.discs)
    return choice, volumes, remarks(reader)


def axial_series(number: int, folder: Path, timing: str, *, canal: float = 1.0, **fields: Any) -> None:
    """Blocks at two discs; `canal` dims the canal."""
    for block, disc in enumerate(DISCS[2:4]):
        volume = axial_block(disc, disc.tilt, slices=3)
        array = np.where(volume.array == 820, canal * 820, volume.array).astype(np.float32)
        own = f"{ROOT}2.{number}"
        write_volume(replace(volume, array=array), folder, number + block, timing, SeriesInstanceUID=own, **fields)


def test_an_untimed_axial_series_is_taken_by_its_pixels(
    tmp_path: Path, location: SpineLocation, decoder: Decoder
) -> None:
    axial_series(30, tmp_path, "unknown")
    axial_series(40, tmp_path, "unknown", canal=0.2)
    choice, volumes, said = axial_choice(tmp_path, location, decoder)
    assert [row.series.series_instance_uid for row in choice.candidates["axial_t2"]] == [f"{ROOT}2.30"]
    assert [row.reason for row in choice.left_out] == ["axial unknown: its pixels do not show T2 contrast"]
    assert (len(volumes), said) == (2, [])


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"EchoTime": 55}, "proton density"),
        ({"ScanningSequence": "GR", "RepetitionTime": 600, "EchoTime": 18}, "T2*"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "reformatted"),
    ],
)
def test_another_axial_series_stands_in_for_t2_with_a_remark(
    tmp_path: Path, location: SpineLocation, decoder: Decoder, fields: dict[str, Any], what: str
) -> None:
    axial_series(30, tmp_path, "t2", **fields)
    axial_series(40, tmp_path, "unknown", canal=0.2)
    choice, volumes, said = axial_choice(tmp_path, location, decoder)
    assert [row.series.series_instance_uid for row in choice.candidates["axial_t2"]] == [f"{ROOT}2.30"]
    assert said == [f"axial T2: a {what} series stands in for it; its grades are less sure."]
    assert len(volumes) == 2


def test_an_untimed_axial_series_that_shows_t2_comes_before_proton_density(
    tmp_path: Path, location: SpineLocation, decoder: Decoder
) -> None:
    axial_series(30, tmp_path, "t2", EchoTime=55)
    axial_series(40, tmp_path, "unknown")
    choice, _, said = axial_choice(tmp_path, location, decoder)
    assert [row.series.series_instance_uid for row in choice.candidates["axial_t2"]] == [f"{ROOT}2.40"]
    assert [row.reason for row in choice.left_out] == ["axial PD: no role for it"]
    assert said == []

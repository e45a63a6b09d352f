"""Series of which the SeriesInstanceUIDs were lost."""

from dataclasses import replace
from typing import Any

import pytest
from headers import AXIAL, CORONAL, SAGITTAL, make_header

from lumbago.dicom.group_series import group_series
from lumbago.dicom.study import Series, SliceHeader

T1 = {"repetition_time": 550.0, "echo_time": 11.0, "series_number": 2}
T2 = {"repetition_time": 3500.0, "echo_time": 100.0, "series_number": 3}
AXIAL_T2 = {"repetition_time": 4000.0, "echo_time": 100.0, "series_number": 4, "image_orientation": AXIAL}


def slices(count: int, **fields: Any) -> list[SliceHeader]:
    return [make_header(number, **fields) for number in range(count)]


def study(**fields: Any) -> list[SliceHeader]:
    """Sagittal T1 and T2 and axial T2."""
    return [*slices(11, **{**T1, **fields}), *slices(12, **{**T2, **fields}), *slices(20, **{**AXIAL_T2, **fields})]


def counts(series: list[Series]) -> list[int]:
    return sorted(len(one.slices) for one in series)


def assert_made_up(series: list[Series], remark: str) -> None:
    assert {one.remarks for one in series} == {(remark,)}
    for one in series:
        assert {header.series_instance_uid for header in one.slices} == {one.series_instance_uid}
    assert len({one.series_instance_uid for one in series}) == len(series)


def test_one_uid_is_one_series() -> None:
    (series,) = group_series(slices(11, **T1))
    assert (series.series_instance_uid, series.remarks) == ("1", ())
    assert counts(group_series([*slices(4), *slices(3, series_instance_uid="2")])) == [3, 4]


class TestOneForAll:
    def test_parted_by_number(self) -> None:
        found = group_series(study())
        assert counts(found) == [11, 12, 20]
        assert_made_up(found, "3 series share one SeriesInstanceUID; they were parted by SeriesNumber")

    def test_parted_by_timing(self) -> None:
        found = group_series(study(series_number=None))
        assert counts(found) == [11, 12, 20]
        assert_made_up(found, "3 series share one SeriesInstanceUID; they were parted by name, size and timing")
        assert counts(group_series(study(series_number=1)[:23])) == [11, 12]

    def test_uids_depend_on_content_alone(self) -> None:
        uids = [{one.series_instance_uid for one in group_series(order)} for order in (study(), study()[::-1])]
        assert uids[0] == uids[1]

    def test_with_a_localizer(self) -> None:
        planning = [
            header
            for plane in (SAGITTAL, CORONAL, AXIAL)
            for header in slices(5, image_orientation=plane, repetition_time=7.0, echo_time=3.0, rows=6)
        ]
        assert counts(group_series([*study(series_number=None), *planning])) == [11, 12, 15, 20]

    def test_numbers_of_like_slices_part_nothing(self) -> None:
        like = [*slices(6, series_number=1), *slices(6, series_number=2)]
        assert counts(group_series(like)) == [12]
        assert counts(group_series([make_header(n, series_number=n, echo_time=90.0 + n) for n in range(12)])) == [12]

    def test_a_localizer_stays_one(self) -> None:
        planning = [
            header
            for rows, plane in enumerate((SAGITTAL, CORONAL, AXIAL), start=6)
            for header in slices(5, image_orientation=plane, rows=rows)
        ]
        assert counts(group_series(planning)) == [15]

    def test_a_localizer_among_the_slices_of_a_series(self) -> None:
        planning = [
            header
            for plane in (CORONAL, AXIAL)
            for header in slices(5, **{**T2, "image_orientation": plane, "repetition_time": 7.0})
        ]
        others = slices(11, series_instance_uid="2", **T1)
        assert counts(group_series([*others, *slices(13, **T2), *planning])) == [10, 11, 13]
        assert counts(group_series([*others, *slices(9, **T2), *planning])) == [11, 19]

    def test_echoes_stay_one(self) -> None:
        echoes = [header for echo in (20.0, 90.0) for header in slices(11, **{**T2, "echo_time": echo})]
        assert counts(group_series(echoes)) == [22]


class TestOneForEveryImage:
    def own(self, headers: list[SliceHeader]) -> list[SliceHeader]:
        return [replace(header, series_instance_uid=f"7.{place}") for place, header in enumerate(headers)]

    def test_joined_by_number(self) -> None:
        found = group_series(self.own(study()))
        assert counts(found) == [11, 12, 20]
        assert_made_up(found, "most slices have a SeriesInstanceUID of their own; they were joined by SeriesNumber")

    @pytest.mark.parametrize("number", [None, 1])
    def test_joined_by_timing(self, number: int | None) -> None:
        found = group_series(self.own(study(series_number=number)))
        assert counts(found) == [11, 12, 20]

    def test_few_are_left_alone(self) -> None:
        assert counts(group_series(self.own(slices(9)))) == [1] * 9

    def test_without_a_place_they_are_left_alone(self) -> None:
        assert counts(group_series(self.own(slices(12, image_position=None)))) == [1] * 12

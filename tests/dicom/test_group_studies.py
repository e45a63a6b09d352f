"""Studies of which the StudyInstanceUIDs were lost."""

from typing import Any

import pytest
from headers import AXIAL, make_header

from lumbago.dicom.group_studies import group_studies
from lumbago.dicom.study import SliceHeader

SESSION = {"patient_id": "P1", "study_date": "20240102", "frame_of_reference_uid": "9"}


def lone(number: int, count: int = 5, **fields: Any) -> list[SliceHeader]:
    """The only series of a study."""
    uids = {"study_instance_uid": f"3.{number}", "series_instance_uid": f"4.{number}"}
    return [make_header(place, **{**uids, **SESSION, **fields}) for place in range(count)]


def test_a_uid_for_every_series_is_none() -> None:
    slices = [*lone(2), *lone(1, 6, repetition_time=550.0, echo_time=11.0), *lone(3, 1, image_orientation=AXIAL)]
    (study,) = group_studies(slices)
    assert sorted(len(series.slices) for series in study) == [1, 5, 6]
    assert {header.study_instance_uid for series in study for header in series.slices} == {"3.1"}
    assert {series.series_instance_uid for series in study} == {"4.1", "4.2", "4.3"}
    said = (
        "every series has a StudyInstanceUID of its own; those of one patient, day and frame of reference were joined"
    )
    assert {series.remarks for series in study} == {(said,)}


@pytest.mark.parametrize("fields", [
    {"patient_id": "P2"}, {"study_date": "20240103"}, {"frame_of_reference_uid": "8"},

])  # fmt: skip
def test_other_studies_stay(fields: dict[str, str]) -> None:
    assert [len(study) for study in group_studies([*lone(1), *lone(2, **fields)])] == [1, 1]


@pytest.mark.parametrize("field", SESSION)
def test_what_is_not_stated_is_not_shared(field: str) -> None:
    assert len(group_studies([*lone(1, **{field: ""}), *lone(2, **{field: ""})])) == 2


def test_studies_of_single_slices_stay() -> None:
    found = group_studies([*lone(1, 1), *lone(2, 1), *lone(3, 4)])
    assert [[series.remarks for series in study] for study in found] == [[()], [()], [()]]


def test_a_study_of_several_series_stays() -> None:
    whole = [*lone(1), *lone(1, series_instance_uid="4.7")]
    assert sorted(len(study) for study in group_studies([*whole, *lone(2)])) == [1, 2]

"""NIfTI volumes as series: every voxel keeps its place in the patient, whatever the order of its axes."""

import gzip
import itertools
import shutil
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from dicom_files import write_series

from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.describe_series import describe_series
from lumbago.dicom.read_study import read_studies, read_study
from lumbago.dicom.volume import Volume
from lumbago.errors import UnreadableInput

TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
VALUES = np.random.default_rng(0).integers(0, 800, (6, 30, 40)).astype(np.int16)
SAGITTAL_RAS = np.array([[4.0, 0.1, 0, -10], [-0.1 * 4, 0.7, 0.02, -80], [0, -0.014, 0.8, -300], [0, 0, 0, 1]])


def write(path: Path, values: np.ndarray = VALUES, affine: np.ndarray | None = SAGITTAL_RAS) -> Path:
    image = nibabel.Nifti1Image(values, affine)
    if affine is None:
        image.header.set_sform(np.eye(4), 0)
        image.header.set_qform(np.eye(4), 0)
    nibabel.save(image, path)
    return path


def orthogonal(affine: np.ndarray) -> np.ndarray:
    u, _, v = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    result = affine.copy()
    result[:3, :3] = (u @ v) * np.linalg.norm(affine[:3, :3], axis=0)
    return result


def volume_of(path: Path, decoder: Decoder) -> Volume:
    built = build_volumes(read_study(path, decoder=decoder).series[0], decoder)
    assert (built.skipped, built.refused) == ((), ())
    (volume,) = built.volumes
    return volume


AFFINE = orthogonal(SAGITTAL_RAS)


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1)])
def test_voxels_keep_their_place(
    tmp_path: Path, decoder: Decoder, axes: tuple[int, ...], flips: tuple[int, ...]
) -> None:
    orientation = nibabel.orientations.inv_ornt_aff(np.array(list(zip(axes, flips, strict=True))), VALUES.shape)
    values = nibabel.orientations.apply_orientation(VALUES, np.array(list(zip(axes, flips, strict=True))))
    volume = volume_of(write(tmp_path / "x.nii.gz", values, AFFINE @ orientation), decoder)
    assert volume.array.shape[0] == 6
    ijk = np.argwhere(np.ones(volume.array.shape, bool))
    source = np.linalg.inv(TO_LPS @ AFFINE) @ np.c_[volume.to_lps_mm(ijk.astype(np.float64)), np.ones(len(ijk))].T
    np.testing.assert_allclose(source[:3], np.rint(source[:3]), atol=1e-3)
    np.testing.assert_array_equal(VALUES[tuple(np.rint(source[:3]).astype(int))], volume.array.ravel())


def test_series_of_a_volume(tmp_path: Path, decoder: Decoder) -> None:
    study = read_study(write(tmp_path / "t2_sag.nii.gz", affine=AFFINE), decoder=decoder)
    (series,) = study.series
    assert (study.name, len(series.slices), series.first.rows, series.first.columns) == ("t2_sag", 6, 40, 30)
    assert (series.first.modality, series.first.series_description) == ("", "t2_sag")
    description = describe_series(series)
    assert (description.plane, description.weighting, description.is_mr) == ("sagittal", "t2", True)
    assert "T2 by its name alone" in description.reasons


def test_isotropic_volumes_are_cut_sagittally(tmp_path: Path, decoder: Decoder) -> None:
    affine = np.array([[0, 0, -1.0, 5], [1.0, 0, 0, 6], [0, 1.0, 0, 7], [0, 0, 0, 1]])
    study = read_study(write(tmp_path / "x.nii", affine=affine), decoder=decoder)
    assert len(study.series[0].slices) == 40
    assert describe_series(study.series[0]).plane == "sagittal"


def test_uids_depend_on_content_alone(tmp_path: Path, decoder: Decoder) -> None:
    first = read_study(write(tmp_path / "a.nii", affine=AFFINE), decoder=decoder)
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes()))
    again = read_study(tmp_path / "b.nii.gz", decoder=decoder)
    other = read_study(write(tmp_path / "c.nii", VALUES + 1, AFFINE), decoder=decoder)
    assert [h.sop_instance_uid for h in first.series[0].slices] == [h.sop_instance_uid for h in again.series[0].slices]
    assert first.study_instance_uid == again.study_instance_uid
    assert first.study_instance_uid != other.study_instance_uid
    assert len({h.sop_instance_uid for h in first.series[0].slices}) == 6


def test_folder_of_volumes_is_one_study_and_may_hold_dicom_too(tmp_path: Path, decoder: Decoder) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "t1.nii.gz", affine=AFFINE)
    write(tmp_path / "in" / "t2.nii", VALUES * 2, AFFINE)
    shutil.copy(tmp_path / "in" / "t2.nii", tmp_path / "in" / "copy.nii")
    study = read_study(tmp_path / "in", decoder=decoder)
    assert sorted(series.first.series_description for series in study.series) == ["copy", "t1"]
    assert [skip.reason for skip in study.skipped] == ["a copy of copy.nii"]
    write_series(tmp_path / "in" / "dicom", 2)
    assert len(read_studies(tmp_path / "in", decoder=decoder)) == 2


def test_members_of_a_zip(tmp_path: Path, decoder: Decoder) -> None:
    path = write(tmp_path / "t2.nii.gz", affine=AFFINE)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(path, "deep/t2.nii.gz")
    np.testing.assert_array_equal(volume_of(tmp_path / "x.zip", decoder).array, volume_of(path, decoder).array)


def test_bids_subjects_are_kept_apart(tmp_path: Path, decoder: Decoder) -> None:
    for subject in (1, 2):
        write(tmp_path / f"sub-{subject:02}_T2w.nii.gz", VALUES * subject, AFFINE)
        write(tmp_path / f"sub-{subject:02}_T1w.nii.gz", VALUES + subject, AFFINE)
    assert [len(study.series) for study in read_studies(tmp_path, decoder=decoder)] == [2, 2]


def test_scaling_and_voxels_that_are_no_number(tmp_path: Path, decoder: Decoder) -> None:
    values = VALUES.astype(np.float32) / 3
    values[2, 3, 4] = np.nan
    volume = volume_of(write(tmp_path / "x.nii", values, AFFINE), decoder)
    assert np.isfinite(volume.array).all()
    np.testing.assert_allclose(volume.array.sum(), np.nan_to_num(values).sum(), rtol=1e-5)
    image = nibabel.Nifti1Image(VALUES, AFFINE)
    image.header.set_slope_inter(2.0, -7.0)
    image.to_filename(tmp_path / "y.nii")
    stored = np.asarray(nibabel.load(tmp_path / "y.nii").dataobj)
    np.testing.assert_allclose(volume_of(tmp_path / "y.nii", decoder).array.sum(), stored.sum(), rtol=1e-5)


def test_sheared_affine_is_no_grid(tmp_path: Path, decoder: Decoder) -> None:
    sheared = AFFINE.copy()
    sheared[:3, 1] += 0.2 * sheared[:3, 2]
    built = build_volumes(read_study(write(tmp_path / "x.nii", affine=sheared), decoder=decoder).series[0], decoder)
    assert built.volumes == ()
    assert "not at right angles" in str(built.refused[0])


def test_no_orientation_is_no_grid(tmp_path: Path, decoder: Decoder) -> None:
    built = build_volumes(read_study(write(tmp_path / "x.nii", affine=None), decoder=decoder).series[0], decoder)
    assert built.volumes == ()
    assert "no usable geometry" in str(built.refused[0])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:-100], "cut off"),
        (lambda data: data[:200], "cut off: 200 bytes are no NIfTI header"),
        (lambda data: b"no nifti at all" * 40, "header makes no sense"),
        (lambda data: data[:42] + b"\x30\x75\x30\x75\x30\x75" + data[48:], "declares"),
        (lambda data: gzip.compress(data)[:-50], "its gzip data are cut off"),
    ],
)
def test_damage(tmp_path: Path, decoder: Decoder, damage: object, reason: str) -> None:
    data = write(tmp_path / "whole.nii", affine=AFFINE).read_bytes()
    (tmp_path / "x.nii").write_bytes(damage(data))  # type: ignore[operator]
    with pytest.raises(UnreadableInput, match=reason):
        read_studies(tmp_path / "x.nii", decoder=decoder)


def test_series_of_volumes_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    write(tmp_path / "x.nii", np.zeros((4, 5, 6, 3), np.int16), AFFINE)
    with pytest.raises(UnreadableInput, match="4 x 5 x 6 x 3 values, a series of volumes; expected one volume"):
        read_studies(tmp_path / "x.nii", decoder=decoder)


def test_gzip_bomb(tmp_path: Path, decoder: Decoder) -> None:
    data = bytearray(write(tmp_path / "whole.nii", affine=AFFINE).read_bytes())
    data[42:48] = (2000).to_bytes(2, "little") * 3
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(bytes(data) + bytes(1 << 24)))
    with pytest.raises(UnreadableInput, match="declares 16000000000 bytes of voxels"):
        read_studies(tmp_path / "x.nii.gz", decoder=decoder)


def test_voxel_labels_beside_an_image_are_none(tmp_path: Path, decoder: Decoder) -> None:
    """As `lumbago phantom --layout nifti` writes them; a network would read anatomy into them."""
    write(tmp_path / "t2.nii.gz")
    write(tmp_path / "t2_labels.nii.gz", (VALUES // 400).astype(np.uint8))
    write(tmp_path / "other_labels.nii.gz", VALUES + 1)
    study = read_study(tmp_path, decoder=decoder)
    assert sorted(series.first.series_description for series in study.series) == ["other_labels", "t2"]
    (left_out,) = study.skipped
    assert (left_out.name, left_out.is_damage) == ("t2_labels.nii.gz", False)


@pytest.mark.parametrize("word", ["_seg", "_mask", "-label"])
def test_voxel_labels_of_other_programs_are_no_series(tmp_path: Path, decoder: Decoder, word: str) -> None:
    write(tmp_path / "t2.nii.gz")
    write(tmp_path / f"t2{word}.nii.gz", (VALUES // 400).astype(np.uint8))
    write(tmp_path / "t1_seg.nii.gz", VALUES + 1)
    study = read_study(tmp_path, decoder=decoder)
    assert sorted(series.first.series_description for series in study.series) == ["t1_seg", "t2"]

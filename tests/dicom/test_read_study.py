"""Folders, archives, indexes and files to studies: what is read, what is left out, what is refused."""

import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from dicom_files import AXIAL, CORONAL, ROOT, make_slice, save, write_series
from pydicom import config, uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset

from lumbago.dicom.decoder import Decoder
from lumbago.dicom.read_study import read_studies, read_study
from lumbago.dicom.study import Study
from lumbago.errors import InputError, LumbagoError, MixedPatients, NotALumbarStudy, UnreadableInput


def zip_folder(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return target


def numbers(study: Study) -> list[list[int | None]]:
    return [[header.instance_number for header in series.slices] for series in study.series]


def reasons(study: Study) -> dict[str, str]:
    return {skip.name: skip.reason for skip in study.skipped}


def damaged(study: Study) -> set[str]:
    return {skip.name for skip in study.skipped if skip.is_damage}


def test_folder_of_any_nesting_with_other_files_between(tmp_path: Path, decoder: Decoder) -> None:
    write_series(tmp_path / "a" / "b", 3)
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(40))
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "report.pdf").write_bytes(b"%PDF-1.7\n")
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (tmp_path / "old.zip").write_bytes(b"PK\x03\x04" + bytes(40))
    study = read_study(tmp_path, decoder=decoder)
    assert numbers(study) == [[1, 2, 3]] or numbers(study) == [[3, 2, 1]]
    assert study.name == tmp_path.name
    assert damaged(study) == set()
    assert reasons(study) == {
        ".DS_Store": "a hidden file or folder",
        "a/Thumbs.db": "no DICOM: an office document",
        "readme.txt": "no DICOM: a text file",
        "report.pdf": "no DICOM: a PDF document",
        "old.zip": "no DICOM: a zip archive",
    }


def test_zip_reads_as_its_folder(tmp_path: Path, decoder: Decoder) -> None:
    folder = write_series(tmp_path / "study" / "deep", 4)
    archive = zip_folder(folder.parent, tmp_path / "study.ZIP")
    from_folder, from_zip = read_study(folder.parent, decoder=decoder), read_study(archive, decoder=decoder)
    assert from_zip.name == "study"
    assert numbers(from_zip) == numbers(from_folder)
    for here, there in zip(from_folder.series[0].slices, from_zip.series[0].slices, strict=True):
        assert here.source.name == there.source.name
        np.testing.assert_array_equal(decoder.read_picture(here), decoder.read_picture(there))


def test_single_file_and_missing_suffix(tmp_path: Path, decoder: Decoder) -> None:
    assert read_study(save(make_slice(), tmp_path / "one.dcm"), decoder=decoder).name == "one"
    study = read_study(save(make_slice(), tmp_path / "IM1"), decoder=decoder)
    assert (study.name, study.first.rows, study.first.columns) == ("IM1", 24, 20)
    assert study.first.image_type == ("ORIGINAL", "PRIMARY", "M")


def test_header_fields(tmp_path: Path, decoder: Decoder) -> None:
    stated = {"SpacingBetweenSlices": "4.4", "PatientAge": "045Y", "EchoTrainLength": 16, "IssuerOfPatientID": "HERE"}
    path = save(make_slice(7, **stated), tmp_path / "x")
    header = read_study(path, decoder=decoder).first
    assert (header.pixel_spacing, header.slice_thickness, header.spacing_between_slices) == ((0.5, 0.75), 4.0, 4.4)
    assert (header.repetition_time, header.echo_time, header.inversion_time) == (3000.0, 100.0, None)
    assert (header.patient_name, header.patient_age, header.echo_train_length) == ("Doe^Jane", "045Y", 16)
    assert header.issuer_of_patient_id == "HERE"
    assert (header.frame, header.instance_number, header.study_date) == (None, 7, "20240102")
    assert header.image_position == (8.0, -50.0, 60.0)


@pytest.mark.parametrize(
    ("stated", "imager", "used"),
    [
        ([0.5, 0.75], [0.6, 0.6], (0.5, 0.75)),
        (None, [0.6, 0.7], (0.6, 0.7)),
        ([0.5, 0], [0.6, 0.7], (0.6, 0.7)),
        (None, [0.6], None),
        (None, [0, 0], None),
    ],
)
def test_pixel_spacing(
    tmp_path: Path, decoder: Decoder, stated: list[float] | None, imager: list[float], used: tuple[float, float] | None
) -> None:
    path = save(make_slice(PixelSpacing=stated, ImagerPixelSpacing=imager), tmp_path / "x")
    assert read_study(path, decoder=decoder).first.pixel_spacing == used


def test_order_does_not_depend_on_names_uids_or_file_order(tmp_path: Path, decoder: Decoder) -> None:
    def write(folder: Path, seed: int) -> Study:
        rng = random.Random(seed)
        slices = [
            (position, series, orientation)
            for series, orientation in ((1, None), (2, AXIAL), (3, CORONAL))
            for position in range(5)
        ]
        rng.shuffle(slices)
        uids = {series: f"{ROOT}{rng.randrange(10**9)}" for series in (1, 2, 3)}
        for place, (position, series, orientation) in enumerate(slices):
            fields = {"SeriesInstanceUID": uids[series], "SOPInstanceUID": f"{ROOT}{rng.randrange(10**12)}"}
            if orientation:
                fields |= {"ImageOrientationPatient": orientation}
            fields |= {"SeriesNumber": None, "StudyInstanceUID": f"{ROOT}{seed}", "EchoTime": 90 + series}
            fields |= {"InstanceNumber": None, "ImagePositionPatient": [3.0 * position] * 3}
            save(make_slice(position + 1, **fields), folder / f"{rng.randrange(10**6)}_{place}")
        return read_study(folder, decoder=decoder)

    def shape(study: Study) -> list[list[tuple[object, ...]]]:
        return [[(h.image_position, h.image_orientation, h.echo_time) for h in s.slices] for s in study.series]

    first, second = write(tmp_path / "a", 1), write(tmp_path / "b", 2)
    assert [len(series.slices) for series in first.series] == [5, 5, 5]
    assert shape(first) == shape(second)


def test_several_studies_of_one_input(tmp_path: Path, decoder: Decoder) -> None:
    for number, date in ((1, "20240301"), (2, "20230101")):
        uids = {"StudyInstanceUID": f"{ROOT}4.{number}", "SeriesInstanceUID": f"{ROOT}5.{number}"}
        for place in range(2):
            one = make_slice(10 * number + place, StudyDate=date, PatientID=f"P{number}", **uids)
            save(one, tmp_path / "in" / str(number) / str(place))
    (tmp_path / "in" / "1" / "note.txt").write_text("x")
    studies = read_studies(tmp_path / "in", decoder=decoder)
    assert [(study.name, study.first.study_date) for study in studies] == [("in", "20230101"), ("in-2", "20240301")]
    assert [len(study.skipped) for study in studies] == [0, 1]
    with pytest.raises(InputError, match="in holds 2 studies; expected one study"):
        read_study(tmp_path / "in", decoder=decoder)


def test_progress_counts_every_file(tmp_path: Path, decoder: Decoder) -> None:
    seen: list[tuple[int, int]] = []
    read_studies(write_series(tmp_path, 3), lambda done, total: seen.append((done, total)), decoder)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_own_decoder_is_started_and_ended(tmp_path: Path) -> None:
    assert len(read_studies(write_series(tmp_path, 1))) == 1


class TestMixedPatients:
    def test_one_study_two_patients(self, tmp_path: Path, decoder: Decoder) -> None:
        save(make_slice(1), tmp_path / "a" / "1")
        save(make_slice(2, PatientID="P2"), tmp_path / "b" / "2")
        with pytest.raises(MixedPatients, match=r"PatientID differs between a/1 and b/2") as error:
            read_studies(tmp_path, decoder=decoder)
        assert "Doe" not in str(error.value)

    def test_one_folder_two_patients_with_studies_of_their_own(self, tmp_path: Path, decoder: Decoder) -> None:
        save(make_slice(1), tmp_path / "1")
        other = {"StudyInstanceUID": f"{ROOT}7", "SeriesInstanceUID": f"{ROOT}8"}
        save(make_slice(2, PatientName="Roe^Jane", **other), tmp_path / "2")
        with pytest.raises(MixedPatients, match="one folder holds more than one patient: PatientName"):
            read_studies(tmp_path, decoder=decoder)

    def test_unknown_and_spelling_are_no_difference(self, tmp_path: Path, decoder: Decoder) -> None:
        save(make_slice(1, PatientName="Doe^Jane^^", PatientBirthDate="19700101"), tmp_path / "1")
        save(make_slice(2, PatientName="DOE JANE", PatientID=None), tmp_path / "2")
        save(make_slice(3, PatientName="", PatientSex="F"), tmp_path / "3")
        assert len(read_study(tmp_path, decoder=decoder).series[0].slices) == 3

    def test_two_that_differ_only_through_a_third(self, tmp_path: Path, decoder: Decoder) -> None:
        save(make_slice(1, PatientID=None, PatientName=None), tmp_path / "1")
        save(make_slice(2, PatientBirthDate="19700101"), tmp_path / "2")
        save(make_slice(3, PatientBirthDate="19710101"), tmp_path / "3")
        with pytest.raises(MixedPatients, match="PatientBirthDate differs between 2 and 3"):
            read_studies(tmp_path, decoder=decoder)


class TestDuplicates:
    def test_copies_count_once(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path / "a", 2)
        shutil.copy(tmp_path / "a" / "IM0001", tmp_path / "copy")
        recoded = make_slice(2)
        recoded.compress(uid.RLELossless, generate_instance_uid=False)
        save(recoded, tmp_path / "recoded")
        study = read_study(tmp_path, decoder=decoder)
        assert len(study.series[0].slices) == 2
        assert damaged(study) == set()
        assert len(study.skipped) == 2
        assert all("a copy of" in skip.reason for skip in study.skipped)

    @pytest.mark.parametrize("change", [{"pixels": np.zeros((24, 20), np.uint16)}, {"ImagePositionPatient": [1, 2, 3]}])
    def test_contradictions_are_not_used(self, tmp_path: Path, decoder: Decoder, change: dict[str, object]) -> None:
        write_series(tmp_path, 3)
        save(make_slice(2, **change), tmp_path / "other")  # type: ignore[arg-type]
        study = read_study(tmp_path, decoder=decoder)
        assert sorted(header.source.name for header in study.series[0].slices) == ["IM0001", "IM0003"]
        assert damaged(study) == {"IM0002", "other"}

    def test_copies_with_edited_texts_count_once(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path / "a", 3)
        write_series(tmp_path / "b", 3, StudyDescription="MRI LSPINE (corrected)", SeriesDescription="SAG")
        study = read_study(tmp_path, decoder=decoder)
        assert sorted(header.source.name for header in study.series[0].slices) == [f"a/IM000{n}" for n in (1, 2, 3)]
        assert damaged(study) == set()
        assert len(study.skipped) == 3

    def test_copies_that_tell_more_of_the_patient_count_once(self, tmp_path: Path, decoder: Decoder) -> None:
        """As when an archive completes the patient of a study that was sent before."""
        write_series(tmp_path / "a", 3, PatientName="DOE^JANE")
        write_series(tmp_path / "b", 3, PatientSex="F", PatientBirthDate="19500101", PatientAge="074Y")
        study = read_study(tmp_path, decoder=decoder)
        assert sorted(header.source.name for header in study.series[0].slices) == [f"a/IM000{n}" for n in (1, 2, 3)]
        assert damaged(study) == set()
        assert {skip.reason for skip in study.skipped} == {f"a copy of a/IM000{n}" for n in (1, 2, 3)}

    @pytest.mark.parametrize("field", ["SeriesInstanceUID", "StudyInstanceUID"])
    def test_copies_filed_under_another_series_or_study_count_once(
        self, tmp_path: Path, decoder: Decoder, field: str
    ) -> None:
        """Whichever file of a slice comes first."""
        for number in (1, 2, 3):
            mine, other = (f"{number}a", f"{number}b")[:: 1 if number == 2 else -1]
            save(make_slice(number, **{field: f"{ROOT}70"}), tmp_path / mine)
            copy = {field: f"{ROOT}71", "SeriesNumber": 900, "FrameOfReferenceUID": f"{ROOT}72"}
            save(make_slice(number, **copy), tmp_path / other)
        study = read_study(tmp_path, decoder=decoder)
        assert sorted(header.source.name for header in study.series[0].slices) == ["1b", "2a", "3b"]
        assert (len(study.series), damaged(study), len(study.skipped)) == (1, set(), 3)

    def test_copies_of_different_patients_contradict(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path / "a", 3)
        save(make_slice(2, PatientID="P2"), tmp_path / "other")
        study = read_study(tmp_path, decoder=decoder)
        assert sorted(header.source.name for header in study.series[0].slices) == ["a/IM0001", "a/IM0003"]
        assert damaged(study) == {"a/IM0002", "other"}

    @pytest.mark.parametrize("number", [None, 1, "own"])
    def test_slices_of_one_uid_are_all_kept(self, tmp_path: Path, decoder: Decoder, number: object) -> None:
        """Also when one of them is there twice."""
        for index in range(1, 5):
            stated = index if number == "own" else number
            save(make_slice(index, SOPInstanceUID=f"{ROOT}9", InstanceNumber=stated), tmp_path / f"{index}")
        shutil.copy(tmp_path / "2", tmp_path / "copy")
        study = read_study(tmp_path, decoder=decoder)
        assert sorted(header.source.name for header in study.series[0].slices) == ["1", "2", "3", "4"]
        assert [(skip.name, skip.reason) for skip in study.skipped] == [("copy", "a copy of 2")]

    def test_other_pixels_at_the_same_place_contradict_under_one_uid_too(
        self, tmp_path: Path, decoder: Decoder
    ) -> None:
        for index in range(1, 4):
            save(make_slice(index, SOPInstanceUID=f"{ROOT}9"), tmp_path / f"{index}")
        blank = np.zeros((24, 20), np.uint16)
        save(make_slice(2, blank, SOPInstanceUID=f"{ROOT}9", StudyDescription="other"), tmp_path / "other")
        study = read_study(tmp_path, decoder=decoder)
        assert sorted(header.source.name for header in study.series[0].slices) == ["1", "3"]
        assert damaged(study) == {"2", "other"}


class TestDamage:
    def test_bad_files_among_good_ones(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path, 3)
        whole = (tmp_path / "IM0001").read_bytes()
        (tmp_path / "cut_pixels").write_bytes(whole[:-200])
        (tmp_path / "cut_header").write_bytes(whole[:400])
        (tmp_path / "text.dcm").write_text("no image")
        (tmp_path / "empty.dcm").write_bytes(b"")
        bare = make_slice(9)
        del bare.PixelData
        save(bare, tmp_path / "bare")
        study = read_study(tmp_path, decoder=decoder)
        assert len(study.series[0].slices) == 3
        assert damaged(study) == {"cut_pixels", "cut_header", "text.dcm", "empty.dcm", "bare"}
        found = reasons(study)
        assert found["cut_pixels"] == "cut off: 760 of 960 pixel bytes"
        assert found["cut_header"].startswith("cut off or damaged in its header: element (")
        assert found["text.dcm"] == "named like an image, but a text file"
        assert found["bare"] == "no pixels"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"ImagePositionPatient": ["1e400", 0, 0]}, "its ImagePositionPatient is not 3 finite numbers"),
            ({"PixelSpacing": [0.5]}, "its PixelSpacing is not 2 finite numbers"),
            ({"RescaleSlope": 0, "RescaleIntercept": 0}, "its rescale slope 0 and intercept 0 leave no image"),
            ({"RescaleSlope": "1e300", "RescaleIntercept": 0}, "absurdly large"),
            ({"StudyInstanceUID": None}, "states no StudyInstanceUID"),
            ({"SOPInstanceUID": None}, "states no SOPInstanceUID"),
            ({"NumberOfFrames": 2}, "holds fewer pixels than it declares: 960 of 1920 pixel bytes"),
            ({"Rows": 0}, "declares 0 x 20 pixels"),
            ({"Rows": 65535, "Columns": 65535}, "declares 65535 x 65535 pixels"),
            ({"BitsStored": 17}, "declares 17 bits stored"),
            ({"BitsAllocated": 64}, "in 64 allocated, which cannot be"),
            ({"NumberOfFrames": -1}, "declares -1 frames"),
            ({"NumberOfFrames": 2**31 - 1}, "declares 2147483647 frames"),
        ],
    )
    def test_headers_that_cannot_be(
        self, tmp_path: Path, decoder: Decoder, change: dict[str, object], reason: str
    ) -> None:
        dataset = make_slice(1)
        for keyword, value in change.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)
        path = save(dataset, tmp_path / "x.dcm")
        with pytest.raises(UnreadableInput) as error:
            read_studies(path, decoder=decoder)
        assert reason in str(error.value)


class TestRefused:
    def test_nothing_there(self, tmp_path: Path, decoder: Decoder) -> None:
        with pytest.raises(UnreadableInput, match="No such file"):
            read_studies(tmp_path / "nowhere", decoder=decoder)

    def test_empty_folder(self, tmp_path: Path, decoder: Decoder) -> None:
        with pytest.raises(UnreadableInput, match="is empty; expected DICOM or NIfTI files"):
            read_studies(tmp_path, decoder=decoder)

    def test_text_file(self, tmp_path: Path, decoder: Decoder) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("L4/L5 looks bad")
        with pytest.raises(UnreadableInput, match=r"notes.txt holds no image \(1 x no DICOM: a text file\)"):
            read_studies(path, decoder=decoder)

    def test_pixels_missing_everywhere(self, tmp_path: Path, decoder: Decoder) -> None:
        for number in (1, 2):
            dataset = make_slice(number)
            del dataset.PixelData
            save(dataset, tmp_path / f"{number}.dcm")
        with pytest.raises(UnreadableInput, match=r"all 2 images in .* are damaged, among them 1.dcm: no pixels"):
            read_studies(tmp_path, decoder=decoder)

    def test_other_modality(self, tmp_path: Path, decoder: Decoder) -> None:
        for number in (1, 2):
            save(make_slice(number, SOPClassUID=uid.CTImageStorage, Modality="CT"), tmp_path / f"{number}")
        with pytest.raises(NotALumbarStudy, match="no MR image that can be graded, but 2 x CT Image") as error:
            read_studies(tmp_path, decoder=decoder)
        assert error.value.exit_code == 4

    def test_colour_picture_is_no_damage(self, tmp_path: Path, decoder: Decoder) -> None:
        colour = make_slice(1, np.random.default_rng(1).integers(0, 256, (8, 8, 3)).astype(np.uint8))
        colour.Rows, colour.Columns = 8, 8
        colour.SamplesPerPixel, colour.PhotometricInterpretation, colour.PlanarConfiguration = 3, "RGB", 0
        path = save(colour, tmp_path / "map")
        with pytest.raises(NotALumbarStudy, match="a picture in colour"):
            read_studies(path, decoder=decoder)

    def test_report_beside_images_is_skipped(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path, 2)
        report = make_slice(5, SOPClassUID=uid.BasicTextSRStorage, Modality="SR")
        del report.PixelData
        save(report, tmp_path / "report")
        study = read_study(tmp_path, decoder=decoder)
        assert reasons(study) == {"report": "not an MR image to grade: Basic Text SR"}
        assert damaged(study) == set()

    def test_damaged_zip(self, tmp_path: Path, decoder: Decoder) -> None:
        whole = zip_folder(write_series(tmp_path / "a", 2), tmp_path / "a.zip").read_bytes()
        (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UnreadableInput, match=r"cut.zip: a zip archive that is cut off or damaged"):
            read_studies(tmp_path / "cut.zip", decoder=decoder)

    def test_every_error_is_one_sentence(self, tmp_path: Path, decoder: Decoder) -> None:
        with pytest.raises(LumbagoError) as error:
            read_studies(tmp_path, decoder=decoder)
        assert str(error.value).count("\n") == 0
        assert str(error.value).endswith(".")


def write_index(path: Path, references: list[list[str]]) -> None:
    records = []
    for parts in references:
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.add(DataElement(0x00041500, "CS", parts, validation_mode=config.IGNORE))
        records.append(record)
    index = Dataset()
    index.FileSetID = "TEST"
    index.DirectoryRecordSequence = records
    index.file_meta = FileMetaDataset()
    index.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    index.file_meta.MediaStorageSOPClassUID = uid.MediaStorageDirectoryStorage
    index.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}6"
    save(index, path)


class TestDicomdir:
    def test_chooses_among_its_own_folder_only(self, tmp_path: Path, decoder: Decoder) -> None:
        save(make_slice(1, PatientID="OTHER"), tmp_path / "outside")
        disc = tmp_path / "disc"
        write_series(disc / "IMAGES", 3)
        listed = [["images", "im0001"], ["IMAGES", "IM0002"], ["IMAGES", "GONE"], ["..", "outside"], ["/etc", "passwd"]]
        write_index(disc / "DICOMDIR", listed)
        study = read_study(disc / "DICOMDIR", decoder=decoder)
        assert sorted(header.source.name for header in study.series[0].slices) == ["IMAGES/IM0001", "IMAGES/IM0002"]
        assert damaged(study) == {"IMAGES/GONE", "../outside", "/etc/passwd"}
        assert reasons(study)["IMAGES/IM0003"] == "not listed in the DICOMDIR"

    def test_all_of_the_folder_when_nothing_listed_is_there(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path, 2)
        write_index(tmp_path / "DICOMDIR", [["A", "B"]])
        study = read_study(tmp_path / "DICOMDIR", decoder=decoder)
        assert len(study.series[0].slices) == 2
        assert damaged(study) == {"A/B"}

    def test_inside_a_folder_it_is_an_index_like_any_other_object(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path, 2)
        write_index(tmp_path / "DICOMDIR", [["A", "B"]])
        study = read_study(tmp_path, decoder=decoder)
        assert damaged(study) == set()
        assert len(study.skipped) == 1


def test_links(tmp_path: Path, decoder: Decoder) -> None:
    write_series(tmp_path / "real", 2)
    save(make_slice(3), tmp_path / "store" / "object")
    (tmp_path / "real" / "loop").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "real" / "annexed").symlink_to(tmp_path / "store" / "object")
    (tmp_path / "real" / "dangling").symlink_to(tmp_path / "nowhere")
    study = read_study(tmp_path / "real", decoder=decoder)
    assert len(study.series[0].slices) == 3
    assert reasons(study)["loop"] == "a link to a folder is not followed"
    assert damaged(study) == {"dangling"}

"""What an upload brings beside its images."""

import zipfile
from pathlib import Path

import pytest

from lumbago.anatomy.findings import StudyFindings, StudySummary
from lumbago.batch.split_upload import SplitUpload

TRUTH = StudyFindings(StudySummary("phantom", "1.2"), (), ()).to_json()


def test_truths_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "000007-truth.json").write_text(TRUTH)
    (tmp_path / "000008-truth.json").write_text("[1]")
    assert SplitUpload(tmp_path).truths() == {"1.2": TRUTH}


@pytest.mark.parametrize("folder", ["", "phantoms/phantom-1-000/"])
def test_truths_of_a_zip(tmp_path: Path, folder: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{folder}truth.json", TRUTH)
        archive.writestr(f"{folder}dicom/IM1", b"DICM")
        archive.writestr("other/truth.json", "no JSON")
    assert SplitUpload(tmp_path / "a.zip").truths() == {"1.2": TRUTH}


def test_no_truths(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("truth.json", b" " * (17 << 20))
    (tmp_path / "image.dcm").write_bytes(bytes(128) + b"DICM")
    torn = (tmp_path / "bomb.zip").read_bytes()[200:]
    (tmp_path / "torn.zip").write_bytes(torn)
    for name in ("bomb.zip", "image.dcm", "torn.zip"):
        assert SplitUpload(tmp_path / name).truths() == {}

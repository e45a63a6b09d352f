"""Programs of other people read the phantom's DICOM files and find no fault: dciodvfy (dicom3tools), dcmdump (DCMTK).

A program that is not there is an error, never a skip: `make test-system` installs them or says what is missing.
"""

import subprocess
from pathlib import Path

import pydicom
import pytest

from lumbago.phantom.write_study import write_studies

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every DICOM file of one phantom study."""
    out = tmp_path_factory.mktemp("phantom")
    write_studies(out, 1, 5)
    found = sorted(path for path in out.glob("*/dicom/**/*") if path.is_file())
    assert len(found) > 20
    return found


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, errors="replace", check=False
    )


def faults(image: Path) -> set[str]:
    """The errors that dciodvfy reports on a file; a validator that crashes is one as well."""
    done = run("dciodvfy", image)
    crash = {f"dciodvfy ended by signal {-done.returncode}"} if done.returncode < 0 else set()
    lines = (done.stdout + done.stderr).splitlines()
    return {line for line in lines if line.startswith("Error")} | crash


def test_validator_finds_no_fault(images: list[Path]) -> None:
    found = {image.name: faults(image) for image in images}
    assert {name: errors for name, errors in found.items() if errors} == {}


def test_validator_would_find_a_fault(images: list[Path], tmp_path: Path) -> None:
    dataset = pydicom.dcmread(images[0])
    del dataset.ImageOrientationPatient
    dataset.save_as(tmp_path / "damaged.dcm")
    assert any("ImageOrientationPatient" in error for error in faults(tmp_path / "damaged.dcm"))


def test_dcmtk_reads_every_file(images: list[Path]) -> None:
    done = run("dcmdump", "--search", "SOPInstanceUID", *images)
    assert done.returncode == 0, done.stderr
    uids = {line.split("[")[1].split("]")[0] for line in done.stdout.splitlines() if "[" in line}
    assert len(uids) == len(images)

"""Phantom studies in other people's programs: Orthanc takes them, dcm2niix and SimpleITK see our pixels and geometry,
dciodvfy finds no fault with any vendor's tags."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK

from lumbago.anatomy.conditions import ROLES
from lumbago.phantom import write_study as writer
from lumbago.phantom.phantom_settings import USUAL, Setting
from lumbago.phantom.phantom_study import PhantomStudy, phantom_study

pytestmark = pytest.mark.system

SEED = 5
VENDOR_SEEDS = range(10)


def small_study(seed: int, slices: int | None = None, setting: Setting = USUAL) -> PhantomStudy:
    """The study of a seed on few pixels, and only the first slices of each group if so wanted."""
    made = phantom_study(seed, setting=setting)
    scans = {}
    for role in ROLES:
        spec = made.scans[role]
        groups = tuple(replace(group, count=min(group.count, slices or group.count)) for group in spec.groups)
        pixel, once = spec.pixel_mm * spec.rows / 64, replace(spec.disturbance, sub_slices=0)
        scans[role] = replace(
            spec, groups=groups, rows=64, columns=64, pixel_mm=pixel, acquired_mm=6.0, disturbance=once
        )
    return replace(made, scans=scans)


@pytest.fixture(scope="module", params=("small", "ordinary"))
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study on few pixels, and one as `lumbago phantom` writes it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "small":
            patch.setattr(writer, "phantom_study", small_study)
        return writer.write_study(
            tmp_path_factory.mktemp("study") / "phantom", SEED, writer.WritePlan(("dicom", "nifti"))
        )


def our_grid(study: Path, series: Path) -> nib.Nifti1Image:
    return nib.load(study / "nifti" / f"{series.name}.nii.gz")


def sagittal(study: Path) -> list[Path]:
    return sorted((study / "dicom").glob("sagittal*"))


def test_dcm2niix_makes_the_same_image(study: Path, tmp_path: Path) -> None:
    for series in sagittal(study):
        out = tmp_path / series.name
        out.mkdir()
        done = subprocess.run(
            ["dcm2niix", "-b", "n", "-f", "it", "-o", str(out), str(series)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (file,) = out.glob("*.nii*")
        theirs, ours = (nib.as_closest_canonical(grid) for grid in (nib.load(file), our_grid(study, series)))
        np.testing.assert_allclose(theirs.affine, ours.affine, atol=2e-3)
        np.testing.assert_array_equal(theirs.get_fdata(), ours.get_fdata())


def test_simpleitk_reads_the_same_image(study: Path) -> None:
    for series in sagittal(study):
        reader = SimpleITK.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(series)))
        image = reader.Execute()
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
        pixels = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
        theirs = nib.as_closest_canonical(
            nib.Nifti1Image(pixels.astype(np.int16), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
        )
        ours = nib.as_closest_canonical(our_grid(study, series))
        np.testing.assert_allclose(theirs.affine, ours.affine, atol=2e-3)
        np.testing.assert_array_equal(theirs.get_fdata(), ours.get_fdata())


# --- Orthanc ---------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an Orthanc of our own, on loopback alone, with an empty store."""
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    settings = {
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "HttpPort": port,
        "HttpBindAddresses": ["127.0.0.1"],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomServerEnabled": False,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    program = shutil.which("Orthanc")
    assert program, "Orthanc is not installed: make test-system"
    with (folder / "log").open("wb") as log, subprocess.Popen([program, folder / "orthanc.json"], stderr=log) as server:
        try:
            yield await_answer(f"http://127.0.0.1:{port}", server, folder / "log")
        finally:
            server.terminate()
            server.wait(20)


def await_answer(address: str, server: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(200):
        assert server.poll() is None, log.read_text(errors="replace")
        try:
            asked(f"{address}/system")
        except OSError:
            time.sleep(0.1)
        else:
            return address
    raise AssertionError(log.read_text(errors="replace"))


def asked(address: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(address, data, timeout=20) as answer:
        return bytes(answer.read())


def test_orthanc_takes_and_returns_every_file(study: Path, orthanc: str) -> None:
    files = sorted(study.glob("dicom/*/*.dcm"))
    for file in files:
        answer = json.loads(asked(f"{orthanc}/instances", file.read_bytes()))
        assert answer["Status"] == "Success"
        assert asked(f"{orthanc}/instances/{answer['ID']}/file") == file.read_bytes()
    counts = json.loads(asked(f"{orthanc}/statistics"))
    found = [counts[f"Count{what}"] for what in ("Patients", "Studies", "Series", "Instances")]
    assert found == [1, 1, len(list((study / "dicom").iterdir())), len(files)]


# --- tags of all vendors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["usual", "other"])
def test_tags_of_every_vendor_are_valid(setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "phantom_study", partial(small_study, slices=1))
    writer.write_studies(tmp_path, len(VENDOR_SEEDS), VENDOR_SEEDS[0], plan=writer.WritePlan(setting=setting))
    vendors, faults = set(), {}
    for file in sorted(tmp_path.glob("*/dicom/*/*.dcm")):
        vendors.add(str(pydicom.dcmread(file, stop_before_pixels=True).Manufacturer).split()[0].upper())
        done = subprocess.run(["dciodvfy", str(file)], capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode >= 0, file
        errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
        faults.update({str(file): errors} if errors else {})
    assert faults == {}
    assert len(vendors) >= 3

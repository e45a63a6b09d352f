"""`lumbago serve` as a user starts it, and three visits of one phantom patient to upload."""

import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pydicom
import pytest

from coarse_study import coarse_study
from lumbago.phantom import write_study as writer

DATES = ("20240115", "20250116", "20260117")
SEED, PIXELS = 4100, 160


@dataclass(frozen=True)
class Served:
    """Where the dashboard answers, and the secret that it printed."""

    address: str
    secret: str


def write_visits(folder: Path) -> list[Path]:
    """A zip archive for each date: the same coarse phantom, as studies of their own; notes lie in the first one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "phantom_study", partial(coarse_study, pixels=PIXELS))
        study = writer.write_study(folder / "phantom", SEED)
    visits = [_visit(study / "dicom", folder / f"visit-{date}.zip", date) for date in DATES]
    with zipfile.ZipFile(visits[0], "a") as archive:
        archive.writestr("notes.txt", "not an image")
    return visits


def _visit(dicom: Path, path: Path, date: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(dicom.rglob("*.dcm")):
            image = pydicom.dcmread(file)
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                image[keyword].value = f"{image[keyword].value[:50]}.{date}"
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            image.StudyDate = date
            written = file.with_suffix(".visit")
            image.save_as(written)
            archive.write(written, f"{file.parent.name}/{file.name}")
            written.unlink()
    return path


@contextmanager
def serve(home: Path, database: str = "") -> Iterator[Served]:
    """The dashboard with its worker, until the block ends."""
    environment = {**os.environ, "LUMBAGO_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    if database:
        environment["LUMBAGO_DATABASE"] = database
    command = [sys.executable, "-m", "lumbago", "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as server:
        assert server.stdout is not None
        try:
            said = ""
            while "first-start?secret=" not in said:
                line = server.stdout.readline()
                assert line, f"the server ended: {said}"
                said += line
            address = re.search(r"http://\S+?:\d+", said)
            assert address is not None
            yield Served(address.group(), said.split("secret=")[1].strip())
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=60)

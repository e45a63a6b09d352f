"""One phantom study on disk for all stories, the shipped models, and copies to be changed."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from story_tools import Analyze

from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.dicom.read_study import read_studies
from lumbago.phantom.write_study import write_studies
from lumbago.pipeline.analyze_study import Analysis, Models, analyze_study

SEED = 4100
"""Not among the seeds that the shipped models were trained on."""


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom study: `dicom/<series>/NNN.dcm` and `truth.json`."""
    (study,) = write_studies(tmp_path_factory.mktemp("phantom"), 1, SEED)
    return study


@pytest.fixture(scope="session")
def truth(phantom: Path) -> StudyFindings:
    """What is true of the phantom."""
    return StudyFindings.from_json((phantom / "truth.json").read_text(encoding="utf8"))


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """One limited child process for all."""
    with open_decoder() as opened:
        yield opened


@pytest.fixture(scope="session")
def analyze(decoder: Decoder) -> Analyze:
    """Analyzes the one study in a folder with the shipped models."""
    models = Models.load()

    def run(path: Path) -> Analysis:
        (study,) = read_studies(path, decoder=decoder)
        return analyze_study(study, models, decoder)

    return run


@pytest.fixture(scope="session")
def whole(analyze: Analyze, phantom: Path) -> Analysis:
    """The untouched phantom, analyzed."""
    return analyze(phantom / "dicom")


@pytest.fixture
def copy(phantom: Path, tmp_path: Path) -> Path:
    """A copy of the phantom's images, without its truth, to be changed."""
    target = tmp_path / "study"
    shutil.copytree(phantom / "dicom", target)
    return target

"""A coarse phantom study, made once, and a new dashboard for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from dashboard import Dashboard, open_dashboard

from coarse_study import coarse_study
from lumbago.anatomy.findings import StudyFindings
from lumbago.phantom import write_study as writer

SEED = 4100


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom study of few pixels: `dicom/`, `truth.json`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "phantom_study", coarse_study)
        (study,) = writer.write_studies(tmp_path_factory.mktemp("phantom"), 1, SEED)
    return study


@pytest.fixture(scope="session")
def found(phantom: Path) -> StudyFindings:
    """What stands for the machine's findings: the phantom's truth."""
    return StudyFindings.from_json((phantom / "truth.json").read_text(encoding="utf8"))


@pytest.fixture
def dashboard(tmp_path: Path) -> Iterator[Dashboard]:
    """A dashboard without studies."""
    made = open_dashboard(tmp_path)
    yield made
    made.site.images.close()
    made.store.close()

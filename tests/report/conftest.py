"""The made-up study as fixtures, drawn once."""

import pytest
from made_up_study import Volumes, make_findings, make_volumes

from lumbago.anatomy.findings import StudyFindings


@pytest.fixture(scope="session")
def volumes() -> Volumes:
    return make_volumes()


@pytest.fixture(scope="session")
def findings(volumes: Volumes) -> StudyFindings:
    return make_findings(volumes)

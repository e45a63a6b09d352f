"""Empty records, in SQLite and, for `make test-system`, in a real PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lumbago.records.store import Store, open_store
from postgres_server import new_database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'home' / 'records.db'}"
    return new_database(request.getfixturevalue("postgres"))


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(url, tmp_path / "home" / "files")
    yield opened
    opened.close()

"""Folders of made-up labels, written once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made_up_sources import WRITERS

from lumbago.dicom.decoder import Decoder, open_decoder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a source; not to be changed."""
    written: dict[str, Path] = {}

    def folder(source: str) -> Path:
        if source not in written:
            written[source] = WRITERS[source](tmp_path_factory.mktemp(source))
        return written[source]

    return folder


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    with open_decoder() as opened:
        yield opened

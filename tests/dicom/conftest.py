"""What the tests of reading share."""

from collections.abc import Iterator

import pytest

from lumbago.dicom.decoder import Decoder, open_decoder


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """One decoder for all tests: its start-up costs more than most of them."""
    with open_decoder() as shared:
        yield shared

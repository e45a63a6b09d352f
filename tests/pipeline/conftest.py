"""A painted spine and what is located on it, made once."""

from collections.abc import Iterator

import pytest
from painted_spine import PaintedLocator, Spine, sagittal_volume

from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.pipeline.locate_discs import SpineLocation, locate_discs


@pytest.fixture(scope="session")
def spine() -> Spine:
    return Spine()


@pytest.fixture(scope="session")
def locator() -> PaintedLocator:
    return PaintedLocator()


@pytest.fixture(scope="session")
def location(locator: PaintedLocator) -> SpineLocation:
    return locate_discs(locator, sagittal_volume())


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """Its start-up costs more than most tests."""
    with open_decoder() as shared:
        yield shared

"""Pictures of more than 8 bits, with a palette, or turned by their EXIF data, are what a viewer shows."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from lumbago.dicom.decoder import Decoder
from lumbago.labels.labelled_study import Shape
from lumbago.labels.open_images import open_mask
from lumbago.labels.picture_slices import picture_size, read_grey

RAMP = np.arange(2000).reshape(40, 50)


@pytest.mark.parametrize(
    "name, kind", [("a.png", np.uint16), ("a.tif", np.uint16), ("b.tif", np.int32), ("c.tif", np.float32)]
)
def test_deep_grey_is_not_clipped(name: str, kind: type, tmp_path: Path) -> None:
    Image.fromarray(RAMP.astype(kind)).save(tmp_path / name)
    np.testing.assert_array_equal(read_grey(tmp_path / name), RAMP)
    np.testing.assert_array_equal(read_grey(tmp_path / name, (True, True)), RAMP[::-1, ::-1])


def test_a_mask_with_a_palette_holds_its_numbers(tmp_path: Path, decoder: Decoder) -> None:
    labels = np.repeat(np.arange(4, dtype=np.uint8)[:, None], 5, axis=1)
    picture = Image.fromarray(labels, "P")
    picture.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    picture.save(tmp_path / "mask.png")
    (opened,) = open_mask(Shape("mask", mask=tmp_path / "mask.png"), decoder).array
    np.testing.assert_array_equal(opened, labels)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
@pytest.mark.parametrize("turn, shown", [(1, (0, 0)), (3, (1, 1)), (6, (0, 1)), (8, (1, 0))])
def test_a_turned_picture_is_read_as_it_is_shown(name: str, turn: int, shown: tuple[int, int], tmp_path: Path) -> None:
    """A bright corner, top left in the file, stands where a viewer shows it."""
    stored = np.zeros((32, 48), np.uint8)
    stored[:8, :8] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    path = tmp_path / name
    Image.fromarray(stored).save(path, exif=exif)
    image = read_grey(path)
    assert image.shape == picture_size(path) == ((48, 32) if turn > 3 else (32, 48))
    assert image[-shown[0], -shown[1]] > 200

"""Pixels: every lossless encoding gives the same bits, and what the header says of them is obeyed."""

import contextlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pytest
from dicom_files import AXIAL, make_slice, public_files, save
from PIL import Image
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.check_image import NotGreyError, check_pixels, read_pixel_format
from lumbago.dicom.decode_frame import decode_frame
from lumbago.dicom.decoder import Damaged, Decoder, Picture
from lumbago.dicom.describe_series import timed_weighting
from lumbago.dicom.frame_headers import PIXEL_TAGS
from lumbago.dicom.open_source import BadImageError, open_source
from lumbago.dicom.parse_dicom import NotDicomError, parse_dicom
from lumbago.dicom.read_study import read_study
from lumbago.errors import NotALumbarStudy

SIGNED = np.random.default_rng(1).integers(-2000, 2000, (32, 48)).astype(np.int16)
UNSIGNED = np.random.default_rng(2).integers(0, 4096, (32, 48)).astype(np.uint16)
BYTES = np.random.default_rng(3).integers(0, 256, (32, 48)).astype(np.uint8)


def picture_of(path: Path, decoder: Decoder) -> Picture:
    (header,) = read_study(path, decoder=decoder).series[0].slices
    picture = decoder.read_picture(header)
    assert not isinstance(picture, Damaged), picture.reason
    return picture


def recode_with_gdcm(source: Path, target: Path, syntax: int) -> Path:
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(source))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(syntax))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target


@pytest.mark.parametrize("pixels", [UNSIGNED, SIGNED, BYTES], ids=["unsigned", "signed", "bytes"])
class TestLossless:
    @pytest.mark.parametrize(
        "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian]
    )
    def test_native(self, tmp_path: Path, decoder: Decoder, pixels: np.ndarray, syntax: uid.UID) -> None:
        dataset = make_slice(1, pixels)
        dataset.file_meta.TransferSyntaxUID = syntax
        np.testing.assert_array_equal(picture_of(save(dataset, tmp_path / "x"), decoder), pixels)

    def test_big_endian(self, tmp_path: Path, decoder: Decoder, pixels: np.ndarray) -> None:
        dataset = make_slice(1, pixels)
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
        dataset.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        np.testing.assert_array_equal(picture_of(save(dataset, tmp_path / "x"), decoder), pixels)

    @pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
    def test_compressed(self, tmp_path: Path, decoder: Decoder, pixels: np.ndarray, syntax: uid.UID) -> None:
        dataset = make_slice(1, pixels)
        dataset.compress(syntax, generate_instance_uid=False)
        np.testing.assert_array_equal(picture_of(save(dataset, tmp_path / "x"), decoder), pixels)

    @pytest.mark.parametrize(
        "syntax", [gdcm.TransferSyntax.JPEGLosslessProcess14, gdcm.TransferSyntax.JPEGLosslessProcess14_1]
    )
    def test_jpeg_lossless(self, tmp_path: Path, decoder: Decoder, pixels: np.ndarray, syntax: int) -> None:
        plain = save(make_slice(1, pixels), tmp_path / "plain")
        recoded = recode_with_gdcm(plain, tmp_path / "recoded", syntax)
        assert dcmread(recoded).file_meta.TransferSyntaxUID in (uid.JPEGLossless, uid.JPEGLosslessSV1)
        np.testing.assert_array_equal(picture_of(recoded, decoder), pixels)


def in_colour(channels: np.ndarray, **fields: Any) -> Dataset:
    """A picture of red, green and blue, pixel by pixel."""
    dataset = make_slice(1, BYTES, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, **fields)
    dataset.PixelData = channels.tobytes()
    return dataset


class TestGreyInColour:
    GREY = np.repeat(BYTES[..., None], 3, axis=2)

    @pytest.mark.parametrize("planar", [0, 1])
    def test_native(self, tmp_path: Path, decoder: Decoder, planar: int) -> None:
        ordered = self.GREY if planar == 0 else np.ascontiguousarray(self.GREY.transpose(2, 0, 1))
        dataset = in_colour(ordered)
        dataset.PlanarConfiguration = planar
        np.testing.assert_array_equal(picture_of(save(dataset, tmp_path / "x"), decoder), BYTES)

    @pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
    def test_compressed(self, tmp_path: Path, decoder: Decoder, syntax: uid.UID) -> None:
        dataset = in_colour(self.GREY)
        dataset.compress(syntax, generate_instance_uid=False)
        np.testing.assert_array_equal(picture_of(save(dataset, tmp_path / "x"), decoder), BYTES)

    def test_jpeg(self, tmp_path: Path, decoder: Decoder) -> None:
        coded = BytesIO()
        Image.fromarray(self.GREY).save(coded, "JPEG", quality=95)
        dataset = in_colour(self.GREY)
        dataset.PixelData = encapsulate([coded.getvalue()])
        dataset["PixelData"].is_undefined_length = True
        dataset.PhotometricInterpretation = "YBR_FULL_422"
        dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
        picture = picture_of(save(dataset, tmp_path / "x"), decoder)
        assert np.abs(picture - BYTES).mean() < 5.0

    @pytest.mark.parametrize("fields", [{"PhotometricInterpretation": "YBR_FULL"}, {"NumberOfFrames": 2}, {}])
    def test_else_is_refused(self, tmp_path: Path, decoder: Decoder, fields: dict[str, Any]) -> None:
        channels = self.GREY.copy()
        channels[3, 4, 0] ^= 0x40
        dataset = in_colour(self.GREY if fields else channels)
        for keyword, value in fields.items():
            setattr(dataset, keyword, value)
        with pytest.raises(NotALumbarStudy, match="a picture in colour"):
            read_study(save(dataset, tmp_path / "x"), decoder=decoder)


def test_big_endian_bytes_in_words(tmp_path: Path, decoder: Decoder) -> None:
    dataset = make_slice(1, BYTES)
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
    dataset.PixelData = BYTES.reshape(-1, 2)[:, ::-1].tobytes()
    dataset["PixelData"].VR = "OW"
    np.testing.assert_array_equal(picture_of(save(dataset, tmp_path / "x"), decoder), BYTES)


def test_rescale(tmp_path: Path, decoder: Decoder) -> None:
    dataset = make_slice(1, UNSIGNED, RescaleSlope="0.5", RescaleIntercept="-10")
    np.testing.assert_allclose(picture_of(save(dataset, tmp_path / "x"), decoder), UNSIGNED * 0.5 - 10, rtol=1e-6)


@pytest.mark.parametrize("pixels", [UNSIGNED, SIGNED])
def test_monochrome1_equals_monochrome2(tmp_path: Path, decoder: Decoder, pixels: np.ndarray) -> None:
    inverted = (-1 - pixels if pixels.dtype.kind == "i" else 4095 - pixels).astype(pixels.dtype)
    fields = {"RescaleSlope": "2", "RescaleIntercept": "5"}
    if pixels is UNSIGNED:
        fields |= {"BitsStored": 12, "HighBit": 11}  # type: ignore[dict-item]
    plain = save(make_slice(1, pixels, **fields), tmp_path / "plain")
    dark = save(make_slice(1, inverted, PhotometricInterpretation="MONOCHROME1", **fields), tmp_path / "dark")
    np.testing.assert_array_equal(picture_of(dark, decoder), picture_of(plain, decoder))


def test_bits_outside_of_the_stored_ones_say_nothing(tmp_path: Path, decoder: Decoder) -> None:
    overlaid = UNSIGNED | np.uint16(0x5000)
    path = save(make_slice(1, overlaid, BitsStored=12, HighBit=11), tmp_path / "u")
    np.testing.assert_array_equal(picture_of(path, decoder), UNSIGNED)
    short = (SIGNED & np.int16(0x0FFF)).astype(np.int16)
    path = save(make_slice(1, short, BitsStored=12, HighBit=11), tmp_path / "s")
    np.testing.assert_array_equal(picture_of(path, decoder), SIGNED)


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
@pytest.mark.parametrize("pixels", [UNSIGNED, SIGNED])
def test_bits_outside_of_the_stored_ones_survive_compression_and_say_nothing(
    tmp_path: Path, decoder: Decoder, pixels: np.ndarray, syntax: uid.UID
) -> None:
    overlaid = ((pixels & 0x0FFF) | 0x5000).astype(pixels.dtype)
    dataset = make_slice(1, overlaid)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.BitsStored, dataset.HighBit = 12, 11
    np.testing.assert_array_equal(picture_of(save(dataset, tmp_path / "x"), decoder), pixels)


PADDED: dict[str, tuple[np.ndarray, int, str, int]] = {
    "bright": (UNSIGNED, 65535, "MONOCHROME2", 0),
    "dark": (SIGNED, -32768, "MONOCHROME2", int(SIGNED.min())),
    "in the negative": (4095 - UNSIGNED, 65535, "MONOCHROME1", int((4095 - UNSIGNED).max())),
}


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.RLELossless])
@pytest.mark.parametrize("case", PADDED)
def test_padding_far_beyond_the_others_is_dark(tmp_path: Path, decoder: Decoder, case: str, syntax: uid.UID) -> None:
    pixels, padding, photometric, dark = PADDED[case]
    fields = {"PhotometricInterpretation": photometric, "PixelPaddingValue": padding}
    pictures = []
    for name, value in (("padded", padding), ("plain", dark)):
        array = pixels.copy()
        array[:4] = value
        dataset = make_slice(1, array, **fields)
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian if syntax.is_compressed else syntax
        if syntax.is_compressed:
            dataset.compress(syntax, generate_instance_uid=False)
        pictures.append(picture_of(save(dataset, tmp_path / name), decoder))
    np.testing.assert_array_equal(*pictures)


@pytest.mark.parametrize("padding", [0, 4095, int(UNSIGNED[0, 0])])
def test_padding_among_the_others_stays(tmp_path: Path, decoder: Decoder, padding: int) -> None:
    """As where the brightest that can be stored is declared to be padding."""
    pixels = np.where(UNSIGNED > 3900, np.uint16(4095), UNSIGNED)
    path = save(make_slice(1, pixels, PixelPaddingValue=padding), tmp_path / "x")
    np.testing.assert_array_equal(picture_of(path, decoder), pixels)


def test_no_preamble(tmp_path: Path, decoder: Decoder) -> None:
    whole = save(make_slice(1, UNSIGNED), tmp_path / "whole").read_bytes()
    (tmp_path / "bare").write_bytes(whole[132:])
    np.testing.assert_array_equal(picture_of(tmp_path / "bare", decoder), UNSIGNED)


def test_no_file_meta_at_all(tmp_path: Path, decoder: Decoder) -> None:
    for name, implicit in (("implicit", True), ("explicit", False)):
        dataset = make_slice(1, UNSIGNED)
        del dataset.file_meta
        dataset.save_as(tmp_path / name, implicit_vr=implicit, little_endian=True)
        np.testing.assert_array_equal(picture_of(tmp_path / name, decoder), UNSIGNED)


def test_trailing_bytes_do_no_harm(tmp_path: Path, decoder: Decoder) -> None:
    path = save(make_slice(1, UNSIGNED), tmp_path / "x")
    path.write_bytes(path.read_bytes() + b"PK\x03\x04 something else")
    np.testing.assert_array_equal(picture_of(path, decoder), UNSIGNED)


def item(**fields: Any) -> list[Dataset]:
    dataset = Dataset()
    for keyword, value in fields.items():
        setattr(dataset, keyword, value)
    return [dataset]


def enhanced(pixels: np.ndarray) -> Dataset:
    """An enhanced MR image: frames out of order, in two stacks, scaled each in its own way."""
    dataset = make_slice(
        1, pixels, SOPClassUID=uid.EnhancedMRImageStorage, NumberOfFrames=len(pixels), ImagePositionPatient=None,
        ImageOrientationPatient=None, PixelSpacing=None, SliceThickness=None, RepetitionTime=None, EchoTime=None,
        ScanningSequence=None, EchoPulseSequence="SPIN", AcquisitionContrast="T2", ImageType=["ORIGINAL", "PRIMARY"],
    )  # fmt: skip
    dataset.SharedFunctionalGroupsSequence = item(
        PixelMeasuresSequence=item(PixelSpacing=[0.6, 0.7], SliceThickness=4),
        MRTimingAndRelatedParametersSequence=item(RepetitionTime=3100.0, FlipAngle=150.0, EchoTrainLength=12),
        MREchoSequence=item(EffectiveEchoTime=102.0),
        MRModifierSequence=item(InversionRecovery="NO", SpectrallySelectedSuppression="FAT"),
        PlaneOrientationSequence=item(ImageOrientationPatient=AXIAL),
    )
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=item(ImagePositionPatient=[0.0, 0.0, 5.0 * place]),
            PixelValueTransformationSequence=item(RescaleSlope=2.0 + place, RescaleIntercept=-1.0, RescaleType="US"),
            MRImageFrameTypeSequence=item(FrameType=["ORIGINAL", "PRIMARY", "M"]),
        )[0]
        for place in range(len(pixels))
    ]
    return dataset


@pytest.mark.parametrize("syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEG2000Lossless])
def test_enhanced_multi_frame(tmp_path: Path, decoder: Decoder, syntax: uid.UID) -> None:
    pixels = np.random.default_rng(4).integers(0, 900, (4, 32, 48)).astype(np.uint16)
    dataset = enhanced(pixels)
    if syntax.is_compressed:
        dataset.compress(syntax, generate_instance_uid=False)
    study = read_study(save(dataset, tmp_path / "enhanced"), decoder=decoder)
    (series,) = study.series
    header = series.slices[2]
    assert (header.frame, header.image_position, header.pixel_spacing) == (3, (0.0, 0.0, 10.0), (0.6, 0.7))
    assert (header.repetition_time, header.echo_time, header.echo_train_length) == (3100.0, 102.0, 12)
    assert (header.scan_options, header.scanning_sequence, header.acquisition_contrast) == ("FS", "SE", "T2")
    (volume,) = build_volumes(series, decoder).volumes
    for place in range(4):
        np.testing.assert_array_equal(volume.array[place], pixels[place] * np.float32(2 + place) - 1)
    np.testing.assert_allclose(volume.affine[:3, 3], 0)
    np.testing.assert_allclose(volume.spacing_mm, [5.0, 0.6, 0.7])


def test_enhanced_contrast_agent(tmp_path: Path, decoder: Decoder) -> None:
    """Of two images of each place, one was made before it was given."""
    dataset = enhanced(np.zeros((2, 8, 8), np.uint16))
    dataset.ContrastBolusAgentSequence = item(CodeValue="C-B03CC", CodeMeaning="Gadobutrol")
    for place, given in enumerate(("NO", "YES")):
        dataset.PerFrameFunctionalGroupsSequence[place].ContrastBolusUsageSequence = item(
            ContrastBolusAgentNumber=1, ContrastBolusAgentAdministered=given, ContrastBolusAgentDetected=given
        )
    (series,) = read_study(save(dataset, tmp_path / "x"), decoder=decoder).series
    assert [header.contrast_agent for header in series.slices] == ["", "Gadobutrol"]


def test_enhanced_that_an_archive_made_of_classic_images(tmp_path: Path, decoder: Decoder) -> None:
    """Timing lies where a converter puts what has no place of its own."""
    dataset = enhanced(np.zeros((2, 8, 8), np.uint16))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = uid.LegacyConvertedEnhancedMRImageStorage
    del dataset.EchoPulseSequence, dataset.AcquisitionContrast
    (shared,) = dataset.SharedFunctionalGroupsSequence
    for keyword in ("MRTimingAndRelatedParametersSequence", "MREchoSequence", "MRModifierSequence"):
        del shared[keyword]
    shared.UnassignedSharedConvertedAttributesSequence = item(
        RepetitionTime="520", ScanningSequence="SE", ScanOptions="FS", ContrastBolusAgent="Dotarem", FlipAngle="90",
        SeriesDescription="T1 sag",
    )  # fmt: skip
    for echo_time, frame in zip((11, 80), dataset.PerFrameFunctionalGroupsSequence, strict=True):
        frame.UnassignedPerFrameConvertedAttributesSequence = item(EchoTime=echo_time, InstanceNumber=40)
    (series,) = read_study(save(dataset, tmp_path / "x"), decoder=decoder).series
    first, second = series.slices
    assert (first.repetition_time, first.echo_time, second.echo_time, first.flip_angle) == (520.0, 11.0, 80.0, 90.0)
    assert (first.scanning_sequence, first.scan_options, first.contrast_agent) == ("SE", "FS", "Dotarem")
    assert (first.image_type, first.series_description) == (("ORIGINAL", "PRIMARY", "M"), "T1 sag")
    assert (second.frame, second.instance_number) == (2, 2)
    assert timed_weighting(first) == "t1"


def test_enhanced_with_frames_that_nothing_describes(tmp_path: Path, decoder: Decoder) -> None:
    dataset = enhanced(np.zeros((3, 8, 8), np.uint16))
    dataset.PerFrameFunctionalGroupsSequence = dataset.PerFrameFunctionalGroupsSequence[:2]
    content = decoder.read_content(source_of(save(dataset, tmp_path / "x")))
    assert isinstance(content, Damaged)
    assert content.reason == "declares 3 frames, but describes 2"


def source_of(path: Path) -> Any:
    from lumbago.dicom.study import SourceFile

    return SourceFile(str(path), None, path.name)


def grey_test_files() -> Iterator[tuple[str, Any]]:
    """Every test file of pydicom, and of pydicom-data where it is installed, that holds grey pixels we accept."""
    for path in public_files():
        if path.stat().st_size > 2 << 20:
            continue
        with contextlib.suppress(NotDicomError, NotGreyError, BadImageError, NotImplementedError, RuntimeError):
            stream, size = open_source(str(path), None)
            with stream:
                parsed = parse_dicom(stream, size, PIXEL_TAGS)
                pixel_format = read_pixel_format(parsed.dataset)
                pixels = check_pixels(parsed, pixel_format)
                yield str(path), decode_frame(parsed, pixels, pixel_format, pixel_format.frames - 1)


@pytest.mark.filterwarnings("ignore")
def test_same_bits_as_pydicom_on_its_own_files() -> None:
    compared = 0
    for path, stored in grey_test_files():
        with contextlib.suppress(RuntimeError, AttributeError, NotImplementedError, ValueError):
            expected = dcmread(path, force=True).pixel_array
            np.testing.assert_array_equal(stored, expected[-1] if expected.ndim == 3 else expected, err_msg=path)
            compared += 1
    assert compared > 40

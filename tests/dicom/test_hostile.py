"""Files that mean harm cost themselves: nobody else's images, no memory to speak of, no traceback."""

import os
import signal
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from dicom_files import ROOT, make_slice, public_files, save, write_series
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from lumbago.dicom.build_volume import build_volumes
from lumbago.dicom.child_loop import answer
from lumbago.dicom.compressed_sizes import check_rle, jpeg2000_size, jpeg_size
from lumbago.dicom.decoder import Damaged, Decoder, MrImage, open_decoder
from lumbago.dicom.describe_series import describe_series
from lumbago.dicom.limited_child import ChildDiedError, LimitedChild
from lumbago.dicom.open_source import BadImageError
from lumbago.dicom.read_study import read_studies, read_study
from lumbago.dicom.study import SourceFile
from lumbago.errors import LumbagoError, UnreadableInput


def source_of(path: Path) -> SourceFile:
    return SourceFile(str(path), None, path.name)


def pixels_damage(path: Path, decoder: Decoder) -> str:
    """Why the pixels of a file whose header passes cannot be decoded."""
    content = decoder.read_content(source_of(path))
    assert isinstance(content, MrImage), content
    decoded = decoder.read_pixels(content.slices)
    assert decoded.headers == ()
    (skip,) = decoded.skipped
    assert skip.is_damage
    return skip.reason


def compressed_slice(frame: bytes, syntax: uid.UID) -> Dataset:
    dataset = make_slice(1, np.zeros((64, 64), np.uint8))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def jpeg_bomb(marker: int) -> bytes:
    """A JPEG whose header asks for 65535 x 65535 pixels."""
    frame = b"\xff" + bytes([marker]) + struct.pack(">HBHHBBBB", 11, 8, 65535, 65535, 1, 1, 0x11, 0)
    scan = b"\xff\xda" + struct.pack(">HBBBBBB", 8, 1, 1, 0, 1, 0, 0)
    return b"\xff\xd8" + frame + scan + bytes(100) + b"\xff\xd9"


def jpeg2000_bomb(side: int, tile: int) -> bytes:
    sizes = struct.pack(">HIIIIIIIIHBBB", 0, side, side, 0, 0, tile, tile, 0, 0, 1, 7, 1, 1)
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(sizes) + 2) + sizes + bytes(100) + b"\xff\xd9"


class TestCompressedFrames:
    @pytest.mark.parametrize(
        ("syntax", "frame"),
        [
            (uid.JPEGLosslessSV1, jpeg_bomb(0xC3)),
            (uid.JPEGBaseline8Bit, jpeg_bomb(0xC0)),
            (uid.JPEGLSLossless, jpeg_bomb(0xF7)),
            (uid.JPEG2000Lossless, jpeg2000_bomb(65535, 65535)),
        ],
    )
    def test_header_bomb(self, tmp_path: Path, decoder: Decoder, syntax: uid.UID, frame: bytes) -> None:
        path = save(compressed_slice(frame, syntax), tmp_path / "bomb")
        assert path.stat().st_size < 1300
        started = time.monotonic()
        reason = pixels_damage(path, decoder)
        assert reason.endswith("announces 65535 x 65535 x 1 values; the header declares 64 x 64 x 1")
        assert time.monotonic() - started < 20.0  # seconds; the machine may be busy

    def test_tile_bomb(self) -> None:
        with pytest.raises(BadImageError, match="16777216 tiles"):
            jpeg2000_size(jpeg2000_bomb(4096, 1))

    def test_rle_bomb(self) -> None:
        header = struct.pack("<16I", 1, 64, *[0] * 14)
        check_rle(header + bytes(100), 4096, 1)
        for segment in (bytes(10), bytes(100_000)):
            with pytest.raises(BadImageError, match="segments of"):
                check_rle(header + segment, 4096, 1)
        with pytest.raises(BadImageError, match="1 segments; expected 2"):
            check_rle(header + bytes(100), 4096, 2)

    @pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", b"\xff\xd8" + b"\xff" * 50, bytes(300)])
    def test_no_size_announced(self, data: bytes) -> None:
        with pytest.raises(BadImageError, match="announces no size"):
            jpeg_size(data)
        with pytest.raises(BadImageError, match="announces no size"):
            jpeg2000_size(data)

    def test_two_sizes_in_one_frame(self) -> None:
        with pytest.raises(BadImageError, match="announces no size"):
            jpeg_size(b"\xff\xd8" + jpeg_bomb(0xC0)[2:15] + jpeg_bomb(0xC3)[2:])

    @pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless])
    def test_garbage(self, tmp_path: Path, decoder: Decoder, syntax: uid.UID) -> None:
        garbage = np.random.default_rng(5).bytes(2000)
        pixels_damage(save(compressed_slice(garbage, syntax), tmp_path / "x"), decoder)

    @pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
    def test_flipped_bytes_never_end_the_reader(self, tmp_path: Path, decoder: Decoder, syntax: uid.UID) -> None:
        rng = np.random.default_rng(6)
        dataset = make_slice(1, rng.integers(0, 500, (64, 64)).astype(np.uint16))
        dataset.compress(syntax, generate_instance_uid=False)
        whole = save(dataset, tmp_path / "whole").read_bytes()
        for _ in range(30):
            data = bytearray(whole)
            for place in rng.integers(600, len(data), 6):
                data[place] = rng.integers(256)
            (tmp_path / "flipped").write_bytes(data)
            content = decoder.read_content(source_of(tmp_path / "flipped"))
            if isinstance(content, MrImage):
                decoder.read_pixels(content.slices)

    def test_compressed_pixels_cut_off(self, tmp_path: Path, decoder: Decoder) -> None:
        dataset = make_slice(1)
        dataset.compress(uid.RLELossless, generate_instance_uid=False)
        path = save(dataset, tmp_path / "x")
        path.write_bytes(path.read_bytes()[:-100])
        content = decoder.read_content(source_of(path))
        assert isinstance(content, Damaged)
        assert content.reason.startswith("cut off: its compressed pixels lack 9")


class TestDeflate:
    def test_bomb(self, tmp_path: Path, decoder: Decoder) -> None:
        plain = save(make_slice(1), tmp_path / "plain").read_bytes()
        dataset = make_slice(1)
        dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        whole = save(dataset, tmp_path / "x").read_bytes()
        start = 132 + 12 + struct.unpack("<I", whole[140:144])[0]
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = deflater.compress(plain[start:]) + b"".join(deflater.compress(bytes(1 << 20)) for _ in range(200))
        (tmp_path / "bomb").write_bytes(whole[:start] + body + deflater.flush())
        assert (tmp_path / "bomb").stat().st_size < 250_000
        content = decoder.read_content(source_of(tmp_path / "bomb"))
        assert isinstance(content, Damaged)
        assert "unpack to more than" in content.reason

    def test_cut_off(self, tmp_path: Path, decoder: Decoder) -> None:
        dataset = make_slice(1)
        dataset.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
        path = save(dataset, tmp_path / "x")
        path.write_bytes(path.read_bytes()[:-300])
        content = decoder.read_content(source_of(path))
        assert isinstance(content, Damaged)
        assert "cut off" in content.reason


def overlapping_zip(path: Path) -> Path:
    """Many directory entries that all share one compressed body (after Fifield, USENIX WOOT 2019)."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflater.compress(bytes(1 << 20)) + deflater.flush()
    crc = zlib.crc32(bytes(1 << 20))
    local, directory = b"", b""
    offsets = []
    for number in range(50):
        offsets.append(len(local))
        name = f"{number:03}".encode()
        local += struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(body), 1 << 20, len(name), 0) + name
    local += body
    for number, offset in enumerate(offsets):
        name = f"{number:03}".encode()
        size = len(local) - offset - 33
        directory += (
            struct.pack(
                "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, size, 1 << 20, len(name), 0, 0, 0, 0, 0, offset
            )
            + name
        )
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 50, 50, len(directory), len(local), 0)
    path.write_bytes(local + directory + end)
    return path


class TestZip:
    def test_overlapping_members(self, tmp_path: Path, decoder: Decoder) -> None:
        with pytest.raises(UnreadableInput, match="overlaps another member"):
            read_studies(overlapping_zip(tmp_path / "bomb.zip"), decoder=decoder)

    def test_ratio(self, tmp_path: Path, decoder: Decoder) -> None:
        with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(64 << 20))
            archive.write(save(make_slice(), tmp_path / "good"), "good")
        study = read_study(tmp_path / "x.zip", decoder=decoder)
        (skip,) = study.skipped
        assert (skip.name, skip.is_damage) == ("zeros", True)
        assert skip.reason.startswith("unpacks to 67108864 bytes from")

    def test_names_are_labels(self, tmp_path: Path, decoder: Decoder) -> None:
        names = [
            "../../evil",
            "/etc/evil",
            "C:\\evil",
            "a/" * 300 + "deep",
            "x" * 4000,
            "line\nbreak\x1b[31m",
            "\u202efdp",
        ]
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for number, name in enumerate(names):
                archive.write(save(make_slice(number), tmp_path / "slices" / str(number)), name)
        before = sorted(tmp_path.rglob("*"))
        study = read_study(tmp_path / "x.zip", decoder=decoder)
        assert len(study.series[0].slices) == len(names)
        assert len(build_volumes(study.series[0], decoder).volumes[0].array) == len(names)
        assert all(header.source.name.isprintable() for header in study.series[0].slices)
        assert sorted(tmp_path.rglob("*")) == before

    def test_bad_members_among_good_ones(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path / "in", 3)
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
            for path in sorted((tmp_path / "in").iterdir()):
                archive.write(path, path.name)
            archive.writestr(link, "/etc/passwd")
            archive.writestr("lzma", b"x" * 100, zipfile.ZIP_LZMA)
            archive.writestr("inner.zip", b"PK\x03\x04" + bytes(50))
            archive.writestr("notes.txt", "hello")
        data = (tmp_path / "x.zip").read_bytes()
        place = data.index((tmp_path / "in" / "IM0002").read_bytes()[-300:]) + 150
        (tmp_path / "x.zip").write_bytes(data[:place] + b"\xff\xfe\xfd" + data[place + 3 :])
        study = read_study(tmp_path / "x.zip", decoder=decoder)
        found = {skip.name: (skip.reason, skip.is_damage) for skip in study.skipped}
        assert found == {
            "link": ("a symbolic link inside the archive is not followed", False),
            "lzma": ("compressed by method 14, which is not supported", True),
            "inner.zip": ("no DICOM: a zip archive", False),
            "notes.txt": ("no DICOM: a text file", False),
            "IM0002": ("cannot be decoded (BadZipFile: Bad CRC-32 for file 'IM0002')", True),
        }
        assert [len(volume.array) for volume in build_volumes(study.series[0], decoder).volumes] == [2]


class TestStructure:
    @pytest.mark.parametrize("depth", [50, 5_000, 50_000])
    def test_nesting(self, tmp_path: Path, decoder: Decoder, depth: int) -> None:
        whole = save(make_slice(1), tmp_path / "x").read_bytes()
        place = whole.index(b"\x20\x00\x0d\x00UI")
        opening = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
        closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
        (tmp_path / "nested").write_bytes(whole[:place] + opening * depth + closing * depth + whole[place:])
        content = decoder.read_content(source_of(tmp_path / "nested"))
        assert isinstance(content, MrImage) == (depth == 50)
        if isinstance(content, Damaged):
            assert content.reason == "nests its elements too deeply"

    def test_length_beyond_the_file(self, tmp_path: Path, decoder: Decoder) -> None:
        dataset = make_slice(1)
        dataset.StudyComments = "x" * 100
        dataset["StudyComments"].VR = "UT"
        data = save(dataset, tmp_path / "x").read_bytes()
        place = data.index(b"\x32\x00\x00\x40") + 8
        (tmp_path / "x").write_bytes(data[:place] + b"\xf0\xff\xff\x7f" + data[place + 4 :])
        content = decoder.read_content(source_of(tmp_path / "x"))
        assert isinstance(content, Damaged)
        assert "its 2147483632 bytes" in content.reason

    def test_every_cut_of_a_file_is_damage_or_no_dicom(self, tmp_path: Path, decoder: Decoder) -> None:
        whole = save(make_slice(1), tmp_path / "x").read_bytes()
        for end in range(0, len(whole), 13):
            (tmp_path / "x").write_bytes(whole[:end])
            assert not isinstance(decoder.read_content(source_of(tmp_path / "x")), MrImage), end

    def test_a_file_that_ends_after_its_preamble_is_damaged(self, tmp_path: Path, decoder: Decoder) -> None:
        whole = save(make_slice(1), tmp_path / "x").read_bytes()
        (tmp_path / "x").write_bytes(whole[:132])
        content = decoder.read_content(source_of(tmp_path / "x"))
        assert content == Damaged(
            source_of(tmp_path / "x"), "cut off or damaged: states neither SOPClassUID nor Modality"
        )

    @pytest.mark.parametrize("charset", [b"BOGUS     ", b"GB18030   ", b"\\ISO 2022 ", b"\xff\x02\x1b$(%&/()"])
    def test_unknown_character_sets_cost_no_image(self, tmp_path: Path, decoder: Decoder, charset: bytes) -> None:
        dataset = make_slice(1, SpecificCharacterSet="ISO_IR 192", PatientName="Müller^Ä")
        path = save(dataset, tmp_path / "x")
        path.write_bytes(path.read_bytes().replace(b"ISO_IR 192", charset))
        assert read_study(path, decoder=decoder).first.patient_name.startswith("M")

    def test_body_in_another_encoding_than_its_meta_header_says(self, tmp_path: Path, decoder: Decoder) -> None:
        dataset = make_slice(1)
        explicit = save(dataset, tmp_path / "explicit").read_bytes()
        dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
        implicit = save(dataset, tmp_path / "implicit").read_bytes()
        start = b"\x08\x00\x08\x00"
        mixed = explicit[: explicit.index(start)] + implicit[implicit.index(start) :]
        (tmp_path / "mixed").write_bytes(mixed)
        assert isinstance(decoder.read_content(source_of(tmp_path / "mixed")), MrImage)

    def test_special_files_are_not_opened(self, tmp_path: Path, decoder: Decoder) -> None:
        write_series(tmp_path, 1)
        os.mkfifo(tmp_path / "pipe")
        (skip,) = read_study(tmp_path, decoder=decoder).skipped
        assert (skip.name, skip.reason) == ("pipe", "no regular file")

    def test_uids_are_never_paths(self, tmp_path: Path, decoder: Decoder) -> None:
        path = save(make_slice(1), tmp_path / "x")
        evil = "../" * 8 + "evil5"
        path.write_bytes(path.read_bytes().replace(f"{ROOT}1".encode(), evil.encode()))
        study = read_study(path, decoder=decoder)
        assert (study.study_instance_uid, study.name) == (evil, "x")


class TestChild:
    def test_crash_costs_one_file(self, tmp_path: Path) -> None:
        path = save(make_slice(1), tmp_path / "x")
        with open_decoder() as own:
            content = own.read_content(source_of(path))
            assert isinstance(content, MrImage)
            process = own._dicom._process
            assert process is not None
            process.popen.send_signal(signal.SIGSEGV)
            process.popen.wait()
            picture = own.read_picture(content.slices[0])
            assert isinstance(picture, Damaged)
            assert picture.reason == "made its decoder crash (signal 11)"
            assert not isinstance(own.read_picture(content.slices[0]), Damaged)

    def test_hang_is_ended(self, tmp_path: Path) -> None:
        path = save(make_slice(1), tmp_path / "x")
        with open_decoder(seconds=0.5) as own:
            assert isinstance(own.read_content(source_of(path)), MrImage)
            process = own._dicom._process
            assert process is not None
            process.popen.send_signal(signal.SIGSTOP)
            content = own.read_content(source_of(path))
            assert isinstance(content, Damaged)
            assert content.reason == "took longer than 0.5 s to decode"
            assert isinstance(own.read_content(source_of(path)), MrImage)

    def test_child_that_does_not_start(self) -> None:
        child = LimitedChild("lumbago.dicom.no_such_module")
        with pytest.raises(LumbagoError, match="does not start"):
            child.ask({"do": "headers"})
        child.close()

    def test_other_side_that_talks_nonsense(self) -> None:
        child = LimitedChild("this")
        with pytest.raises(LumbagoError, match="does not start"):
            child.ask({"do": "headers"})
        child.close()

    @pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="limits are shown by Linux")
    def test_limits_hold(self, decoder: Decoder, tmp_path: Path) -> None:
        decoder.read_content(source_of(save(make_slice(1), tmp_path / "x")))
        process = decoder._dicom._process
        assert process is not None
        folder = Path(f"/proc/{process.popen.pid}")
        limits = {line[:25].strip(): line[26:47].strip() for line in (folder / "limits").read_text().splitlines()}
        assert limits["Max file size"] == limits["Max core file size"] == "0"
        assert (2 << 30) < int(limits["Max address space"]) < (4 << 30)
        assert 20 < int(limits["Max cpu time"]) < 600
        environment = (folder / "environ").read_bytes()
        assert b"OPENBLAS_NUM_THREADS=1" in environment
        assert b"PYTEST_CURRENT_TEST" not in environment

    @pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory limit is Linux's")
    def test_memory_limit_is_met_by_an_error(self) -> None:
        code = (
            "from lumbago.dicom.child_loop import limit_memory; limit_memory(); bytearray(1 << 30); bytearray(3 << 30)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stderr.splitlines()[-1] == "MemoryError"

    def test_every_error_of_a_parser_becomes_a_reason(self) -> None:
        class Panic(BaseException):
            pass

        for error in (Panic("in Rust\nat line 3"), MemoryError(), RecursionError(), zlib.error("x"), SystemExit(3)):

            def handler(request: object, error: BaseException = error) -> tuple[dict[str, object], bytes]:
                raise error

            reply, _ = answer({"x": handler}, {"do": "x"})
            assert isinstance(reply["damaged"], str)
            assert "\n" not in reply["damaged"]

    def test_reading_needs_no_pydicom_in_the_parent(self, tmp_path: Path) -> None:
        write_series(tmp_path, 2)
        code = (
            "import sys; from pathlib import Path; from lumbago.dicom.read_study import read_study;"
            f"read_study(Path({str(tmp_path)!r})); print('pydicom' in sys.modules, 'nibabel' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False False\n"


def analyze(path: Path, decoder: Decoder) -> bool:
    """Reads everything of an input; False when it was refused with one sentence."""
    try:
        studies = read_studies(path, decoder=decoder)
    except LumbagoError as error:
        assert "\n" not in str(error)
        return False
    for study in studies:
        for series in study.series:
            describe_series(series)
            build_volumes(series, decoder)
    return True


def test_public_files_one_by_one(decoder: Decoder) -> None:
    outcomes = [analyze(path, decoder) for path in public_files()]
    assert len(outcomes) > 180
    assert sum(outcomes) > 20


@pytest.mark.slow
def test_fuzzing_corpus(decoder: Decoder) -> None:
    folder = os.environ.get("LUMBAGO_FUZZ_CORPUS")
    if not folder:
        pytest.skip("LUMBAGO_FUZZ_CORPUS names no folder with an unpacked corpus of hostile DICOM files")
    paths = [path for path in Path(folder).rglob("*") if path.is_file()]
    assert len(paths) > 100
    for path in paths:
        analyze(path, decoder)
        forced = {"do": "frame", "path": str(path), "member": None, "name": path.name, "frame": None}
        try:
            decoder._dicom.ask(forced)
        except ChildDiedError:
            continue

"""Pictures for the viewer: studies opened once, frames decoded in limited children, both kept within bounds."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from queue import LifoQueue
from threading import Lock
from typing import Final, Generic, TypeVar

import numpy as np

from lumbago.dicom.decoder import Damaged, Decoder
from lumbago.dicom.read_study import read_studies
from lumbago.dicom.study import Series, SliceHeader, Study
from lumbago.errors import UnreadableInput
from lumbago.web.viewer_layout import Layout, Picture, in_shown_order

KEPT_FRAME_BYTES: Final = 192 << 20
KEPT_STUDIES: Final = 16
_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE = 1.0, 99.0
_STEPS: Final = 65535
Key = TypeVar("Key")
Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture as it goes to the browser: little-endian `pixels`, whose intensity is `stored * slope + intercept`."""

    pixels: bytes
    kind: str
    rows: int
    columns: int
    slope: float
    intercept: float
    window: tuple[float, float]
    etag: str


def make_frame(picture: Picture) -> Frame:
    """16 bits a pixel: exact for whole numbers that fit, else 65536 steps from the darkest to the brightest."""
    low, high = float(picture.min()), float(picture.max())
    is_whole = bool((picture == np.rint(picture)).all())
    slope, intercept, kind = 1.0, 0.0, "uint16"
    if is_whole and -32768 <= low < 0 and high <= 32767:
        kind = "int16"
    elif not (is_whole and low >= 0 and high <= _STEPS):
        slope, intercept = max(high - low, 1e-6) / _STEPS, low
    stored = np.rint((picture - np.float32(intercept)) / np.float32(slope))
    pixels = stored.clip(*_limits(kind)).astype("<i2" if kind == "int16" else "<u2").tobytes()
    digest = sha256(pixels + repr((picture.shape, slope, intercept)).encode()).hexdigest()
    rows, columns = picture.shape
    return Frame(pixels, kind, rows, columns, slope, intercept, _window(picture), f'"{digest[:32]}"')


def _limits(kind: str) -> tuple[int, int]:
    return (-32768, 32767) if kind == "int16" else (0, _STEPS)


def _window(picture: Picture) -> tuple[float, float]:
    """(centre, width) between robust percentiles."""
    low, high = np.percentile(picture, (_DARKEST_PERCENTILE, _BRIGHTEST_PERCENTILE))
    if low == high:
        low, high = picture.min(), picture.max()
    return float(low + high) / 2, max(float(high - low), 1.0)


@dataclass(frozen=True, eq=False, slots=True)
class OpenedStudy:
    """A study with its slices in the order and layout in which they are shown, series by series."""

    study: Study
    slices: tuple[tuple[tuple[SliceHeader, Layout | None], ...], ...]

    @classmethod
    def of(cls, study: Study) -> "OpenedStudy":
        """The shown slices of a study."""
        return cls(study, tuple(tuple(in_shown_order(series.slices)) for series in study.series))

    @property
    def series(self) -> tuple[Series, ...]:
        """Its series, in the order of `slices`."""
        return self.study.series


class _Kept(Generic[Key, Kept]):
    """What was made lately, up to a total size."""

    def __init__(self, limit: int, size: Callable[[Kept], int]) -> None:
        self._limit, self._size = limit, size
        self._items: OrderedDict[Key, Kept] = OrderedDict()
        self._total, self._lock = 0, Lock()

    def get(self, key: Key) -> Kept | None:
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)

    def put(self, key: Key, item: Kept) -> None:
        with self._lock:
            if key in self._items:
                return
            self._items[key] = item
            self._total += self._size(item)
            while self._total > self._limit and len(self._items) > 1:
                self._total -= self._size(self._items.popitem(last=False)[1])


class StudyImages:
    """Opens studies and decodes their frames, for several threads at a time.

    `decoders` child processes are started when first needed; `close` ends them.
    """

    def __init__(self, decoders: int = 2, frame_bytes: int = KEPT_FRAME_BYTES) -> None:
        self._free: LifoQueue[Decoder | None] = LifoQueue()
        for _ in range(decoders):
            self._free.put(None)
        self._started: list[Decoder] = []
        self._studies: _Kept[tuple[str, str], OpenedStudy] = _Kept(KEPT_STUDIES, lambda _: 1)
        self._frames: _Kept[tuple[str, int | None, str], Frame] = _Kept(frame_bytes, lambda frame: len(frame.pixels))

    def warm_up(self) -> None:
        """Starts a first decoder, so that the first study opens sooner."""
        with self._decoder():
            pass

    def close(self) -> None:
        """Ends the decoders; no frame can be asked for any more."""
        for decoder in self._started:
            decoder.close()

    @contextmanager
    def _decoder(self) -> Iterator[Decoder]:
        decoder = self._free.get()
        try:
            if decoder is None:
                decoder = Decoder()
                self._started.append(decoder)
            yield decoder
        finally:
            self._free.put(decoder)

    def open(self, images: Path, study_instance_uid: str) -> OpenedStudy:
        """The study of that UID among the images of a folder or archive; its headers are read once.

        Raises:
            UnreadableInput: it is not among them; and all that `read_studies` raises.
        """
        key = str(images), study_instance_uid
        if (known := self._studies.get(key)) is not None:
            return known
        with self._decoder() as decoder:
            studies = read_studies(images, decoder=decoder)
        study = next((study for study in studies if study.study_instance_uid == study_instance_uid), None)
        if study is None:
            raise UnreadableInput("the images of this study are no longer where they were put", "its received files")
        opened = OpenedStudy.of(study)
        self._studies.put(key, opened)
        return opened

    def frame(self, opened: OpenedStudy, series: int, index: int) -> Frame | Damaged:
        """A slice by the numbers of its series and of its place in the shown order.

        Raises:
            IndexError: there is no such slice.
        """
        if series < 0 or index < 0:
            raise IndexError("slices are counted from 0")
        header, layout = opened.slices[series][index]
        key = header.sop_instance_uid, header.frame, header.source.name + header.source.path
        if (known := self._frames.get(key)) is not None:
            return known
        with self._decoder() as decoder:
            picture = decoder.read_picture(header)
        if isinstance(picture, Damaged):
            return picture
        frame = make_frame(layout.turn(picture) if layout else picture)
        self._frames.put(key, frame)
        return frame

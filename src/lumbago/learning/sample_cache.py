"""What is slow to make for training is made once and kept: one file for each study or picture, read when a batch asks.

A file is named by a digest of what its samples were made from: the settings that matter, the content of the picture or
the phantom's seed, the checksum of the model that placed them, and the code that made them. So the folder can be
deleted between runs, a preparation that was interrupted goes on where it was, and no file is ever mistaken.

Of libraries, joblib.Memory and diskcache keep pickles: they neither read one array of a study later nor notice damage.
"""

import hashlib
import json
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from lumbago.errors import InputError, LumbagoError, NotALumbarStudy, UnreadableInput
from lumbago.learning.array_files import StoredArray, is_whole, write_arrays
from lumbago.learning.end_with_parent import end_with_parent
from lumbago.learning.source_digest import source_digest

Facts = dict[str, Any]
"""What JSON can hold; floating-point numbers come back bit for bit."""

_WORTH: Final = 8
"""Pieces from which on processes of their own are worth their start."""

_TOLD: Final = 5


def _nothing(*_: object) -> None:
    """Shows and tells nothing."""


@dataclass(frozen=True)
class Preparation:
    """How samples are prepared.

    Attributes:
        cache: folder that keeps them, None to keep nothing; processes: that make them, where that is possible.
        show: is called with what is being prepared, how many are done, and of how many.
        tell: is called with a sentence on what a person should know.
    """

    cache: Path | None = None
    processes: int = 1
    show: Callable[[str, int, int], None] = field(default=_nothing, compare=False)
    tell: Callable[[str], None] = field(default=_nothing, compare=False)


ALONE: Final = Preparation()
"""In this process, keeping nothing, in silence."""


@runtime_checkable
class Sample(Protocol):
    """What can be kept."""

    def parts(self) -> tuple[Facts, dict[str, np.ndarray]]:
        """The small facts, and the arrays by name."""
        ...


Made = TypeVar("Made", bound=Sample)
Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Piece(Generic[Made]):
    """Samples that are made, and kept, together: of one study or picture.

    Attributes:
        make: a function of a module, so that other processes find it; given: its arguments.
        known_by: what the samples depend on, besides the code, as JSON or frozen dataclasses.
    """

    make: Callable[..., Iterable[Made]]
    given: tuple[Any, ...]
    known_by: tuple[Any, ...]

    @property
    def key(self) -> str:
        """Digest of what the samples are made from."""
        code = source_digest(__name__, self.make.__module__)
        content = json.dumps([self.make.__qualname__, code, self.known_by], default=asdict)
        return hashlib.sha256(content.encode()).hexdigest()[:32]


def kept_samples(
    pieces: Iterable[Piece[Made]],
    open_one: Callable[[Facts, Mapping[str, StoredArray]], Kept],
    how: Preparation,
    what: str,
) -> list[Made | Kept]:
    """The samples of all pieces in their order, the same whether they are made, or come out of the cache.

    Args:
        open_one: makes a sample of its facts and of arrays that are read when they are asked for.
        what: kind of samples, the sub-folder of the cache.

    A damaged file is told of and made anew; when the cache cannot be written to, that is told of once, and samples
    stay in memory. A piece whose input cannot be used costs itself and a sentence.

    Raises:
        UnreadableInput: no piece can be used.
    """
    placed = [(piece, _place(how, what, piece)) for piece in pieces]
    missing = [(piece, path) for piece, path in placed if path is None or not is_whole(path)]
    _tell_damaged([path for _, path in missing if path is not None and path.exists()], how)
    made: dict[int, Outcome[Made]] = {}
    for (piece, _), outcome in zip(missing, _outcomes(missing, how), strict=True):
        made[id(piece)] = outcome
        how.show(f"preparing {what}", len(made), len(missing))
    _tell_failures(list(made.values()), len(placed), how)
    samples: list[Made | Kept] = []
    for piece, path in placed:
        held = made[id(piece)].samples if id(piece) in made else None
        samples += _opened(path, open_one) if held is None and path is not None else held or ()
    return samples


def _place(how: Preparation, what: str, piece: Piece[Any]) -> Path | None:
    return None if how.cache is None else how.cache / what / f"{piece.key}.npz"


@dataclass(frozen=True)
class Outcome(Generic[Made]):
    """What became of a piece: samples that did not go into the cache, why it cannot be written, or why the piece's
    input cannot be used."""

    samples: list[Made] | None = None
    unwritten: str = ""
    unusable: str = ""


def _tell_failures(outcomes: Sequence[Outcome[Any]], pieces: int, how: Preparation) -> None:
    unwritten = [outcome.unwritten for outcome in outcomes if outcome.unwritten]
    if unwritten:
        how.tell(f"The cache cannot be written to ({unwritten[0]}); what is not in it stays in memory for this run.")
    unusable = [outcome.unusable for outcome in outcomes if outcome.unusable]
    if unusable and len(unusable) == pieces:
        raise UnreadableInput(f"none of {pieces} pictures or studies can be used: {unusable[0]}")
    for reason in unusable[:_TOLD]:
        how.tell(f"Left out: {reason}")
    if len(unusable) > _TOLD:
        how.tell(f"Left out: {len(unusable) - _TOLD} more.")


def _tell_damaged(paths: Sequence[Path], how: Preparation) -> None:
    if paths:
        what = f"{paths[0]} is" if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more files are"
        how.tell(f"{what} damaged and made anew.")


# --- making ----------------------------------------------------------------------------------------------------------


def _outcomes(missing: Sequence[tuple[Piece[Made], Path | None]], how: Preparation) -> Iterator[Outcome[Made]]:
    if how.processes < 2 or len(missing) < _WORTH:
        for piece, path in missing:
            yield _prepare(piece, path)
        return
    with _processes(min(how.processes, len(missing))) as pool:
        pieces, paths = zip(*missing, strict=True)
        yield from pool.map(_prepare, pieces, paths)


def _prepare(piece: Piece[Made], path: Path | None) -> Outcome[Made]:
    """Makes a piece and puts it into its file."""
    try:
        samples = list(piece.make(*piece.given))
    except (InputError, NotALumbarStudy) as error:
        return Outcome([], unusable=str(error))
    if path is None:
        return Outcome(samples)
    try:
        write_arrays(path, _packed(samples))
    except OSError as error:
        return Outcome(samples, unwritten=error.strerror or str(error))
    return Outcome()


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes: a fork would inherit the locks of PyTorch's and ONNX Runtime's threads.

    Raises:
        LumbagoError: one of them was ended from outside.
    """
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise LumbagoError("a process that prepares samples was ended", "memory for all", "lower --threads") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """The parent answers Ctrl-C; when it is killed, its processes go with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()


# --- files -----------------------------------------------------------------------------------------------------------


def _packed(samples: Sequence[Sample]) -> dict[str, np.ndarray]:
    """Facts as JSON, and each array once, however many samples share it."""
    arrays: dict[int, np.ndarray] = {}
    rows = []
    for facts, named in [sample.parts() for sample in samples]:
        arrays |= {id(array): array for array in named.values()}
        rows.append([facts, {name: _name(list(arrays).index(id(array))) for name, array in named.items()}])
    text = np.frombuffer(json.dumps(rows).encode(), np.uint8)
    return {"facts": text, **{_name(number): array for number, array in enumerate(arrays.values())}}


def _name(number: int) -> str:
    return f"array-{number}"


def _opened(path: Path, open_one: Callable[[Facts, Mapping[str, StoredArray]], Kept]) -> Iterator[Kept]:
    facts = StoredArray(path, "facts").read()
    for row, names in json.loads(facts.tobytes()):
        yield open_one(row, {name: StoredArray(path, place) for name, place in names.items()})

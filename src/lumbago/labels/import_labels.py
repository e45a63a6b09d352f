"""Label sources into Lumbago's own form: a folder that `read_lumbago` reads, whatever the labels came from."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final

from lumbago.errors import PartsMissing, UsageError
from lumbago.labels.labelled_study import LabelledStudy, file_name
from lumbago.labels.problems import Problem
from lumbago.labels.read_lumbago import INDEX, write_index, write_lumbago_study

Progress = Callable[[int], None]
_OURS: Final = {"findings.json", "labels.json"}


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was written, and which labels could not be."""

    studies: int
    labels: int
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """5 when a label was left out, else 0."""
        return PartsMissing.exit_code if any(problem.weight != "note" for problem in self.problems) else 0


def import_labels(studies: Iterable[LabelledStudy], out: Path, progress: Progress = lambda done: None) -> ImportReport:
    """Writes `out/<study>/findings.json`, `out/<study>/labels.json`, and `out/labels.csv` when all are there.

    After an interruption what was written is kept, but cannot be read as labels; the same call again makes it whole.
    Images stay where they are. The first study is read before an earlier import gives way, which may be the source
    itself. `progress` is called with the number of studies done.

    Raises:
        UsageError: `out` cannot be written to, or holds something else.
    """
    rows: list[tuple[object, ...]] = []
    problems: list[Problem] = []
    taken: set[str] = set()
    following = iter(studies)
    first = tuple(islice(following, 1))
    with _writing(out):
        _begin(out)
    for done, study in enumerate(chain(first, following), 1):
        folder = _free_name(file_name(study.name), taken)
        with _writing(out):
            _write_whole(out, folder, study)
        rows.append(_row(folder, study))
        problems += study.problems
        progress(done)
    with _writing(out):
        write_index(out, rows)
    return ImportReport(len(rows), sum(int(str(row[5])) for row in rows), tuple(problems))


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}", "a folder", "choose another") from error


def _begin(out: Path) -> None:
    """An earlier import is replaced; a folder of something else is left alone."""
    out.mkdir(parents=True, exist_ok=True)
    foreign = [path for path in out.iterdir() if not _is_ours(path)]
    if foreign:
        raise UsageError(f"{out} holds {foreign[0].name}, which is no import", "a folder of its own", "choose another")
    (out / INDEX).unlink(missing_ok=True)
    for part in out.glob(".part-*"):
        shutil.rmtree(part, ignore_errors=True)


def _is_ours(path: Path) -> bool:
    """A study's folder is ours when it holds what we write, and nothing else: it is replaced as a whole."""
    if not path.is_dir():
        return path.name == INDEX
    return path.name.startswith(".part-") or {file.name for file in path.iterdir()} in (_OURS, set())


def _free_name(name: str, taken: set[str]) -> str:
    """The name, with -2, -3, ... when another study has it, be it in other capitals."""
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.lower())
    return free


def _write_whole(out: Path, folder: str, study: LabelledStudy) -> None:
    """The study's folder appears only when both files are in it; an older one is replaced."""
    part, place = out / f".part-{folder}", out / folder
    write_lumbago_study(part, study)
    shutil.rmtree(place, ignore_errors=True)
    part.rename(place)


def _row(folder: str, study: LabelledStudy) -> tuple[object, ...]:
    graded = sum(row.grade is not None for row in study.truth.findings)
    counts = (len(study.images), graded, len(study.shapes), len(study.problems))
    return (study.name, folder, study.source, study.patient, *counts)

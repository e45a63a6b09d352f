"""What a run tells while it runs: one JSON line a step in `log.jsonl`, and TensorBoard events where it is installed."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

try:
    from torch.utils.tensorboard import SummaryWriter
except ImportError:
    SummaryWriter = None  # type: ignore[assignment,misc]

LOG = "log.jsonl"


class RunLog:
    """An open log; without a file it keeps nothing.

    Args:
        file: of JSON lines.
        events: TensorBoard's writer.
    """

    def __init__(self, file: TextIO | None = None, events: Any = None) -> None:
        self._file, self._events = file, events

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """One line of figures after a step, to be read at once."""
        if self._file is not None:
            rounded = {name: float(f"{value:.6g}") for name, value in figures.items()}
            self._file.write(json.dumps({"step": step, **rounded}) + "\n")
            self._file.flush()
        if self._events is not None:
            for name, value in figures.items():
                self._events.add_scalar(name, value, step)

    def flush(self) -> None:
        """Brings what was written to the disk's keeper."""
        for place in (self._file, self._events):
            if place is not None:
                place.flush()


@contextmanager
def open_log(folder: Path, step: int, *, is_kept: bool) -> Iterator[RunLog]:
    """The log of a run that stands at a step; lines of later steps, which will be done again, are dropped first."""
    if not is_kept:
        yield RunLog()
        return
    path = folder / LOG
    kept = [line for line in read_log(folder) if line["step"] <= step]
    path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf8")
    events = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1) if SummaryWriter is not None else None
    with path.open("a", encoding="utf8") as file:
        try:
            yield RunLog(file, events)
        finally:
            if events is not None:
                events.close()


def read_log(folder: Path) -> list[dict[str, int | float]]:
    """The lines of a run's log so far; one that a kill cut short is left out."""
    path = folder / LOG
    lines = []
    for text in path.read_text(encoding="utf8").splitlines() if path.is_file() else ():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines

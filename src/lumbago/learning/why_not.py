"""Why a cell of a comparison could not be filled: a sentence in a file beside what is not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lumbago.errors import LumbagoError

WHY: Final = "why-not.txt"


@contextmanager
def or_why_not(path: Path, what: str) -> Iterator[None]:
    """Runs the body; an error of ours becomes a sentence in the file, and a success takes an old one away.

    Args:
        what: could not be done.
    """
    path.unlink(missing_ok=True)
    try:
        yield
    except LumbagoError as error:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{what}: {error}", encoding="utf8")


def reasons(folder: Path) -> list[str]:
    """All such sentences below a folder."""
    return [path.read_text(encoding="utf8") for path in sorted(folder.rglob(f"*{WHY}"))]

"""Why a cell of a comparison could not be filled: a sentence in a file beside what is not there."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lumbago.errors import LumbagoError

WHY: Final = "why-not.txt"

log: Final = logging.getLogger(__name__)


@contextmanager
def or_why_not(path: Path, what: str) -> Iterator[None]:
    """Runs the body; an error becomes a sentence in the file, and a success takes an old one away. A fault of our own
    costs its cell too, not the hours of the others: it is logged with where it happened.

    Args:
        what: could not be done.
    """
    path.unlink(missing_ok=True)
    try:
        yield
    except LumbagoError as error:
        _keep(path, f"{what}: {error}")
    except Exception as error:
        log.exception("%s", what)
        _keep(path, f"{what}: our own fault: {type(error).__name__}: {str(error).partition(chr(10))[0]}")


def _keep(path: Path, sentence: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(sentence, encoding="utf8")


def reasons(folder: Path) -> list[str]:
    """All such sentences below a folder."""
    return [path.read_text(encoding="utf8") for path in sorted(folder.rglob(f"*{WHY}"))]

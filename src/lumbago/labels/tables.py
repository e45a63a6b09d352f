"""CSV tables of others: rows as text, or one sentence on why they cannot be used."""

import csv
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from lumbago.errors import UnreadableInput

Row = dict[str, str]
_Number = TypeVar("_Number", int, float)
_BEYOND = "\n"
"""Stands for the cells beyond the head; no column is called so."""
ADVICE = "check the folder (of training: --data)"


def read_text(path: Path) -> str:
    """A text file in UTF-8, with or without a byte order mark.

    Raises:
        UnreadableInput: not there, or another encoding.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableInput(
            f"{path} is not UTF-8 (byte {error.start})", "text in UTF-8", "save it again as UTF-8"
        ) from error
    except OSError as error:
        raise UnreadableInput(f"no {path.name} in {path.parent}", "the folder of the label source", ADVICE) from error


def read_table(path: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a CSV file with a head line; texts are stripped, empty lines are left out.

    Raises:
        UnreadableInput: not there, not UTF-8, no CSV, or a column is missing.
    """
    try:
        text = read_text(path)
        table = csv.DictReader(
            StringIO(text, newline=""), restkey=_BEYOND, restval="", strict=True, delimiter=_delimiter(text)
        )
        head = [name.strip() for name in table.fieldnames or ()]
        table.fieldnames = head
        rows = [_stripped(row) for row in table]
        torn = next((row for row in rows if _BEYOND in row), None)
    except csv.Error as error:
        raise UnreadableInput(f"{path} is no CSV table ({error})", f"columns {', '.join(columns)}", ADVICE) from error
    missing = [name for name in columns if name not in head]
    if missing:
        raise UnreadableInput(
            f"{path} has no column {', '.join(missing)} (it has {', '.join(head) or 'none'})",
            f"columns {', '.join(columns)}",
            ADVICE,
        )
    if torn is not None:
        found = ", ".join(torn[name] for name in head[:3] if name)
        raise UnreadableInput(
            f"{path} has a row of more cells than its head ({found}, ...)",
            "a cell a column",
            "decimals with a point, or texts with commas in quotes",
        )
    return [row for row in rows if any(row.values())]


def _delimiter(text: str) -> str:
    """Some spreadsheets save CSV with semicolons."""
    head = text.partition("\n")[0]
    return ";" if head.count(";") > head.count(",") else ","


def _stripped(row: dict[str, Any]) -> Row:
    """Cells beyond the head stay only where one of them holds something: spreadsheets write empty ones."""
    beyond = "".join(row.pop(_BEYOND, ())).strip()
    cells = {name: value.strip() for name, value in row.items() if name}
    return cells | ({_BEYOND: beyond} if beyond else {})


def number(path: Path, row: Row, column: str) -> float:
    """A number in a table.

    Raises:
        UnreadableInput: no number.
    """
    return _converted(path, row, column, float, "a number")


def whole_number(path: Path, row: Row, column: str) -> int:
    """A whole number in a table; `7.0`, as some tools write it, is one.

    Raises:
        UnreadableInput: no whole number.
    """

    def convert(text: str) -> int:
        value = float(text)
        if value != int(value):
            raise ValueError(text)
        return int(value)

    return _converted(path, row, column, convert, "a whole number")


def _converted(path: Path, row: Row, column: str, convert: Callable[[str], _Number], what: str) -> _Number:
    try:
        value = convert(row[column])
        if not isfinite(value):
            raise ValueError(value)
        return value
    except (ValueError, OverflowError) as error:
        raise UnreadableInput(f"{path} has {row[column]!r} as {column}", what, "correct that row") from error


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes a CSV file, whole or not at all.

    Raises:
        OSError: the folder cannot be written to.
    """
    text = StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(["" if value is None else value for value in row] for row in rows)
    write_whole(path, text.getvalue())


def write_whole(path: Path, text: str) -> None:
    """Writes a text file under its name only when all of it is there.

    Raises:
        OSError: the folder cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    part.write_text(text, encoding="utf8")
    part.replace(path)

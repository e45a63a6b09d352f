"""Tables of cases as CSV, written and read.

Columns are the fields of `GradedCase`; grades by name, probabilities in the scale's order with a space between, empty
where nothing was found. Only source, patient, condition, level, truth and probabilities must be there.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from math import isfinite
from pathlib import Path
from typing import Any, Final

from lumbago.errors import LumbagoError, UnreadableInput, UsageError
from lumbago.evaluation.cases import GradedCase
from lumbago.labels.tables import write_table

COLUMNS: Final = tuple(item.name for item in fields(GradedCase))
_NEEDED: Final = ("source", "patient", "condition", "level", "truth", "probabilities")
_NUMBERS: Final = ("field_strength_t", "age_years")


def write_cases(cases: Iterable[GradedCase], path: Path) -> None:
    """Writes a table, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        write_table(path, COLUMNS, ([_cell(case, name) for name in COLUMNS] for case in cases))
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror})", "", "choose another --out") from error


def _cell(case: GradedCase, column: str) -> str:
    value = getattr(case, column)
    if value is None:
        return ""
    return " ".join(f"{number:.6g}" for number in value) if isinstance(value, tuple) else str(value)


def read_cases(path: Path) -> list[GradedCase]:
    """Reads a table.

    Raises:
        UnreadableInput: no such file, no such table, a row that cannot be meant, or two rows of the same place.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnreadableInput(f"{path} cannot be read ({error})", "a CSV table of cases") from error
    lacking = [name for name in _NEEDED if name not in columns]
    if lacking:
        raise UnreadableInput(
            f"{path} has the columns {' | '.join(columns) or 'none'}, and lacks {', '.join(lacking)}",
            f"the columns {', '.join(_NEEDED)}, in small letters, with commas between",
            "see docs/how-to/evaluate.md",
        )
    if not rows:
        raise UnreadableInput(f"{path} has no rows below its head", "a row for each graded place")
    cases = [_read_row(path, number, row) for number, row in enumerate(rows, 2)]
    _refuse_twice(path, cases)
    return cases


def read_tables(paths: Sequence[Path]) -> list[GradedCase]:
    """Reads several tables as one; each names its pictures from its own folder.

    Raises:
        UnreadableInput: as `read_cases`; or two of them grade the same place.
    """
    found: dict[tuple[str, ...], Path] = {}
    cases = []
    for path in paths:
        for case in read_cases(path):
            if case.key in found:
                raise UnreadableInput(
                    f"{path} grades {case.place} of {case.study}, which {found[case.key]} grades too",
                    "each place in one table",
                    "two models of the same places are compared by --against",
                )
            found[case.key] = path
            cases.append(replace(case, picture=str(path.parent / case.picture)) if case.picture else case)
    return cases


def _read_row(path: Path, number: int, row: Mapping[str, Any]) -> GradedCase:
    try:
        return _case(row)
    except LumbagoError as error:
        raise UnreadableInput(f"{path}, line {number}: {error.found}", error.expected) from error
    except (ValueError, AttributeError) as error:
        raise UnreadableInput(f"{path}, line {number}, is no case ({error})", "a row as in its head") from error


def _case(row: Mapping[str, str]) -> GradedCase:
    if None in row:
        raise ValueError("it has more cells than the head")
    texts: dict[str, Any] = {name: (row.get(name) or "").strip() for name in COLUMNS}
    for name in ("source", "patient"):
        if not texts[name]:
            raise UnreadableInput(f"a case without {name}", f"the {name}, as intervals and splits go by patient")
    numbers = {name: _number(texts[name]) if texts[name] else None for name in _NUMBERS}
    optional = {name: texts[name] or None for name in ("side", "second_reader")}
    study = texts["study"] or texts["patient"]
    return GradedCase(**{
        **texts, **numbers, **optional, "study": study, "probabilities": _probabilities(texts["probabilities"]),
    })  # fmt: skip


def _number(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def _probabilities(text: str) -> tuple[float, ...] | None:
    return tuple(float(value) for value in text.split()) or None


def _refuse_twice(path: Path, cases: Iterable[GradedCase]) -> None:
    seen: set[tuple[str, ...]] = set()
    for number, case in enumerate(cases, 2):
        if case.key in seen:
            raise UnreadableInput(
                f"{path}, line {number}, grades {case.place} of {case.study} a second time",
                "one row for each place",
                "name the slice in the column slice_name if it was graded on several",
            )
        seen.add(case.key)

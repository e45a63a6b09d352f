"""JSON files of others: read, or one sentence on why not."""

import json
from pathlib import Path
from typing import Any

from lumbago.errors import UnreadableInput
from lumbago.labels.tables import ADVICE, read_text


def read_json(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object that has these keys.

    Raises:
        UnreadableInput: not there, not UTF-8, no JSON object, or a key is missing.
    """
    try:
        data = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UnreadableInput(f"{path} is no JSON ({error})", "a JSON file", ADVICE) from error
    missing = [key for key in keys if not isinstance(data, dict) or key not in data]
    if missing or not isinstance(data, dict):
        raise UnreadableInput(f"{path} has no {', '.join(missing)}", f"an object with {', '.join(keys)}", ADVICE)
    return data


def malformed(path: Path, what: str) -> UnreadableInput:
    """An entry of a file that does not have the form it should."""
    return UnreadableInput(f"{path} has {what}", "an entry as its format describes it", "write the file again")


def rows_of(path: Path, data: dict[str, Any], key: str) -> list[Any]:
    """A list in a JSON object.

    Raises:
        UnreadableInput: it is none.
    """
    if not isinstance(data[key], list):
        raise malformed(path, f"{key} that are no list")
    rows: list[Any] = data[key]
    return rows

"""The terms of a comparison, kept in its folder: what was made under others is not set beside what is made now."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lumbago.errors import SettingsRefused, UnreadableInput
from lumbago.labels.tables import write_whole
from lumbago.learning.comparison_plan import LOCATING, Terms
from lumbago.learning.pace import PACES

TERMS: Final = "terms.json"


def keep_terms(terms: Terms, phantoms: Path | None) -> None:
    """Refuses other terms than those that the comparison's folder was begun with, and keeps these there.

    A folder of an older version keeps none but the minutes, beside its counts of steps: if they agree it is taken as of
    these terms. Phantoms may be given later, not exchanged.

    Args:
        phantoms: folder of the phantom studies to test on, or None.

    Raises:
        SettingsRefused: the folder was begun with other terms.
        UnreadableInput: no phantom study there.
    """
    path, given = terms.out / TERMS, _by_option(terms, phantoms)
    kept = json.loads(path.read_text(encoding="utf8")) if path.is_file() else {}
    begun = kept.items() or _older(terms.out / PACES)
    other = {option: value for option, value in begun if given.get(option, value) != value}
    if other:
        now = {option: given[option] for option in other}
        raise SettingsRefused(
            f"the comparison in {terms.out} was begun with {_told(other)}, not {_told(now)}", "the same terms",
            "give them, or another --out",
        )  # fmt: skip
    write_whole(path, json.dumps({**kept, **given}, indent=1) + "\n")


def _by_option(terms: Terms, phantoms: Path | None) -> dict[str, Any]:
    """Terms by the option that gives them; the order of label sources does not matter."""
    given = {
        "--labels": ",".join(sorted(terms.sources)),
        "--folds": terms.folds,
        "--minutes": terms.grader_minutes,
        "--locator-minutes": terms.locator_minutes,
        "--made": terms.phantoms,
    }
    return given if phantoms is None else {**given, "--phantoms": _digest(phantoms)}


def _digest(phantoms: Path) -> str:
    """How many phantom studies a folder holds, and a digest of their names and truths."""
    truths = sorted(phantoms.glob("*/truth.json"))
    if not truths:
        raise UnreadableInput(f"no phantom study in {phantoms}", "<name>/truth.json", "lumbago phantom DIR")
    total = hashlib.sha256()
    for path in truths:
        total.update(path.parent.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return f"{len(truths)} of digest {total.hexdigest()[:16]}"


def _older(paces: Path) -> Iterator[tuple[str, Any]]:
    """The minutes that steps were counted for."""
    for path in sorted(paces.glob("*.json")):
        option = "--locator-minutes" if path.stem.endswith(LOCATING) else "--minutes"
        yield option, json.loads(path.read_text(encoding="utf8"))["minutes"]


def _told(options: Mapping[str, Any]) -> str:
    values = {option: f"{value:g}" if isinstance(value, float) else value for option, value in options.items()}
    return ", ".join(f"{option} {value}" for option, value in values.items())

"""Translation of the names that others give to levels, sides, conditions, grades and structures: see `names.toml`."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

from lumbago.anatomy.conditions import CONDITIONS, DEGENERATION, MODIC, PFIRRMANN, PRESENCE, ROLES, SEVERITY, Role
from lumbago.anatomy.levels import SIDES, Side, bottom_count
from lumbago.errors import SettingsRefused
from lumbago.labels.labelled_study import Absence
from lumbago.labels.tables import read_text

DEFAULT_NAMES: Final = Path(__file__).with_name("names.toml")
_SCALES: Final = {scale.name: scale for scale in (SEVERITY, PFIRRMANN, PRESENCE, MODIC, DEGENERATION)}
_WORDS: Final = re.compile(r"[^\W_]+")

Spellings = Mapping[tuple[str, ...], tuple[str, ...]]
"""Names by the words that spell them; a spelling can stand for several."""


def words(text: str) -> tuple[str, ...]:
    """`L4-L5 Pfirrmann_4` -> `("l4", "l5", "pfirrmann", "4")`."""
    return tuple(_WORDS.findall(text.lower()))


@dataclass(frozen=True, slots=True)
class ClassMeaning:
    """What the name of a class says; None where it says nothing. `unknown`: words that nothing stands for."""

    condition: str | None = None
    grade: str | None = None
    level: str | None = None
    side: Side | None = None
    structure: str | None = None
    is_certain: bool = True
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelNames:
    """A table of spellings, by section: `levels`, `sides`, `conditions`, `structures`, `roles`, `doubt`,
    `grades.<scale>`."""

    tables: Mapping[str, Spellings]
    absence: Mapping[str, Absence]

    def _one(self, table: str, text: str) -> str | None:
        found = self.tables[table].get(words(text), ())
        return found[0] if found else None

    def level(self, text: str) -> str | None:
        """`L4-L5` -> `L4/L5`; None when it is no level."""
        return self._one("levels", text)

    def side(self, text: str) -> Side | None:
        """`L` -> `left`."""
        return cast(Side | None, self._one("sides", text))

    def role(self, text: str) -> Role | None:
        """`Sagittal T2/STIR` -> `sagittal_t2`."""
        return cast(Role | None, self._one("roles", text))

    def grade(self, condition: str, text: str) -> str | None:
        """`Normal/Mild` -> `normal_mild`, in the scale of the condition."""
        return self._one(f"grades.{CONDITIONS[condition].scale.name}", text)

    def condition(self, text: str) -> tuple[str, Side | None] | None:
        """`Left Subarticular Stenosis` -> (`subarticular_stenosis`, `left`); None when it is no condition."""
        meaning = self.read_class(text)
        unclear = meaning.unknown or meaning.level or meaning.structure
        return None if meaning.condition is None or unclear else (meaning.condition, meaning.side)

    @cached_property
    def _longest(self) -> int:
        return max(len(spelling) for table in self.tables.values() for spelling in table)

    def read_class(self, text: str) -> ClassMeaning:
        """What a class name says: level, side, condition, grade and structure in any order, each by its longest
        spelling."""
        left = words(text)
        doubt, left = self._take("doubt", left)
        level, left = self._take("levels", left)
        found, left = self._take("conditions", left)
        side, left = self._take("sides", left)
        condition = _fitting(found, bool(side))
        grade: tuple[str, ...] = ()
        if condition is not None:
            grade, left = self._take(f"grades.{CONDITIONS[condition].scale.name}", left)
        structure, left = self._take("structures", left)
        if condition is not None and not grade and CONDITIONS[condition].scale is PRESENCE:
            grade = ("present",)
        return ClassMeaning(
            condition, _first(grade), _first(level), cast(Side | None, _first(side)), _first(structure), not doubt, left
        )

    def _take(self, table: str, left: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The first and longest words that a table knows, and what is left without them."""
        spellings = self.tables[table]
        for length in range(min(len(left), self._longest), 0, -1):
            for start in range(len(left) - length + 1):
                found = spellings.get(left[start : start + length])
                if found:
                    return found, left[:start] + left[start + length :]
        return (), left


def _first(names: tuple[str, ...]) -> str | None:
    return names[0] if names else None


def _fitting(conditions: tuple[str, ...], has_side: bool) -> str | None:
    """Of several conditions of one spelling, that which has sides when the name has one, and none when not."""
    fitting = [name for name in conditions if CONDITIONS[name].sided == has_side]
    return _first((*fitting, *conditions))


def class_name(meaning: ClassMeaning) -> str:
    """The class name that `read_class` understands as just this meaning."""
    condition = meaning.condition.replace("_", " ") if meaning.condition else None
    grade = meaning.grade.replace("_", " ") if meaning.grade else None
    level = meaning.level.replace("/", "-") if meaning.level else None
    doubt = None if meaning.is_certain else "uncertain"
    parts = (meaning.side, condition, grade, level, meaning.structure, doubt)
    return " ".join(part for part in parts if part)


def read_names(path: Path | None = None) -> LabelNames:
    """The translation table, with a user's own in front of it.

    Raises:
        SettingsRefused: no TOML, or it names levels, conditions or grades that there are not.
    """
    own = _read_toml(path) if path is not None else {}
    default = _read_toml(DEFAULT_NAMES)
    tables: dict[str, Spellings] = {}
    for section in ("levels", "sides", "conditions", "structures", "roles", "doubt"):
        tables[section] = _spellings(own.get(section, {}), default[section])
    for scale in _SCALES:
        tables[f"grades.{scale}"] = _spellings(own.get("grades", {}).get(scale, {}), default["grades"][scale])
    return LabelNames(tables, {**default["absence"], **own.get("absence", {})})


def names_in(folder: Path) -> LabelNames:
    """The table that holds for a folder of labels: with its own names.toml in front, where there is one.

    Raises:
        SettingsRefused: as `read_names`.
    """
    own = folder / "names.toml"
    return read_names(own if own.is_file() else None)


def _spellings(*tables: Mapping[str, list[str]]) -> Spellings:
    """Words -> names; a user's own spelling replaces the meaning it had."""
    merged: dict[tuple[str, ...], tuple[str, ...]] = {}
    for table in reversed(tables):
        own: dict[tuple[str, ...], tuple[str, ...]] = {}
        for name, spellings in table.items():
            for spelling in (name, *spellings):
                own[words(spelling)] = tuple(dict.fromkeys((*own.get(words(spelling), ()), name)))
        merged |= own
    return merged


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(read_text(path))
    except ValueError as error:
        raise SettingsRefused(f"{path} is not TOML: {error}", "a table of names", "see --names in the docs") from error
    _refuse_unknown(path, table)
    return table


def _is_level(text: str) -> bool:
    try:
        return bool(bottom_count(text))
    except (ValueError, IndexError):
        return False


def _refuse_unknown(path: Path, table: dict[str, Any]) -> None:
    known: dict[str, Any] = {
        "levels": _is_level, "sides": SIDES.__contains__, "conditions": CONDITIONS.__contains__,
        "structures": lambda _: True,
        "doubt": ("uncertain",).__contains__, "roles": ROLES.__contains__, "grades": _SCALES.__contains__,
        "absence": CONDITIONS.__contains__,
    }  # fmt: skip
    for section, rows in table.items():
        if section not in known or not isinstance(rows, dict):
            raise SettingsRefused(f"{path} has a section {section}", f"some of {', '.join(known)}")
        for name in rows:
            if not known[section](name):
                raise SettingsRefused(f"{path} names {name!r} in [{section}]", "a name of Lumbago's own on the left")
    _refuse_values(path, table)


def _refuse_values(path: Path, table: dict[str, Any]) -> None:
    absence = table.get("absence", {})
    wrong = [name for name, value in absence.items() if value not in ("negative", "unknown")]
    grades = table.get("grades", {})
    wrong += [scale for scale, rows in grades.items() if not isinstance(rows, dict)]
    grades = {scale: rows for scale, rows in grades.items() if isinstance(rows, dict)}
    wrong += [
        f"{scale} {grade}" for scale, rows in grades.items() for grade in rows if grade not in _SCALES[scale].grades
    ]
    lists = [rows for name, rows in table.items() if name not in ("absence", "grades")] + list(grades.values())
    wrong += [name for rows in lists for name, value in rows.items() if not _is_list_of_spellings(value)]
    if wrong:
        raise SettingsRefused(
            f"{path} says something of {', '.join(wrong)} that it cannot mean",
            "spellings with a letter or a digit, see names.toml",
        )


def _is_list_of_spellings(value: Any) -> bool:
    """Signs alone, as `+`, are no words: they would be the spelling of an empty cell."""
    return isinstance(value, list) and all(isinstance(item, str) and words(item) for item in value)

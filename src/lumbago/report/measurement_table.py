"""What was measured, as a table: a row for each size, a column for each level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lumbago.anatomy.findings import Measurement, StudyFindings
from lumbago.anatomy.levels import SIDES
from lumbago.report.level_grid import level_label, shown_levels

_UNITS: Final = {"mm": " mm", "mm2": " mm²", "degrees": "°", "percent": " %", "ratio": ""}
_MISSING: Final = "–"


@dataclass(frozen=True, slots=True)
class MeasurementTable:
    """Heads, the first of them of the sizes' names; rows as wide, both sides in one, the patient's right first, as on
    the images, each number with its standard error, which stands beside the name where it is the same for all; and what
    was measured of the spine as a whole, "" for nothing."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    spine: str


def measurement_table(findings: StudyFindings) -> MeasurementTable:
    """Every size that a level has, levels from the top down."""
    levels = {level: measured_at(findings, level) for level in shown_levels(findings)}
    shown = {level: sizes for level, sizes in levels.items() if sizes}
    rows = dict.fromkeys(_both(name) for sizes in shown.values() for name in sizes)
    return MeasurementTable(
        ("", *(level_label(findings, level) for level in shown)),
        tuple(_row(names, list(shown.values())) for names in rows),
        ", ".join(
            f"{_title(name)} {value_text(name, size)}" for name, size in findings.measurements.items()
        ).capitalize(),
    )


def measured_at(findings: StudyFindings, level: str) -> Mapping[str, Measurement]:
    """All sizes that stand beside grades of a level; those of a side by that side's name."""
    return {name: m for f in findings.findings if f.level == level for name, m in f.sizes.items()}


def _both(name: str) -> tuple[str, ...]:
    """The name alone, or with that of the other side."""
    side, _, size = name.partition("_")
    return tuple(f"{one}_{size}" for one in SIDES[::-1]) if side in SIDES else (name,)


def _row(names: tuple[str, ...], levels: Sequence[Mapping[str, Measurement]]) -> tuple[str, ...]:
    """A size's name, and its number at each level; the error beside the name where it is the same everywhere."""
    head = _head(names[0]) if len(names) == 1 else _head(names[0].partition("_")[2], " R / L")
    table = [[_number(name, sizes.get(name)).partition(" ± ") for name in names] for sizes in levels]
    errors = {error for cell in table for _, _, error in cell if error}
    if len(errors) == 1:
        return f"{head} ± {errors.pop()}", *(_joined([value for value, _, _ in cell]) for cell in table)
    return head, *(_joined(["".join(parts) for parts in cell]) for cell in table)


def _joined(told: Sequence[str]) -> str:
    return " / ".join(told) if set(told) != {_MISSING} else _MISSING


def value_text(name: str, size: Measurement) -> str:
    """A measured number with its standard error and unit: `7.9 ± 0.6 mm`."""
    return _number(name, size) + _UNITS.get(_unit(name), "")


def _number(name: str, size: Measurement | None) -> str:
    """Shares with two decimals, areas with none, all else with one; nothing is minus zero."""
    if size is None:
        return _MISSING
    places = {"ratio": 2, "mm2": 0}.get(_unit(name), 1)
    return f"{size.value:z.{places}f} ± {size.error:.{places}f}"


def _head(name: str, sides: str = "") -> str:
    unit = _UNITS.get(_unit(name), "").strip()
    return f"{_title(name)}{sides}, {unit}" if unit else f"{_title(name)}{sides}"


def _title(name: str) -> str:
    return (name.rpartition("_")[0] if _unit(name) in _UNITS else name).replace("_", " ")


def _unit(name: str) -> str:
    return name.rpartition("_")[2]

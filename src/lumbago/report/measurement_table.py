"""What was measured, as a table: a row for each size, a column for each level."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lumbago.anatomy.findings import Measurement, StudyFindings
from lumbago.report.level_grid import level_label, shown_levels

_UNITS: Final = {"mm": " mm", "mm2": " mm²", "degrees": "°", "percent": " %", "ratio": ""}


@dataclass(frozen=True, slots=True)
class MeasurementTable:
    """Heads, the first of them of the sizes' names; rows as wide, each number with its standard error; and what was
    measured of the spine as a whole, "" for nothing."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    spine: str


def measurement_table(findings: StudyFindings) -> MeasurementTable:
    """Every size that a level has, levels from the top down."""
    levels = {level: measured_at(findings, level) for level in shown_levels(findings)}
    shown = {level: sizes for level, sizes in levels.items() if sizes}
    names = dict.fromkeys(name for sizes in shown.values() for name in sizes)
    return MeasurementTable(
        ("", *(level_label(findings, level) for level in shown)),
        tuple((_head(name), *(_number(name, sizes.get(name)) for sizes in shown.values())) for name in names),
        ", ".join(
            f"{_title(name)} {value_text(name, size)}" for name, size in findings.measurements.items()
        ).capitalize(),
    )


def measured_at(findings: StudyFindings, level: str) -> Mapping[str, Measurement]:
    """All sizes that stand beside grades of a level; those of a side by that side's name."""
    return {name: m for f in findings.findings if f.level == level for name, m in f.sizes.items()}


def value_text(name: str, size: Measurement) -> str:
    """A measured number with its standard error and unit: `7.9 ± 0.6 mm`."""
    return _number(name, size) + _UNITS.get(_unit(name), "")


def _number(name: str, size: Measurement | None) -> str:
    """Shares with two decimals, all else with one."""
    if size is None:
        return "–"
    places = 2 if _unit(name) == "ratio" else 1
    return f"{size.value:.{places}f} ± {size.error:.{places}f}"


def _head(name: str) -> str:
    unit = _UNITS.get(_unit(name), "").strip()
    return f"{_title(name)}, {unit}" if unit else _title(name)


def _title(name: str) -> str:
    return (name.rpartition("_")[0] if _unit(name) in _UNITS else name).replace("_", " ")


def _unit(name: str) -> str:
    return name.rpartition("_")[2]

"""A comparison as files: one page, one table of every figure, and the pictures that the page shows."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.evaluation.cases import Group
from lumbago.evaluation.comparison import FIGURES, READERS, Compared, ComparedRow, RowFacts
from lumbago.evaluation.draw_comparison import draw_kappas, draw_losses
from lumbago.evaluation.draw_scores import picture_bytes
from lumbago.evaluation.group_wording import condition_title
from lumbago.evaluation.intervals import Score
from lumbago.evaluation.score_tables import short, table_lines

PAGE: Final = "results.md"
_HEAD: Final = ("data", "split", "condition", "row", "figure", "value", "low", "high", "p", "cases", "patients")


def write_comparison(compared: Compared, folder: Path, command: str) -> Path:
    """Writes `results.md`, `results.csv`, `kappas.svg` and `losses.svg`; gives the page."""
    tables = {place: compared.table(place) for place in compared.groups}
    _write_csv(compared, tables, folder / "results.csv")
    (folder / "results-kappas.svg").write_bytes(picture_bytes(draw_kappas(tables), "svg"))
    (folder / "results-losses.svg").write_bytes(picture_bytes(draw_losses(compared.facts), "svg"))
    page = folder / PAGE
    page.write_text("\n".join(_lines(compared, tables, command)) + "\n", encoding="utf8")
    return page


def _lines(compared: Compared, tables: Mapping[Group, Sequence[ComparedRow]], command: str) -> Iterator[str]:
    yield from (
        "# Results: every system on the same patients", "",
        f"Made by `{command}`. Budget of every row: {compared.budget}. Brackets: 95 % bootstrap over patients. `found` "
        "is the share of places that the row's own locator found; figures are over these. The difference is of kappa, "
        "the row less `lumbago`, paired on places that both answered.", "",
        "![Kappa of every row, by data and condition](results-kappas.svg)", "",
    )  # fmt: skip
    yield from ("## What each row is", "", *_fact_lines(compared.facts), "")
    yield from ("![Training loss of every row](results-losses.svg)", "")
    yield from ("## Discs found and named, each patient by a locator that has not seen him", "")
    yield from (*_located_lines(compared.facts), "")
    for place, rows in tables.items():
        yield from (*_table(compared, place, rows), "")
    if compared.lacking:
        yield from ("## What could not be filled", "", *(f"- {reason}" for reason in compared.lacking), "")
    scores = compared.rsna()
    if scores:
        yield from ("## RSNA 2024 score of phantoms (computer-made, not patients); lower is better", "")
        yield from table_lines(("row", "score"), [(f"`{name}`", short(score)) for name, score in scores.items()])


def _table(compared: Compared, place: Group, rows: Sequence[ComparedRow]) -> Iterator[str]:
    data, split, condition = place
    cases = next(groups[place] for groups in compared.grouped.values() if place in groups)
    owners = len({(case.source, case.patient) for case in cases})
    noun = "phantoms" if cases[0].is_phantom else "patients"
    yield f"## {condition_title(condition)}: {data}, {split}; {len(cases)} places of {owners} {noun}"
    yield ""
    scale = CONDITIONS[condition].scale
    kappa = "linear kappa" if scale.ordinal and len(scale.grades) > 2 else "kappa"
    heads = ("row", "found", *(kappa if name == "kappa" else name for name in FIGURES), "less ours", "p")
    yield from table_lines(heads, [_cells(row) for row in rows])
    if condition in READERS and not cases[0].is_phantom:
        yield from ("", READERS[condition])


def _cells(row: ComparedRow) -> list[str]:
    found = "–" if row.found is None else f"{row.found.value:.3f}"
    difference = short(row.difference.score) if row.difference is not None else "–"
    p = f"{row.difference.p:.3f}" if row.difference is not None and not math.isnan(row.difference.p) else "–"
    name = f"`{row.name}`" if row.found is not None else row.name
    return [name, found, *(short(row.figures.get(figure)) for figure in FIGURES), difference, p]


def _fact_lines(facts: Mapping[str, RowFacts]) -> list[str]:
    heads = ("row", "model", "network", "parameters", "MiB", "picture", "steps", "epochs", "minutes", "ms a study")
    rows = [
        (
            f"`{name}`", part, str(told["network"]) or "–", f"{told['parameters']:,}", f"{told['mebibytes']:g}",
            str(told["picture"]), f"{told['steps']}" if told["steps"] else "a fit", f"{told['epochs']:g}",
            f"{told['seconds'] / 60:.1f}", _speed(row.milliseconds) if number == 0 else "",
        )
        for name, row in facts.items() for number, (part, told) in enumerate(row.parts.items())
    ]  # fmt: skip
    return table_lines(heads, rows)


def _speed(milliseconds: float) -> str:
    """NaN where no study could be read to its end."""
    return "–" if math.isnan(milliseconds) else f"{milliseconds:.0f}"


def _located_lines(facts: Mapping[str, RowFacts]) -> list[str]:
    names = list(dict.fromkeys(title for row in facts.values() for title in row.located if "found" in title))
    heads = ("of", *(f"`{name}`" for name in facts))
    rows = [(title, *(short(row.located.get(title)) for row in facts.values())) for title in names]
    return table_lines(heads, rows)


def _write_csv(compared: Compared, tables: Mapping[Group, Sequence[ComparedRow]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf8") as file:
        lines = csv.writer(file)
        lines.writerow(_HEAD)
        for place, rows in tables.items():
            cases = next(groups[place] for groups in compared.grouped.values() if place in groups)
            counts = (len(cases), len({(case.source, case.patient) for case in cases}))
            for row in rows:
                lines.writerows([*place, row.name, *cells, *counts] for cells in _figures(row))


def _figures(row: ComparedRow) -> Iterator[tuple[str, ...]]:
    if row.found is not None:
        yield ("found", *_numbers(row.found), "")
    yield from ((name, *_numbers(score), "") for name, score in row.figures.items())
    if row.difference is not None:
        yield ("kappa less ours", *_numbers(row.difference.score), f"{row.difference.p:.6g}")


def _numbers(score: Score) -> tuple[str, str, str]:
    return f"{score.value:.6g}", f"{score.low:.6g}", f"{score.high:.6g}"

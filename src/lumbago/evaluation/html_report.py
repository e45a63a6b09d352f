"""The page of an evaluation: one file that shows everything and needs nothing beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from PIL import Image

from lumbago import __version__
from lumbago.anatomy.findings import RESEARCH_USE
from lumbago.evaluation.cases import GradedCase, Group, by_group
from lumbago.evaluation.evaluate_cases import ALL_CONDITIONS, GROUPINGS, Evaluation, ScoreRow
from lumbago.evaluation.gallery import Shelf
from lumbago.evaluation.group_wording import condition_title, counted, file_stem, group_title, said_split
from lumbago.evaluation.html_parts import data_name, details, figure, score_cell, shelf, table
from lumbago.evaluation.intervals import Score
from lumbago.evaluation.operating_points import OperatingPoint
from lumbago.evaluation.score_tables import GLANCE, glance_rows

_STYLE: Final = Path(__file__).with_name("report.css")
_OF_GRADES: Final = ("recall", "precision", "F1", "AUC")
_PHANTOM_NOTICE: Final = (
    "Scores of computer-made studies (phantoms) say how well a model does on phantoms. They say nothing about patients."
)
_READING: Final = (
    "Numbers below a value are its 95 % interval, a bootstrap over patients with 1,000 resamples. Accuracy is to be "
    "read beside what always answering the commonest grade reaches, and beside balanced accuracy (mean recall of the "
    "grades that occur). Kappa is quadratically weighted, or plain where grades are two or have no order. ECE is the "
    "expected calibration error over 15 bins. Places without an answer count in “found” and, as a third for each "
    "grade, in the RSNA score; they are left out of the other figures."
)


@dataclass(frozen=True, eq=False)
class Illustrated:
    """What a group is shown with: its figure as SVG, and its gallery with a picture, or None, for each case."""

    svg: bytes
    shelves: Sequence[tuple[Shelf, Sequence[Image.Image | None]]]


def html_report(evaluation: Evaluation, command: str, shown: Mapping[Group, Illustrated]) -> str:
    """The page.

    Args:
        command: what made the scores.
        shown: pictures of the groups that have an answer.
    """
    groups = by_group(evaluation.cases)
    parts = [
        _head(evaluation, command),
        _glance(evaluation),
        _studies(evaluation),
        _differences(evaluation),
        *(_group(evaluation, place, cases, shown.get(place)) for place, cases in groups.items()),
    ]
    style = _STYLE.read_text(encoding="utf8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<style>{style}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _head(evaluation: Evaluation, command: str) -> str:
    has_phantoms = any(case.is_phantom for case in evaluation.cases)
    links = "".join(
        f'<a href="#{file_stem(place)}">{escape(condition_title(place[2]))}, {escape(place[0].split(" (")[0])}</a>'
        for place in by_group(evaluation.cases)
    )
    notice = f'<div class="notice">{_PHANTOM_NOTICE}</div>' if has_phantoms else ""
    return (
        f"<h1>Evaluation</h1><p>{_data_line(evaluation)}<br><small>Lumbago {__version__}; <code>{escape(command)}"
        f"</code></small></p>{notice}<p class='quiet'>{RESEARCH_USE}</p><nav>{links}</nav>"
    )


def _data_line(evaluation: Evaluation) -> str:
    named: dict[tuple[str, str], list[GradedCase]] = {}
    for case in evaluation.cases:
        named.setdefault((case.data, case.split), []).append(case)
    return "; ".join(
        f"{data_name(data)}, split: {escape(said_split(split))}, {counted(cases)}"
        for (data, split), cases in named.items()
    )


def _glance(evaluation: Evaluation) -> str:
    heads = ["condition", "data", "split", "places", *(head for head, _ in GLANCE)]
    rows = [
        [
            f'<a href="#{file_stem(place)}">{escape(condition_title(place[2]))}</a>',
            data_name(place[0]),
            escape(said_split(place[1])),
            f"{cases}<small>of {patients}</small>",
            *map(score_cell, figures),
        ]
        for place, cases, patients, figures in glance_rows(evaluation)
    ]
    return f"<h2>At a glance</h2>{table(heads, rows, 3)}<p class='quiet'>{_READING}</p>"


def _studies(evaluation: Evaluation) -> str:
    rows = [
        [escape(row.figure), data_name(row.data), escape(said_split(row.split)), score_cell(row.score)]
        for row in evaluation.rows
        if row.condition == ALL_CONDITIONS
    ]
    return f"<h2>Whole studies and slices</h2>{table(['figure', 'data', 'split', 'value'], rows, 3)}" if rows else ""


def _differences(evaluation: Evaluation) -> str:
    if not evaluation.differences:
        return ""
    rows = [
        [
            escape(row.condition),
            escape(row.figure),
            data_name(row.data),
            score_cell(row.difference.score),
            f"{row.difference.p:.3f}",
            str(row.cases),
        ]
        for row in evaluation.differences
    ]
    heads = ["condition", "figure", "data", "this less the other", "p", "places"]
    left = f"{evaluation.left_out} places are in one table only, or unanswered in one, and are left out."
    return f"<h2>Compared with the other table</h2>{table(heads, rows, 3)}<p class='quiet'>{left}</p>"


def _group(evaluation: Evaluation, place: Group, cases: Sequence[GradedCase], shown: Illustrated | None) -> str:
    rows = [row for row in evaluation.rows if (row.data, row.split, row.condition) == place]
    parts = [f'<h2 id="{file_stem(place)}">{escape(condition_title(place[2]))}</h2>', f"<p>{data_name(place[0])}, "]
    parts.append(f"split: {escape(said_split(place[1]))}; {counted(cases)}</p>")
    if shown is None:
        return "".join(parts) + "<p>No place has an answer.</p>"
    parts += [figure(shown.svg, group_title(place, cases)), _grades(rows, cases), _readers(rows)]
    parts.append(_points(evaluation.points.get(place, ())))
    parts.append(details("Every figure", _every(rows)))
    parts += [details(f"By {by}", _by(rows, by)) for by in (*GROUPINGS, "unit") if any(row.by == by for row in rows)]
    parts += [shelf(one, pictures) for one, pictures in shown.shelves]
    return "".join(parts)


def _scores(rows: Sequence[ScoreRow], by: str, group: str) -> dict[str, Score]:
    return {row.figure: row.score for row in rows if (row.by, row.group) == (by, group)}


def _grades(rows: Sequence[ScoreRow], cases: Sequence[GradedCase]) -> str:
    scores = _scores(rows, "", "")
    lines = [
        [
            escape(title),
            str(sum(case.truth_index == index for case in cases)),
            *(score_cell(scores.get(f"{name} of {title}")) for name in _OF_GRADES),
        ]
        for index, title in enumerate(cases[0].scale.titles)
    ]
    return f"<h3>Each grade against the rest</h3>{table(['grade', 'places', *_OF_GRADES], lines)}"


def _readers(rows: Sequence[ScoreRow]) -> str:
    names = list(dict.fromkeys(row.figure for row in rows if row.by == "reader"))
    if not names:
        return ""
    columns = {who: _scores(rows, "reader", who) for who in ("model, same cases", "second reader")}
    lines = [[escape(name), *(score_cell(scores.get(name)) for scores in columns.values())] for name in names]
    return f"<h3>Beside a second reader, against the same truth</h3>{table(['figure', *columns], lines)}"


def _points(points: Sequence[OperatingPoint]) -> str:
    lines = [
        [
            f"{point.purpose}: {escape(point.abnormal)} or worse",
            f"{point.threshold:.3f}",
            *(f"{score_cell(score)}<small>validation {point.chosen_on[name]:.2f}</small>"
              for name, score in point.reached.items()),
        ]
        for point in points
    ]  # fmt: skip
    if not points:
        return ""
    heads = ["purpose", "threshold", *points[0].reached]
    return f"<h3>Operating points, thresholds chosen on validation cases</h3>{table(heads, lines)}"


def _every(rows: Sequence[ScoreRow]) -> str:
    return table(["figure", "value"], [[escape(row.figure), score_cell(row.score)] for row in rows if not row.by])


def _by(rows: Sequence[ScoreRow], by: str) -> str:
    groups = list(dict.fromkeys(row.group for row in rows if row.by == by))
    names = [name for name in dict.fromkeys(row.figure for row in rows if row.by == by) if "found, of" not in name]
    lines = []
    for group in groups:
        scores = _scores(rows, by, group)
        count = next(row.cases for row in rows if (row.by, row.group) == (by, group))
        lines.append([escape(group), str(count), *(score_cell(scores.get(name)) for name in names)])
    return table([by, "places", *names], lines)

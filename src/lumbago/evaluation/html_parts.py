"""Pieces of a page: tables, figures, cards of single cases. Everything that is not ours is escaped."""

import base64
import math
from collections.abc import Sequence
from html import escape
from io import BytesIO

from PIL import Image

from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.gallery import Shelf
from lumbago.evaluation.intervals import Score

_PICTURE_QUALITY = 82


def score_cell(score: Score | None) -> str:
    """The value, with its interval small below it."""
    if score is None or math.isnan(score.value):
        return "–"
    interval = f"{score.low:.2f} to {score.high:.2f}" if score.has_interval else "no interval"
    return f"{score.value:.2f}<small>{interval}</small>"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A table of ready cells; the first `texts` columns are text, the others numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ["" if number < texts else ' class="number"' for number in range(len(cells))]
        return "".join(f"<{tag}{kind}>{cell}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{line(heads, "th")}</tr></thead><tbody>{body}</tbody></table></div>'


def data_name(data: str) -> str:
    """The data's name; computer-made data stands out."""
    kind = "phantom" if "computer-made" in data else ""
    return f'<span class="{kind}">{escape(data)}</span>'


def figure(svg: bytes, title: str) -> str:
    """A picture within the page."""
    return f'<img class="figure" alt="{escape(title)}" src="{_inline(svg, "image/svg+xml")}">'


def details(summary: str, content: str) -> str:
    """Content that is folded away."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def shelf(shown: Shelf, pictures: Sequence[Image.Image | None]) -> str:
    """Cases side by side, each with its picture where there is one."""
    if not shown.cases:
        return f'<h3>{escape(shown.heading)}</h3><p class="quiet">There is none.</p>'
    cards = "".join(_card(case, picture) for case, picture in zip(shown.cases, pictures, strict=True))
    return f'<h3>{escape(shown.heading)}</h3><div class="shelf">{cards}</div>'


def _card(case: GradedCase, picture: Image.Image | None) -> str:
    shown = f'<img alt="" src="{_jpeg(picture)}">' if picture else ""
    title = case.scale.titles[case.truth_index]
    found = case.scale.titles[case.found_index or 0]
    verdict = "right" if case.found_index == case.truth_index else "wrong"
    second = f", second reader {escape(case.second_reader)}" if case.second_reader else ""
    where = " · ".join(escape(part) for part in (case.study, case.slice_name) if part)
    made = ', <span class="phantom">computer-made</span>' if case.is_phantom else ""
    return (
        f'<div class="case">{shown}<div class="text"><b>{escape(case.place)}</b> <span class="quiet">{where}</span>'
        f'{made}<br>truth <b>{escape(title)}</b>{second}, predicted <span class="{verdict}">{escape(found)}</span>'
        f"{_bars(case)}</div></div>"
    )


def _bars(case: GradedCase) -> str:
    scale = case.scale
    return "".join(
        f'<div class="bar{" truth" if index == case.truth_index else ""}"><b>{escape(scale.titles[index])}</b>'
        f'<span><i style="width:{100 * value:.1f}%;background:{scale.colours[index]}"></i></span>'
        f"<span>{value:.0%}</span></div>"
        for index, value in enumerate(case.probabilities or ())
    )


def _jpeg(picture: Image.Image) -> str:
    buffer = BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=_PICTURE_QUALITY)
    return _inline(buffer.getvalue(), "image/jpeg")


def _inline(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"

"""Pictures of a comparison: kappa of every row with its interval, and how far each training came."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lumbago.evaluation.cases import Group
from lumbago.evaluation.comparison import ComparedRow, RowFacts
from lumbago.evaluation.draw_scores import STYLE
from lumbago.evaluation.group_wording import condition_title

_ACROSS: Final = 4
_ROW_INCHES, _HEAD_INCHES = 0.19, 0.65
_SMOOTHED: Final = 9


def draw_kappas(tables: Mapping[Group, Sequence[ComparedRow]]) -> Figure:
    """A panel for each data set and condition, a line for each row."""
    down = max(1, -(-len(tables) // _ACROSS))
    most = max((len(rows) for rows in tables.values()), default=1)
    with rc_context(STYLE):
        picture = Figure(figsize=(14, down * (_HEAD_INCHES + _ROW_INCHES * most)), layout="constrained")
        panels = picture.subplots(down, _ACROSS, squeeze=False).flatten()
        for panel, (place, rows) in zip(panels, tables.items(), strict=False):
            _draw_panel(panel, place, rows)
        for panel in panels[len(tables) :]:
            panel.set_axis_off()
    return picture


def _draw_panel(panel: Axes, place: Group, rows: Sequence[ComparedRow]) -> None:
    shown = [row for row in rows if "kappa" in row.figures and not np.isnan(row.figures["kappa"].value)]
    for height, row in enumerate(reversed(shown)):
        score, is_system = row.figures["kappa"], row.found is not None
        colour = "#D55E00" if row.name == "lumbago" else "#0072B2" if is_system else "#7B8794"
        spread = np.nan_to_num([[score.value - score.low], [score.high - score.value]]).clip(0)
        panel.errorbar(
            score.value, height, xerr=spread, fmt="o" if is_system else "|", color=colour, markersize=4, elinewidth=1.1
        )
    panel.set_yticks(range(len(shown)), [row.name for row in reversed(shown)], fontsize=6.5)
    data, split, condition = place
    panel.axvline(0, color="#CBD2D9", linewidth=0.8)
    panel.set_title(f"{condition_title(condition)}\n{data.split(' (')[0]}, {split}", fontsize=7.5)


def draw_losses(facts: Mapping[str, RowFacts]) -> Figure:
    """Running mean of the training loss of the first fold, by share of its steps, a panel for each kind of model."""
    kinds = list(dict.fromkeys(part for row in facts.values() for part in row.parts))
    colours = dict(zip(facts, colormaps["tab10"](np.linspace(0, 1, 10)), strict=False))
    with rc_context(STYLE):
        picture = Figure(figsize=(14, 3.2), layout="constrained")
        panels = picture.subplots(1, max(1, len(kinds)), squeeze=False)[0]
        for panel, kind in zip(panels, kinds, strict=False):
            for name, row in facts.items():
                if row.parts.get(kind, {}).get("losses"):
                    _draw_loss(panel, row.parts[kind]["losses"], name, colours[name])
            panel.set(title=kind, xlabel="share of the steps", yscale="log")
        panels[0].set_ylabel("training loss")
        picture.legend(*_legend(list(panels)), loc="outside right upper")
    return picture


def _draw_loss(panel: Axes, losses: Sequence[Sequence[int | float]], name: str, colour: Any) -> None:
    steps, values = np.array(losses, float).T
    width = min(_SMOOTHED, len(values))
    mean = np.convolve(values, np.ones(width) / width, mode="valid")
    panel.plot(steps[width - 1 :] / steps[-1], mean, color=colour, linewidth=1.2, label=name)


def _legend(panels: Sequence[Axes]) -> tuple[list[Any], list[str]]:
    found: dict[str, Any] = {}
    for panel in panels:
        found |= {label: handle for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    return list(found.values()), list(found)

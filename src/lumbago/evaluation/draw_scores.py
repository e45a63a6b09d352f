"""One picture for each scored group: confusion, ROC, reliability, and how it does level by level.

The only module that needs matplotlib (extra `evaluate`).
"""

from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from lumbago.evaluation import metrics
from lumbago.evaluation.cases import GradedCase, Group
from lumbago.evaluation.evaluate_cases import Evaluation, ScoreRow
from lumbago.evaluation.figures_of_merit import Sample
from lumbago.evaluation.group_wording import group_title

_INK, _QUIET, _BLUE, _ORANGE = "#1F2933", "#7B8794", "#0072B2", "#D55E00"
STYLE: Final[Any] = {
    "font.family": "DejaVu Sans", "font.size": 8.5, "axes.titlesize": 9.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.edgecolor": _QUIET, "axes.labelcolor": _INK, "text.color": _INK,
    "xtick.color": _INK, "ytick.color": _INK, "axes.spines.top": False, "axes.spines.right": False,
    "svg.hashsalt": "lumbago", "legend.frameon": False, "legend.fontsize": 7.5,
}  # fmt: skip
_BLUES: Final = LinearSegmentedColormap.from_list("blues", ["#FFFFFF", "#9CC9E3", "#0B5C8F"])
_DARK: Final = 0.55
_METADATA: Final = {"svg": {"Date": None}, "png": {"Software": None}}


def draw_group(evaluation: Evaluation, place: Group, cases: Sequence[GradedCase]) -> Figure:
    """The picture of one group; there must be a case with an answer."""
    sample = Sample.of(cases)
    with rc_context(STYLE):
        picture = Figure(figsize=(13.2, 3.7), layout="constrained")
        confusion, roc, reliability, levels = picture.subplots(1, 4, gridspec_kw={"width_ratios": [1.1, 1, 1, 1.15]})
        _draw_confusion(confusion, sample)
        _draw_roc(roc, sample)
        _draw_reliability(reliability, sample)
        _draw_levels(levels, [row for row in evaluation.rows if (row.data, row.split, row.condition) == place])
        picture.suptitle(group_title(place, cases), x=0.006, ha="left", fontsize=10.5, color=_INK)
    return picture


def picture_bytes(picture: Figure, kind: str) -> bytes:
    """The picture as a file of the kind `svg` or `png`; the same each time."""
    buffer = BytesIO()
    with rc_context(STYLE):
        picture.savefig(buffer, format=kind, dpi=160, metadata=_METADATA[kind])
    return buffer.getvalue()


def _draw_confusion(axes: Axes, sample: Sample) -> None:
    grades = len(sample.scale.grades)
    counts = metrics.confusion(sample.truth, sample.found, grades)
    shares = np.nan_to_num(metrics.ratio(counts, counts.sum(1, keepdims=True)))
    axes.imshow(shares, cmap=_BLUES, vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(grades, grades):
        if counts[row].any():
            colour = "white" if shares[row, column] > _DARK else _INK
            text = f"{shares[row, column]:.0%}\n{counts[row, column]}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8 if grades < 5 else 7)
    labels = [title.replace("/", "/\n") for title in sample.scale.titles]
    axes.set_xticks(range(grades), labels)
    axes.set_yticks(range(grades), labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(title="Confusion (share of each truth)", xlabel="predicted", ylabel="truth")


def _draw_roc(axes: Axes, sample: Sample) -> None:
    axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle=":")
    scale = sample.scale
    for index in np.unique(sample.truth) if len(scale.grades) > 2 else ():
        _draw_curve(axes, sample.truth == index, sample.probabilities[:, index], scale.titles[index], {
            "color": scale.colours[index], "linewidth": 1.0,
        })  # fmt: skip
    _draw_curve(axes, sample.truth > 0, 1 - sample.probabilities[:, 0], "any change", {
        "color": _INK, "linewidth": 1.8,
    })  # fmt: skip
    axes.set(title="ROC (AUC)", xlabel="1 − specificity", ylabel="sensitivity", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right")


def _draw_curve(axes: Axes, truth: np.ndarray, score: np.ndarray, name: str, style: dict[str, Any]) -> None:
    """Nothing where only one class occurs."""
    if truth.any() and not truth.all():
        alarms, hits = metrics.roc_curve(truth, score)
        axes.plot(alarms, hits, label=f"{name} {metrics.auc(truth, score):.2f}", **style)


def _draw_reliability(axes: Axes, sample: Sample) -> None:
    confidence, right, cases = metrics.reliability_curve(sample.truth, sample.probabilities)
    axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle=":")
    axes.bar(confidence, cases / cases.sum(), width=0.06, color="#D9E2EC", label="share of places")
    axes.plot(confidence, right, color=_BLUE, linewidth=1.0)
    sizes = 12 + 120 * cases / cases.sum()
    axes.scatter(confidence, right, sizes, color=_BLUE, zorder=3, label="share that is right")
    error = metrics.calibration_error(sample.truth, sample.probabilities)
    axes.set(title=f"Reliability (ECE {error:.3f})", xlabel="stated probability", xlim=(0, 1.03), ylim=(0, 1.03))
    axes.legend(loc="upper left")


def _draw_levels(axes: Axes, rows: Sequence[ScoreRow]) -> None:
    parts = list(dict.fromkeys(row.group for row in rows if row.by == "level"))
    by = "level" if parts else ""
    parts = parts or [""]
    for offset, (figure, marker, colour) in enumerate((
        ("balanced accuracy", "s", _ORANGE),
        ("accuracy", "o", _BLUE),
        ("accuracy of always the commonest grade", "_", _QUIET),
    )):  # fmt: skip
        found = {row.group: row.score for row in rows if row.by == by and row.figure == figure}
        places = [index for index, part in enumerate(parts) if part in found]
        scores = [found[parts[index]] for index in places]
        spread = np.array([[s.value - s.low, s.high - s.value] for s in scores]).reshape(-1, 2).T.clip(0)
        is_reference = marker == "_"
        axes.errorbar(
            np.array(places) + 0.18 * (offset - 1) * (not is_reference),
            [score.value for score in scores],
            yerr=None if is_reference else np.nan_to_num(spread),
            fmt=marker, color=colour, markersize=18 if is_reference else 5, elinewidth=1.2,
            label="always the commonest" if is_reference else figure,
        )  # fmt: skip
    axes.set_xticks(range(len(parts)), [part or "all levels" for part in parts])
    axes.set(title="By level (95 % intervals)", ylim=(0, 1.03), xlim=(-0.6, len(parts) - 0.4))
    axes.legend(loc="lower left", markerscale=0.6)

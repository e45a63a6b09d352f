"""Discs that were missed or misnamed on real pictures, as the locator's scores count them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from real.answers import Answer, Answers
from real.page import Page, Sample
from real.sheets import FOUND, TRUE, Tile, Window, write_sheet

from lumbago.anatomy.levels import bottom_count
from lumbago.evaluation.detection import distance_figures
from lumbago.evaluation.intervals import Score
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.labels.tables import write_table
from lumbago.learning.locator_targets import TrueDisc
from lumbago.learning.score_locator import FoundDisc, summarize, true_levels

SHOWN, _TILE_PX, _MARGIN_MM, _NEAR_MM = 12, 560, 110.0, 4.0


@dataclass(frozen=True)
class Compared:
    """A picture with labelled discs and what was found on it."""

    row: LabelledSlice
    answers: Sequence[Answer]
    truth: dict[str, TrueDisc]

    @property
    def kind(self) -> str:
        return f"{self.row.source} {self.row.name.partition('_')[2]}"

    def discs(self) -> Iterator[tuple[FoundDisc, str]]:
        """Each labelled disc as the locator's scores count it, and the name of the found one nearest to it."""
        for level, disc in self.truth.items():
            away = {
                one.level: float(np.hypot(one.row - disc.center[0], one.column - disc.center[1])) * self.row.spacing_mm
                for one in self.answers if one.level
            }  # fmt: skip
            nearest = min(away, key=lambda name: away[name], default="")
            error, half = away.get(nearest, float("inf")), disc.half_height * self.row.spacing_mm
            named = nearest == level and error <= half
            yield FoundDisc(self.kind, self.row.patient, self.row.name, level, error, half, named), nearest

    def faults(self) -> list[str]:
        """What is wrong, disc by disc."""
        told = []
        for disc, nearest in self.discs():
            if not disc.is_found:
                told.append(
                    f"{disc.level} missed (nearest {disc.error_mm:.0f} mm off, {disc.half_height_mm:.1f} allowed)"
                )
            elif not disc.is_named_right:
                told.append(f"{disc.level} called {nearest}")
        return told

    @property
    def fault(self) -> str:
        """All of it in a word; "" where all is right."""
        pairs = list(self.discs())
        steps = {bottom_count(nearest) - bottom_count(disc.level) for disc, nearest in pairs if disc.is_found}
        missed = sum(not disc.is_found for disc, _ in pairs)
        if missed and self.is_displaced:
            return "all displaced alike"
        if not steps:
            return "nothing found at any labelled disc"
        shifted = "some names shifted" if len(steps) > 1 else f"names shifted by {min(steps):+d}"
        return " and ".join([shifted] * (steps != {0}) + [f"{missed} missed"] * (missed > 0))

    @property
    def is_displaced(self) -> bool:
        """Whether every labelled disc was found under its name once all are moved by one and the same step, longer than
        `_NEAR_MM`: then labels and picture do not belong together."""
        found = {one.level: (one.row, one.column) for one in self.answers}
        if not set(self.truth) <= set(found):
            return False
        off = np.array([np.subtract(found[level], disc.center) for level, disc in self.truth.items()])
        step = np.median(off, axis=0)
        near = np.linalg.norm(off - step, axis=1) <= [disc.half_height for disc in self.truth.values()]
        return bool(near.all()) and float(np.linalg.norm(step)) * self.row.spacing_mm > _NEAR_MM


def compared(answers: Answers, rows: Sequence[LabelledSlice]) -> list[Compared]:
    """The pictures whose labelled discs can be trusted."""
    pairs = [Compared(row, answers[row.name], true_levels(row)) for row in rows]
    return [pair for pair in pairs if pair.truth]


def tell_faults(page: Page, answers: Answers, rows: Sequence[LabelledSlice]) -> None:
    pictures = compared(answers, rows)
    page.say("## Discs located and named")
    show_scores(page, pictures)
    faulty = [one for one in pictures if one.fault]
    page.say(
        f"{len(faulty)} of {len(pictures)} pictures have a disc that was missed (no disc within half its height) or "
        "bears another name; `locator-faults.csv` lists them. *All displaced alike*: right once all labels are moved "
        "by one step, so that these labels do not fit this picture."
    )
    counts = Counter((one.kind, one.fault) for one in faulty)
    page.show(["data", "fault", "pictures"], [[*key, str(count)] for key, count in sorted(counts.items())])
    lines = [(one.kind, one.row.patient, one.row.name, one.fault, "; ".join(one.faults())) for one in faulty]
    write_table(page.out / "locator-faults.csv", ("data", "patient", "picture", "fault", "discs"), lines)
    shown = one_of_each(faulty, SHOWN)
    write_sheet([fault_tile(one) for one in shown], 4, page.out / "locator-faults.png")
    page.say(
        f"{len(shown)} of them, each of another patient. Labels blue, to the right; what was located orange, to the "
        "left, in brackets where it was not seen, but must lie in a gap.\n\n![faults](locator-faults.png)"
    )


def show_scores(page: Page, pictures: Sequence[Compared]) -> None:
    """By source and sequence."""
    lines: list[list[str]] = []
    for kind in sorted({one.kind for one in pictures}):
        discs = [disc for one in pictures if one.kind == kind for disc, _ in one.discs()]
        sample = Sample("discs", kind, "all", len(discs), len({disc.patient for disc in discs}))
        scores = figures_of(discs)
        cells = [page.put(sample, name, score) for name, score in scores.items()]
        lines.append([f"{kind}, {sample.places} discs of {sample.patients} patients", *cells])
    page.show(["data", *scores], lines)


def figures_of(discs: list[FoundDisc]) -> dict[str, Score]:
    errors, patients = (np.array([getattr(disc, name) for disc in discs]) for name in ("error_mm", "patient"))
    near = f"within {_NEAR_MM:g} mm"
    return {near: distance_figures(errors, patients, (_NEAR_MM,))[near], **summarize(discs)}


def fault_tile(one: Compared) -> Tile:
    """The labelled part of a picture: labels to the right, found discs to the left."""
    centers = np.array([disc.center for disc in one.truth.values()])
    middle, high = centers.mean(0), np.ptp(centers[:, 0]) + _MARGIN_MM / one.row.spacing_mm
    window = Window.about((float(middle[0]), float(middle[1])), (high, 0.8 * high), _TILE_PX)
    tile = Tile(one.row, window, [f"{one.row.source} {one.row.name.partition(':')[2]}: {one.fault}", one.faults()[0]])
    for level, disc in one.truth.items():
        tile.cross(disc.center, TRUE, level)
    for answer in one.answers:
        if answer.level and abs(answer.row - middle[0]) < high / 2:
            tile.ring((answer.row, answer.column), FOUND, answer.level if answer.confidence else f"({answer.level})")
    return tile


def one_of_each(faulty: Sequence[Compared], count: int) -> list[Compared]:
    """Up to so many, each of another patient, by kinds of fault in turn, so that a sheet shows every kind."""
    of_patient = {one.row.patient: one for one in faulty}
    groups: dict[str, list[Compared]] = {}
    for one in of_patient.values():
        groups.setdefault(one.fault, []).append(one)
    return [one for group in zip_longest(*groups.values()) for one in group if one is not None][:count]

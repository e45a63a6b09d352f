"""How often each head calls each grade on real slices, beside the published prevalence; the canal's grade against its
measured width; pictures to look at."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from statistics import NormalDist

import numpy as np
from real.answers import CANAL, Answer, Answers, Place, places_of, t2_rows
from real.page import Page, Sample
from real.sheets import PLAIN, Tile, Window, write_sheet
from scipy import stats

from lumbago.anatomy.conditions import CONDITIONS, SEVERITY
from lumbago.anatomy.levels import LEVELS
from lumbago.evaluation.intervals import Score, over_patients, weighted_scores
from lumbago.evaluation.metrics import weighted_mean
from lumbago.inference.weights import Card
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.phantom.rsna_latents import ROWS
from lumbago.pipeline.place_patches import SEEN_ON

SOURCES = ("sudirman", "spider")
WIDTHS: dict[str, Callable[[Answer], float]] = {
    "width, mm": lambda one: one.canal_mm,
    "`canal_ratio`": lambda one: one.canal_ratio,
    "`canal_least_ratio`": lambda one: one.canal_least_ratio,
}
SHOWN, _TILE_PX, _MARGIN_MM = 20, 520, 70.0
COLOURS = (PLAIN, *SEVERITY.colours[1:])
WHY_NOT = {
    "sagittal_t1": "not applicable, as a mid-sagittal slice shows no foramen: of {pictures} T1 pictures {shown} were "
    "taken to show one",
    "axial_t2": "not applicable: it needs axial T2 that says where in the patient it lies, and these data have none",
}


def severity_heads(cards: Sequence[Card]) -> list[Card]:
    """The graders of what RSNA 2024 graded."""
    return [card for card in cards if any(CONDITIONS[name].scale == SEVERITY for name in card.conditions)]


def role_of(card: Card) -> str:
    """The role of the series that a grader looks at."""
    return SEEN_ON[str(card.inputs["anchor"])]


def tell_prevalence(page: Page, answers: Answers, rows: Sequence[LabelledSlice], heads: Sequence[Card]) -> None:
    page.say("## Prevalence of the grades on `sudirman` and `spider`, mid-sagittal T2")
    t1 = [answers[row.name] for row in rows if row.weighting == "t1"]
    counts = {"pictures": len(t1), "shown": sum(found[0].foramina > 0 for found in t1)}
    page.say("\n".join(f"- {head.name}: {accepts(head).format(**counts)}." for head in heads))
    groups = {f"{source} t2": kept(places_of(answers, t2_rows(rows, source))) for source in SOURCES}
    page.say(
        "The canal, normal or mild / moderate / severe in percent by the likeliest grade, withheld grades left out:"
    )
    show_shares(page, groups)
    page.say(
        "RSNA 2024: published training labels (LumbarDISC, arXiv 2506.09162), radiologists' grades of whole studies. "
        "Neither set here has such grades, and their patients were chosen otherwise."
    )
    page.say(
        "Spearman's rank correlation of the canal's expected grade with its measured width (negative: narrower is "
        "worse). Millimetres on `sudirman` assume a field of view of 300 mm."
    )
    show_correlations(page, groups)


def accepts(head: Card) -> str:
    """What a head is given here, or why nothing."""
    return WHY_NOT.get(role_of(head), "grades every mid-sagittal T2 that shows the canal")


def kept(places: Sequence[Place]) -> list[Place]:
    """Without the places that an analysis would not grade."""
    return [place for place in places if not place.answer.doubt]


def sample_of(section: str, data: str, group: str, places: Sequence[Place]) -> Sample:
    return Sample(section, data, group, len(places), len({place.row.patient for place in places}))


def published_shares() -> dict[str, list[float]]:
    """Of each grade of the canal, by level."""
    row = next(row for row in ROWS if row.condition == CANAL)
    below = NormalDist().cdf
    cuts = zip(row.moderate_from, row.severe_from, strict=True)
    shares = [[below(one), below(other) - below(one), 1 - below(other)] for one, other in cuts]
    return dict(zip(LEVELS, shares, strict=True))


def found_shares(places: Sequence[Place]) -> dict[str, Score]:
    """Of each likeliest grade."""
    likeliest = np.array([int(np.argmax(place.answer.probabilities)) for place in places])
    figures = {
        name: partial(weighted_mean, (likeliest == number).astype(np.float64))
        for number, name in enumerate(SEVERITY.grades)
    }
    return weighted_scores(figures, np.array([place.row.patient for place in places]))


def show_shares(page: Page, groups: dict[str, list[Place]]) -> None:
    lines = []
    for level, published in published_shares().items():
        cells = [level, " / ".join(f"{100 * share:.1f}" for share in published)]
        for data, places in groups.items():
            here = [place for place in places if place.level == level]
            shares = found_shares(here)
            for grade, score in shares.items():
                page.put(sample_of("prevalence", data, level, here), f"share of {grade}", score)
            cells.append(" / ".join(percent(score) for score in shares.values()))
        lines.append(cells)
    heads = [f"{data}, {len({place.row.patient for place in places})} patients" for data, places in groups.items()]
    page.show(["level", "RSNA 2024", *heads], lines)


def percent(score: Score) -> str:
    return f"{100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def show_correlations(page: Page, groups: dict[str, list[Place]]) -> None:
    lines = []
    for data, places in groups.items():
        for width, read in WIDTHS.items():
            cells = [f"{data}, {width}"]
            for group in ("all", *LEVELS):
                here = [place for place in places if group in ("all", place.level) and not np.isnan(read(place.answer))]
                score = correlation([place.answer.expected for place in here], [read(one.answer) for one in here], here)
                sample = sample_of("prevalence", data, group, here)
                cells.append(page.put(sample, f"rank correlation of the expected grade with {width}", score))
            lines.append(cells)
    page.show(["", "all", *LEVELS], lines)


def correlation(one: Sequence[float], other: Sequence[float], places: Sequence[Place]) -> Score:
    """Spearman's, with its interval over patients."""
    pairs = np.array([one, other])
    patients = np.array([place.row.patient for place in places])
    return over_patients(lambda rows: float(stats.spearmanr(*pairs[:, rows]).statistic), patients)


def show_pictures(page: Page, answers: Answers, rows: Sequence[LabelledSlice], seed: int) -> None:
    """Pictures chosen by a seed, with the grade of each canal."""
    graded = [row for source in SOURCES for row in t2_rows(rows, source) if places_of(answers, [row])]
    chosen = random.Random(seed).sample(graded, min(SHOWN, len(graded)))
    write_sheet([graded_tile(places_of(answers, [row])) for row in chosen], 5, page.out / "canal-grades.png")
    page.say(
        f"{len(chosen)} pictures chosen by the seed {seed}; at each canal the expected grade, the likeliest one, and "
        "`canal_least_ratio`.\n\n![grades of the canal](canal-grades.png)"
    )


def graded_tile(places: Sequence[Place]) -> Tile:
    """The lumbar part of a picture."""
    row, found = places[0].row, [place.answer for place in places]
    high = np.ptp([one.row for one in found]) + _MARGIN_MM / row.spacing_mm
    middle = np.mean([one.row for one in found]), np.mean([one.canal_column for one in found])
    title = f"{row.source} {row.patient.partition(':')[2]}"
    tile = Tile(row, Window.about((float(middle[0]), float(middle[1])), (high, 0.85 * high), _TILE_PX), [title])
    for one in found:
        grade = int(np.argmax(one.probabilities))
        tile.ring((one.row, one.column), PLAIN, one.level)
        text = f"{one.expected:.2f} {SEVERITY.titles[grade]}, {one.canal_least_ratio:.2f}"
        tile.cross((one.canal_row, one.canal_column), COLOURS[grade], "withheld" if one.doubt else text)
    return tile

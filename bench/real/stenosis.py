"""Stenosis of the canal on mid-sagittal T2 of `sudirman`: the grader, and measured widths, against a reader's boxes."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from functools import partial
from pathlib import Path

import numpy as np
from real.answers import Answer, Answers, Place, places_of, t2_rows
from real.page import Page, Sample
from real.sheets import FOUND, TRUE, Tile, Window, write_sheet

from lumbago.anatomy.conditions import SEVERITY
from lumbago.anatomy.levels import LEVELS
from lumbago.evaluation.intervals import WeightedFigure, weighted_differences, weighted_scores
from lumbago.evaluation.metrics import aucs
from lumbago.labels.picture_slices import LabelledSlice
from lumbago.labels.tables import read_table, write_table

GRADER = "expected grade of all graders joined: as an analysis gives it"
PICTURE = "expected grade by the picture alone"
WIDTHS = "expected grade by rules on what is measured alone"
LEAST = "measured `canal_least_ratio`: least width behind the disc, as a share of that away from it"
MEAN = "measured `canal_ratio`: the same with the mean width"
ALONE = "level alone: its share of boxes in these very data"
PAIRS = ((GRADER, PICTURE), (GRADER, WIDTHS), (GRADER, LEAST), (WIDTHS, PICTURE))
GROUPS = ("all", *LEVELS)
BEFORE = dict(zip(GROUPS, (0.686, 0.903, 0.786, 0.872, 0.823, 0.467), strict=True))
"""AUC of a plain width ratio on about 100 other patients of the set, measured apart from this."""
_TILE_MM, _TILE_PX = 100.0, 300

Box = tuple[float, float, float, float]
"""Top, bottom, left, right."""
Boxes = Mapping[tuple[str, str], Sequence[Box]]
"""Of canal stenosis, by patient's key and level."""


def tell_stenosis(page: Page, answers: Answers, rows: Sequence[LabelledSlice], table: Path) -> None:
    boxes, boxed = read_boxes(table)
    shown = [row for row in t2_rows(rows, "sudirman") if row.patient in boxed]
    places = places_of(answers, shown)
    truth = np.array([(place.row.patient, place.level) in boxes for place in places])
    placed = boxes_by_place(answers, shown, boxes)
    page.say("## Canal stenosis on `sudirman`, mid-sagittal T2")
    page.say(words(places, placed, len(shown)))
    show_areas(page, places, truth, "boxes by name")
    page.say(
        "The same with each box given to the canal that lies nearest to it, whatever its name: the place that its "
        "reader meant where he and the locator count differently."
    )
    by_place = {(patient, nearest) for patient, _, nearest in placed}
    truth = np.array([(place.row.patient, place.level) in by_place for place in places])
    show_areas(page, places, truth, "boxes by place")
    misses = worst_misses(places, truth)
    write_sheet([miss_tile(places[index], answers, boxes) for index in misses], 5, page.out / "worst-misses.png")
    page.say(
        "The ten worst misses, boxes by place: above, boxed places with the lowest expected grades; below, places "
        "without a box with the highest. Boxes blue, what was located orange.\n\n![worst misses](worst-misses.png)"
    )
    write_places(page.out / "canal-places.csv", places, boxes, by_place)


def read_boxes(path: Path) -> tuple[dict[tuple[str, str], list[Box]], set[str]]:
    """Boxes of canal stenosis on T2, and the patients whose T2 was boxed at all."""
    boxes: dict[tuple[str, str], list[Box]] = {}
    patients = set()
    for row in read_table(path, ("patient", "sequence", "finding", "level", "xc", "yc", "w", "h")):
        if row["sequence"] != "t2":
            continue
        patient = f"sudirman:{row['patient']}"
        patients.add(patient)
        if row["finding"] == "SS":
            x, y, wide, high = (float(row[name]) for name in ("xc", "yc", "w", "h"))
            box = y - high / 2, y + high / 2, x - wide / 2, x + wide / 2
            boxes.setdefault((patient, row["level"].replace("-", "/")), []).append(box)
    return boxes, patients


# --- figures ---------------------------------------------------------------------------------------------------------


def words(places: Sequence[Place], placed: Sequence[tuple[str, str, str]], patients: int) -> str:
    same = [level == nearest for _, level, nearest in placed if level in LEVELS]
    boxed = {(patient, nearest) for patient, _, nearest in placed}
    withheld = [place for place in places if place.answer.doubt]
    reasons = "; ".join(f"{why}: {count}" for why, count in Counter(one.answer.doubt for one in withheld).items())
    return (
        "Truth: a reader's box of stenosis at a level (presence only, and liberal); boxes are used to judge by, not to "
        "learn from. They are matched by the name of the level, which their reader, too, counted from the sacrum. "
        f"Located: {len(places)} of the {len(LEVELS) * patients} lumbar discs of {patients} patients. Of {len(same)} "
        f"boxes at these levels {sum(same)} lie nearest to the canal of their name. An analysis would withhold "
        f"{len(withheld)} of the grades ({reasons or 'none'}), of which "
        f"{sum((one.row.patient, one.level) in boxed for one in withheld)} lie at a box; they are scored here all the "
        "same. A ratio that cannot be read counts as the median."
    )


def boxes_by_place(answers: Answers, rows: Sequence[LabelledSlice], boxes: Boxes) -> list[tuple[str, str, str]]:
    """(patient, the level that a box names, the level whose canal lies nearest to it), whatever levels these are."""
    found = {row.patient: {one.level: one for one in answers[row.name] if one.level} for row in rows}
    return [
        (patient, level, nearest_level(found[patient], box))
        for (patient, level), drawn in boxes.items()
        for box in drawn
        if found.get(patient)
    ]


def nearest_level(found: Mapping[str, Answer], box: Box) -> str:
    """The level whose canal is nearest to the middle of a box."""
    row, column = (box[0] + box[1]) / 2, (box[2] + box[3]) / 2
    return min(found, key=lambda level: np.hypot(found[level].canal_row - row, found[level].canal_column - column))


def likelihoods(places: Sequence[Place], truth: np.ndarray) -> dict[str, np.ndarray]:
    """How likely each place is stenotic, by each way of telling."""
    expected = np.array([place.answer.expected for place in places])
    least = -filled(np.array([place.answer.canal_least_ratio for place in places]))
    mean = -filled(np.array([place.answer.canal_ratio for place in places]))
    levels = np.array([place.level for place in places])
    share = np.array([truth[levels == level].mean() for level in levels])
    single = {PICTURE: "pixels", WIDTHS: "widths"}
    alone = {way: np.array([getattr(place.answer, name) for place in places]) for way, name in single.items()}
    return {GRADER: expected, **alone, LEAST: least, MEAN: mean, ALONE: share}


def filled(values: np.ndarray) -> np.ndarray:
    """What is not known counts as the median."""
    return np.where(np.isnan(values), np.nanmedian(values), values)


def show_areas(page: Page, places: Sequence[Place], truth: np.ndarray, said: str) -> None:
    """AUC of every way and paired differences, all levels together and one by one."""
    patients, levels = np.array([place.row.patient for place in places]), np.array([place.level for place in places])
    ways, heads = likelihoods(places, truth), [f"AUC, {said}"]
    areas = {way: [way] for way in ways}
    gaps = {pair: [" less ".join(way.partition(":")[0] for way in pair)] for pair in PAIRS}
    for group in GROUPS:
        here = (levels == group) | (group == "all")
        sample = Sample("stenosis", f"sudirman t2, {said}", group, int(here.sum()), len(set(patients[here])))
        heads.append(f"{group} ({truth[here].sum()} of {here.sum()})")
        figures: dict[str, WeightedFigure] = {way: partial(aucs, truth[here], ways[way][here]) for way in ways}
        for way, score in weighted_scores(figures, patients[here]).items():
            areas[way].append(page.put(sample, f"AUC of {way}", score))
        for pair in PAIRS:
            one, other = ({"": figures[way]} for way in pair)
            gap = weighted_differences(one, other, patients[here])[""]
            gaps[pair].append(f"{page.put(sample, f'AUC of {gaps[pair][0]}', gap.score)}, p {gap.p:.3f}")
    before = ["a plain width ratio on other patients of the set", *(f"{BEFORE[group]:.2f}" for group in GROUPS)]
    page.show(heads, [*areas.values(), before])
    page.say("Differences on the same places, resampled together:")
    page.show(["AUC", *GROUPS], list(gaps.values()))


# --- pictures --------------------------------------------------------------------------------------------------------


def worst_misses(places: Sequence[Place], truth: np.ndarray, count: int = 5) -> list[int]:
    """Of boxed places those with the lowest expected grades, then of the others those with the highest."""
    order = sorted(range(len(places)), key=lambda index: places[index].answer.expected)
    boxed, free = ([index for index in order if truth[index] == wanted] for wanted in (True, False))
    return boxed[:count] + free[::-1][:count]


def miss_tile(place: Place, answers: Answers, boxes: Boxes) -> Tile:
    """The canal of a place in the middle."""
    one, side = place.answer, _TILE_MM / place.row.spacing_mm
    middle = one.canal_row, one.canal_column
    chances = " / ".join(f"{value:.2f}" for value in one.probabilities)
    told = [
        f"{place.row.patient.partition(':')[2]} {place.level}, expected grade {one.expected:.2f}",
        f"p {chances}, width {one.canal_least_ratio:.2f}",
    ]
    tile = Tile(place.row, Window.about(middle, (side, side), _TILE_PX), told)
    for disc in answers[place.row.name]:
        if disc.level and abs(disc.row - middle[0]) < side / 2:
            tile.ring((disc.row, disc.column), FOUND, disc.level)
    for (patient, _), drawn in boxes.items():
        for box in drawn if patient == place.row.patient else ():
            tile.box(box, TRUE)
    tile.cross(middle, FOUND)
    return tile


def write_places(path: Path, places: Sequence[Place], boxes: Boxes, by_place: Set[tuple[str, str]]) -> None:
    """Every place with what was said of it."""
    boxed, measured = ("boxed_by_name", "boxed_by_place"), ("canal_ratio", "canal_least_ratio", "doubt")
    rows = []
    for place in places:
        one, key = place.answer, (place.row.patient, place.level)
        said = (one.expected, *one.probabilities, *(getattr(one, name) for name in measured))
        rows.append((*key, int(key in boxes), int(key in by_place), *said))
    write_table(path, ("patient", "level", *boxed, "expected_grade", *SEVERITY.grades, *measured), rows)

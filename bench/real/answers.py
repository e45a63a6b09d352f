"""What the models say of real pictures, kept in a folder: a picture that was answered is not read again."""

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import groupby
from math import nan
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from lumbago.anatomy.findings import Finding
from lumbago.anatomy.levels import LEVELS
from lumbago.inference.weights import Card, Model, read_card
from lumbago.labels.picture_slices import LabelledSlice, picture_volume
from lumbago.learning.label_tables import fold_of
from lumbago.learning.places import ModelOf, model_of
from lumbago.pipeline.crop_patches import PatchRecipe
from lumbago.pipeline.grade_patches import crop_votes, disc_outline, predict, why_abstain
from lumbago.pipeline.join_series import join_series
from lumbago.pipeline.locate_discs import LocatedDisc, SpineLocation, channel, locate_discs, read_slice
from lumbago.pipeline.locate_points import locate_foramina
from lumbago.pipeline.measured_features import MEASURES
from lumbago.pipeline.place_patches import ANCHORS, LocatedSpine

FOLDS = 4
CANAL = "spinal_canal_stenosis"
PIXELS, WIDTHS = "pixels", "widths"
DRAWN = {"disc": 29, "vertebra": 76, "canal": 150}
"""Tissues and their grey values in masks."""
OUTLINED = "outlined"
"""Folder of the masks of discs as an analysis outlines them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A disc found on a picture; of a picture without discs one row without level.

    Confidence 0 is of discs that were not seen, but must lie in a gap. Places are (row, column) in pixels of the
    picture, head up. `canal_mm` by the stated pixel size; the ratios are those of `measured_features`. Probabilities of
    the canal's grades on T2 are those of all graders joined; `pixels` and `widths` the expected grades of the one that
    sees the picture and of the one that is given what was measured, each alone; `doubt` is why an analysis would not
    grade there. `foramina` counts those that the picture is found to show.
    """

    name: str
    level: str = ""
    confidence: float = 0.0
    row: float = nan
    column: float = nan
    canal_row: float = nan
    canal_column: float = nan
    canal_mm: float = nan
    canal_ratio: float = nan
    canal_least_ratio: float = nan
    normal_mild: float = nan
    moderate: float = nan
    severe: float = nan
    pixels: float = nan
    widths: float = nan
    doubt: str = ""
    foramina: int = 0

    @property
    def expected(self) -> float:
        """Expected grade, 0 to 2."""
        return self.moderate + 2 * self.severe

    @property
    def probabilities(self) -> tuple[float, float, float]:
        return self.normal_mild, self.moderate, self.severe


Answers = dict[str, list[Answer]]
"""By name of the picture."""


@dataclass(frozen=True)
class Models:
    """The locator of a patient's fold and the graders of canals, none of which has seen him."""

    locator: ModelOf
    graders: tuple[ModelOf, ...]
    cards: tuple[Card, ...]

    @classmethod
    def of(cls, locators: str, graders: Sequence[str]) -> "Models":
        """Folders of models, `{fold}` in them standing for a patient's fold."""

        def fold(patient: str) -> int:
            return fold_of(patient, FOLDS)

        folders = dict.fromkeys(one.format(fold=number) for one in (*graders, locators) for number in range(FOLDS))
        cards = tuple(read_card(Path(folder)) for folder in folders)
        return cls(model_of(locators, fold), tuple(model_of(grader, fold) for grader in graders), cards)

    @property
    def digest(self) -> str:
        """What tells these models from others."""
        return hashlib.sha256("".join(card.sha256 for card in self.cards).encode()).hexdigest()[:8]


def ask(models: Models, rows: Iterable[LabelledSlice], path: Path) -> Answers:
    """Answers by picture, from the table where it has them, else put there."""
    known = read_answers(path)
    for row in rows:
        if row.name not in known:
            graders = [grader(row.patient) for grader in models.graders]
            known[row.name] = answers_of(row, models.locator(row.patient), graders)
            append(path, known[row.name])
    return known


def read_answers(path: Path) -> Answers:
    if not path.is_file():
        return {}
    readers: dict[str, Callable[[str], Any]] = {item.name: type(item.default) for item in fields(Answer)}
    readers["name"] = str
    with path.open(newline="", encoding="utf8") as lines:
        answers = [
            Answer(**{name: read(line[name]) for name, read in readers.items()}) for line in csv.DictReader(lines)
        ]
    return {name: list(found) for name, found in groupby(answers, lambda answer: answer.name)}


def append(path: Path, answers: Sequence[Answer]) -> None:
    """Adds the rows of a whole picture."""
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerows([[item.name for item in fields(Answer)]] * is_new + [list(astuple(one)) for one in answers])


def answers_of(row: LabelledSlice, locator: Model, graders: Sequence[Model]) -> list[Answer]:
    location = locate_discs(locator, picture_volume(row))
    foramina = len(locate_foramina(locator, location))
    graded = canal_answers(location, graders) if row.weighting == "t2" else {}
    found = [_answer(row.name, location, disc, graded.get(disc.level, {}), foramina) for disc in location.discs]
    return found or [Answer(row.name, foramina=foramina)]


def _answer(
    name: str, location: SpineLocation, disc: LocatedDisc, graded: dict[str, float | str], foramina: int
) -> Answer:
    (_, row, column), (_, canal_row, canal_column) = (
        map(float, location.as_stated.to_ijk(place)) for place in (disc.center_lps_mm, disc.canal_lps_mm)
    )
    width = nan if disc.canal_mm is None else disc.canal_mm
    place = (row, column, canal_row, canal_column, width)
    return Answer(name, disc.level, disc.confidence, *place, **graded, foramina=foramina)  # type: ignore[arg-type]


def canal_answers(location: SpineLocation, graders: Sequence[Model]) -> dict[str, dict[str, float | str]]:
    """What is measured and said of the canal by level: by all graders joined, as in an analysis, and by each alone."""
    spine = LocatedSpine({"sagittal_t2": location}, {}, {})
    alone = {WIDTHS if recipe_of(one).is_measured else PIXELS: canal_findings(one, spine) for one in graders}
    found: dict[str, dict[str, float | str]] = {}
    for patch in ANCHORS["canal"](spine):
        if patch.disc.confidence > 0:
            here = {name: findings[patch.level] for name, findings in alone.items()}
            joined = join_series(list(here.values()))
            widths = {
                name: float(patch.measures[MEASURES.index(name)]) for name in ("canal_ratio", "canal_least_ratio")
            }
            single = {name: expected_of(finding.probabilities) for name, finding in here.items()}
            found[patch.level] = {**widths, **joined.probabilities, **single, "doubt": joined.reason or ""}
    return found


def canal_findings(grader: Model, spine: LocatedSpine) -> dict[str, Finding]:
    """What one grader says of every canal that was seen, by level."""
    recipe = recipe_of(grader)
    patches = [patch for patch in ANCHORS[recipe.anchor](spine) if patch.disc.confidence > 0]
    votes = [crop_votes(patch, recipe.place) for patch in patches]
    values = predict(grader, patches, votes).probabilities[CANAL] if patches else ()
    findings = {}
    for patch, vote, chances in zip(patches, votes, values, strict=True):
        grades = {
            name: round(float(chance), 4) for name, chance in zip(grader.card.outputs[CANAL], chances, strict=True)
        }
        doubt = why_abstain(patch, vote[recipe.votes // 2], recipe.place)
        findings[patch.level] = Finding(
            CANAL, patch.level, None, None if doubt else max(grades, key=grades.__getitem__), grades,
            abstained=bool(doubt), reason=doubt or None, trained_on=grader.card.trained_on,
        )  # fmt: skip
    return findings


def recipe_of(grader: Model) -> PatchRecipe:
    return PatchRecipe.of(grader.card.inputs)


def expected_of(probabilities: Mapping[str, float]) -> float:
    """Expected grade, 0 to 2."""
    return sum(number * value for number, value in enumerate(probabilities.values()))


@dataclass(frozen=True)
class Place:
    """A level whose canal was graded on a picture."""

    row: LabelledSlice
    answer: Answer

    @property
    def level(self) -> str:
        return self.answer.level


def places_of(answers: Answers, rows: Iterable[LabelledSlice]) -> list[Place]:
    """The lumbar levels of pictures that have a grade of the canal, withheld or not."""
    return [
        Place(row, one)
        for row in rows for one in answers[row.name] if one.level in LEVELS and not np.isnan(one.normal_mild)
    ]  # fmt: skip


def t2_rows(rows: Iterable[LabelledSlice], source: str) -> list[LabelledSlice]:
    """A source's mid-sagittal T2, without T2-SPACE: one for each patient."""
    return [row for row in rows if row.source == source and row.name.endswith("_t2")]


def draw_tissues(models: Models, rows: Iterable[LabelledSlice], folder: Path) -> None:
    """Writes what the locator draws on every picture as a mask on the picture's own pixels: of the tissues, the one
    with the highest chance, where that is above one half; in `OUTLINED`, the discs as an analysis outlines them."""
    for row in rows:
        if not (folder / OUTLINED / row.image.name).is_file():
            volume = picture_volume(row)
            image = volume.array[0]
            maps = read_slice(models.locator(row.patient), image, (row.spacing_mm, row.spacing_mm))
            size = (image.shape[1], image.shape[0])
            chances = np.stack([_resized(channel(maps, name), size) for name in DRAWN])
            values = np.array([0, *DRAWN.values()], np.uint8)
            best = np.where(chances.max(0) > 0.5, 1 + chances.argmax(0), 0)
            _write(Image.fromarray(values[best]), folder / row.image.name)
            _write(_outlined(locate_discs(models.locator(row.patient), volume)), folder / OUTLINED / row.image.name)


def _outlined(location: SpineLocation) -> Image.Image:
    _, rows, columns = location.as_stated.array.shape
    canvas = Image.new("L", (columns, rows))
    for disc in location.discs:
        corners = location.as_stated.to_ijk(np.array(disc_outline(disc)).reshape(-1, 3))[:, :0:-1]
        if len(corners):
            ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in corners], fill=DRAWN["disc"])
    return canvas


def _write(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    image.save(part, "PNG")
    part.replace(path)


def _resized(chances: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(chances).resize(size, Image.Resampling.BILINEAR))

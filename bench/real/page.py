"""The page that a check writes, and every figure in it as a table."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from lumbago.evaluation.intervals import Score
from lumbago.evaluation.score_tables import short, table_lines
from lumbago.labels.tables import write_table

SPLIT = "out of fold"
_HEAD = ("section", "data", "split", "group", "figure", "value", "low", "high", "places", "patients", "command")


class Sample(NamedTuple):
    """What a figure stands on."""

    section: str
    data: str
    group: str
    places: int
    patients: int


@dataclass
class Page:
    """Text in Markdown, and the figures that it gives.

    Attributes:
        out: the folder that it is written to, with its pictures.
    """

    out: Path
    paragraphs: list[str] = field(default_factory=list)
    figures: list[tuple[Sample, str, Score]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Adds a paragraph."""
        self.paragraphs.append(text)

    def show(self, heads: list[str], rows: list[list[str]]) -> None:
        """Adds a table."""
        self.say("\n".join(table_lines(heads, rows)))

    def put(self, sample: Sample, name: str, score: Score) -> str:
        """Keeps a figure, and gives it as it stands in a cell."""
        self.figures.append((sample, name, score))
        return short(score)

    def write(self, name: str, command: str) -> None:
        (self.out / f"{name}.md").write_text("\n\n".join(self.paragraphs) + "\n", encoding="utf8")
        rows = [
            (
                *(sample.section, sample.data, SPLIT, sample.group, figure),
                *(f"{value:.6g}" for value in (score.value, score.low, score.high)),
                *(sample.places, sample.patients, command),
            )
            for sample, figure, score in self.figures
        ]
        write_table(self.out / f"{name}.csv", _HEAD, rows)

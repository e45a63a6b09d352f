"""A second reader of phantoms: who misjudges sizes a little, so that scores of phantoms have a ceiling beside them."""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from lumbago.anatomy.levels import Side
from lumbago.evaluation.cases import GradedCase
from lumbago.phantom.measure_truth import measure_truth
from lumbago.phantom.reader_noise import read_with_noise
from lumbago.phantom.spine_spec import SpineSpec

Readings = dict[tuple[str, str, Side | None], str]


def with_second_reader(cases: Iterable[GradedCase], folder: Path) -> list[GradedCase]:
    """The cases with what `phantom.reader_noise` reads of the same phantoms, where it reads that condition.

    Args:
        folder: of the phantom studies, `<study>/spine.json`; a study without it has no second reader.
    """

    @cache
    def readings(study: str) -> Readings:
        path = folder / study / "spine.json"
        if not path.is_file():
            return {}
        spine = SpineSpec.from_json(path.read_text(encoding="utf8"))
        return read_with_noise(spine, measure_truth(spine))

    return [
        replace(case, second_reader=readings(case.study).get((case.condition, case.level, case.side))) for case in cases
    ]

"""How graders do on phantom studies, through a whole analysis. Phantom figures say nothing about patients."""

from collections.abc import Iterator
from pathlib import Path

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.dicom.read_study import read_study
from lumbago.errors import UnreadableInput
from lumbago.learning.score_grader import PredictedGrade
from lumbago.pipeline.analyze_study import Models, analyze_study


def predict_phantoms(models: Models, folder: Path) -> list[PredictedGrade]:
    """What the models say of every phantom study in a folder (`<name>/dicom`, `<name>/truth.json`), beside its truth.

    Raises:
        UnreadableInput: no phantom study there.
    """
    truths = sorted(folder.glob("*/truth.json"))
    if not truths:
        raise UnreadableInput(
            f"no phantom study in {folder}", "<name>/dicom and <name>/truth.json", "lumbago phantom DIR"
        )
    with open_decoder() as decoder:
        return [grade for truth in truths for grade in _predict(models, truth, decoder)]


def _predict(models: Models, truth: Path, decoder: Decoder) -> Iterator[PredictedGrade]:
    found = analyze_study(read_study(truth.parent / "dicom", decoder=decoder), models, decoder).findings
    graded = {condition for card in models.cards for condition in card.conditions}
    for wanted in StudyFindings.from_json(truth.read_text(encoding="utf8")).findings:
        if wanted.condition in graded and wanted.grade is not None:
            given = found.find(wanted.condition, wanted.level, wanted.side)
            grades = CONDITIONS[wanted.condition].scale.grades
            values = None if given is None or given.abstained else tuple(given.probabilities[grade] for grade in grades)
            place = f"{wanted.level} {wanted.side}" if wanted.side else wanted.level
            yield PredictedGrade(
                "phantoms",
                truth.parent.name,
                truth.parent.name,
                place,
                wanted.condition,
                grades.index(wanted.grade),
                values,
            )

"""How graders do on phantom studies, through a whole analysis. Phantom figures say nothing about patients."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.decoder import Decoder
from lumbago.dicom.read_study import read_study
from lumbago.errors import UnreadableInput
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.pair_findings import Origin, pair_findings
from lumbago.labels.sources import read_source
from lumbago.pipeline.analyze_study import Models, analyze_study


def phantom_keys(folder: Path) -> list[str]:
    """Keys of the phantoms whose studies lie in a folder: by the seed that each study states.

    Raises:
        UnreadableInput: no phantom study there.
    """
    return [study.patient for study in read_source("phantoms", folder)]


def predict_phantoms(models: Models, folder: Path, decoder: Decoder) -> list[GradedCase]:
    """What the models say of every phantom study in a folder (`<name>/dicom`, `<name>/truth.json`), beside its truth.

    Raises:
        UnreadableInput: no phantom study there.
    """
    truths = sorted(folder.glob("*/truth.json"))
    if not truths:
        raise UnreadableInput(
            f"no phantom study in {folder}", "<name>/dicom and <name>/truth.json", "lumbago phantom DIR"
        )
    return [case for truth in truths for case in _predict(models, truth, decoder)]


def _predict(models: Models, truth: Path, decoder: Decoder) -> Iterator[GradedCase]:
    found = analyze_study(read_study(truth.parent / "dicom", decoder=decoder), models, decoder).findings
    graded = {condition for card in models.cards for condition in card.conditions}
    name = truth.parent.name
    for case in pair_findings(StudyFindings.from_json(truth.read_text(encoding="utf8")), found, Origin("phantoms")):
        if case.condition in graded:
            yield replace(case, patient=name, study=name)

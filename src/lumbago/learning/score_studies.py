"""How graders do on labelled studies, through a whole analysis: patients' or phantoms', whose figures are called so."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Evidence, Finding, StudyFindings
from lumbago.anatomy.levels import LEVELS, Side
from lumbago.dicom.decoder import Decoder
from lumbago.errors import UnreadableInput
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.pair_findings import Origin, pair_findings
from lumbago.labels.labelled_study import LabelledStudy, label
from lumbago.labels.open_study import WITH_HEADERS, open_study
from lumbago.labels.sources import read_source
from lumbago.learning.noisy_readers import with_second_reader
from lumbago.learning.study_samples import MADE, each_usable, is_made, locate_labelled
from lumbago.pipeline.analyze_study import Models, analyze_study
from lumbago.pipeline.grade_patches import grade_patches

Place = tuple[str, str, str, Side | None]
"""Study, condition, level, side."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """What models say of labelled studies.

    Attributes:
        cases: every graded place with the answer, or without one.
        studies: those that were looked at, by name.
        evidence: where places were seen; by the truth where it says so, else by the models.
    """

    cases: list[GradedCase]
    studies: Mapping[str, LabelledStudy]
    evidence: Mapping[Place, Evidence]


def predict_studies(
    studies: Sequence[LabelledStudy], models_of: Callable[[str], Models], decoder: Decoder
) -> Predictions:
    """What the models for a patient say of his studies, beside the labels; a study that cannot be read has no answers.

    Raises:
        UnreadableInput: none of them can be used.
        ModelRefused: a model that has seen a patient.
    """
    cases: list[GradedCase] = []
    evidence: dict[Place, Evidence] = {}
    conditions = {name for study in studies[:1] for card in models_of(study.patient).cards for name in card.conditions}
    wanted = [study for study in studies if any(row.condition in conditions for row in graded(study))]
    for study, found in each_usable(wanted, lambda one: find_grades(one, models_of(one.patient), decoder)):
        cases += [case for case in study_cases(study, found) if case.condition in conditions]
        evidence |= _seen(study.name, (*(found.findings if found else ()), *study.truth.findings))
    return Predictions(cases, {study.name: study for study in wanted}, evidence)


def phantom_keys(folder: Path) -> list[str]:
    """Keys of the phantoms whose studies lie in a folder: by the seed that each study states.

    Raises:
        UnreadableInput: no phantom study there.
    """
    return [study.patient for study in read_source(MADE, folder)]


def predict_phantoms(models: Models, folder: Path, decoder: Decoder) -> Predictions:
    """What the models say of every phantom study in a folder (`<name>/dicom`, `<name>/truth.json`), beside its truth
    and what a reader who misjudges sizes a little says of it.

    Raises:
        UnreadableInput: no phantom study there.
    """
    if not any(folder.glob("*/truth.json")):
        raise UnreadableInput(
            f"no phantom study in {folder}", "<name>/dicom and <name>/truth.json", "lumbago phantom DIR"
        )
    studies = [replace(study, patient=study.name) for study in read_source(MADE, folder)]
    said = predict_studies(studies, lambda _: models, decoder)
    return replace(said, cases=with_second_reader(said.cases, folder))


def find_grades(study: LabelledStudy, models: Models, decoder: Decoder) -> StudyFindings:
    """What an analysis finds in a labelled study; volumes without headers start where their series are chosen.

    Raises:
        UnreadableInput, NotAGrid, MixedPatients: its images cannot be read; NotALumbarStudy: no lumbar spine is seen.
    """
    if any(image.kind in WITH_HEADERS for image in study.images):
        return analyze_study(open_study(study, decoder), models, decoder).findings
    spine = locate_labelled(study, models.locator, decoder)
    findings = tuple(item.finding for item in grade_patches(models.graders, spine))
    return StudyFindings(study.truth.study, (), findings)


def study_cases(study: LabelledStudy, found: StudyFindings | None) -> list[GradedCase]:
    """Every graded place of a study with what was found there; all without an answer when nothing could be."""
    about = found.study if found else study.truth.study
    truth = replace(study.truth, study=about, findings=tuple(graded(study)))
    source = MADE if is_made(about.patient_id) else study.source
    cases = pair_findings(truth, found, Origin(source))
    return [replace(case, patient=study.patient, study=study.name) for case in cases]


def graded(study: LabelledStudy) -> Iterator[Finding]:
    """The known grades of a study, those that absence stands for among them."""
    yield from (row for row in study.truth.findings if row.grade is not None)
    known = {(row.condition, row.level, row.side) for row in study.truth.findings}
    for name, absence in study.absence.items():
        condition = CONDITIONS[name]
        sites = [(name, level, side) for level in LEVELS for side in condition.sides if absence == "negative"]
        yield from (label(*site, condition.scale.grades[0]) for site in sites if site not in known)


def _seen(study: str, findings: Iterable[Finding]) -> dict[Place, Evidence]:
    return {(study, row.condition, row.level, row.side): row.evidence for row in findings if row.evidence is not None}

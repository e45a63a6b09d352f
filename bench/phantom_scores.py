"""How good are grades of phantoms, how good could they be, and what does each series bring?
`make phantom-scores ARGS="PHANTOMS --out DIR"`.

PHANTOMS is a folder of studies by `lumbago phantom`, of seeds that no model has learned from. Every study is analyzed
by the shipped models as a whole, then without some of its series (`SUBSETS`). DIR gets a table of answers for each
(what is there is not asked again) and `phantom-scores.md`: what each series brings to every condition, and the score of
RSNA 2024 beside the best that is possible. That one knows the phantom's true sizes and how far the simulated reader
misjudges them (`phantom.reader_noise`), tells the probability of each grade, and weighs it as the score does; it is
scored, like the models, against what that reader said. All figures are phantom scores. Brackets: 95 % bootstrap over
phantoms. Five minutes for 60 studies and subset on one core.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from math import erf, isfinite, sqrt
from pathlib import Path
from typing import Final

from lumbago.anatomy.conditions import CONDITIONS, ROLES, Role
from lumbago.anatomy.findings import StudyFindings
from lumbago.dicom.decoder import Decoder
from lumbago.evaluation.case_table import read_cases, write_cases
from lumbago.evaluation.cases import GradedCase, by_group
from lumbago.evaluation.figures_of_merit import compare_cases, score_cases
from lumbago.evaluation.rsna_score import GRADE_WEIGHTS, RSNA_CONDITIONS, rsna_scores
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.open_study import open_study
from lumbago.labels.sources import read_source
from lumbago.learning.noisy_readers import with_second_reader
from lumbago.learning.score_studies import study_cases
from lumbago.learning.study_samples import MADE, each_usable
from lumbago.phantom.measure_truth import FAT_SHARE_CUTS, RECESS_CUTS_MM, SAC_RATIO_CUTS, LevelTruth, measure_truth
from lumbago.phantom.reader_noise import CANAL_NOISE, FORAMEN_NOISE, RECESS_NOISE_MM
from lumbago.phantom.sample_spine import sample_spine
from lumbago.pipeline.analyze_study import Models, analyze_study
from lumbago.pipeline.choose_series import choose_series

ALL: Final = "all series"
SUBSETS: Final[Mapping[str, tuple[Role, ...]]] = {
    ALL: ROLES,
    "no axial T2": ("sagittal_t1", "sagittal_t2"),
    "no sagittal T1": ("sagittal_t2", "axial_t2"),
    "sagittal T2 alone": ("sagittal_t2",),
    "sagittal T1 alone": ("sagittal_t1",),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("phantoms", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subsets", nargs="*", default=list(SUBSETS), choices=list(SUBSETS))
    wanted = parser.parse_args()
    studies = [replace(study, patient=study.name) for study in read_source(MADE, wanted.phantoms)]
    tables = {name: answers(name, studies, wanted.out) for name in wanted.subsets}
    lines = [f"{len(studies)} phantoms (computer-made, not patients), {wanted.phantoms.name}.", ""]
    lines += [*series_table(tables), "", *rsna_table(tables[ALL], wanted.phantoms)]
    (wanted.out / "phantom-scores.md").write_text("\n".join(lines) + "\n", encoding="utf8")
    print("\n".join(lines))


def answers(subset: str, studies: Sequence[LabelledStudy], out: Path) -> list[GradedCase]:
    """What the shipped models say of every study that has only the series of a subset, beside the truth."""
    path = out / f"{subset.replace(' ', '-')}.csv"
    if not path.is_file():
        find = partial(found_in, models=Models.load(threads=1), decoder=Decoder(), roles=SUBSETS[subset])
        found = [case for study, told in each_usable(studies, find) for case in study_cases(study, told)]
        out.mkdir(parents=True, exist_ok=True)
        write_cases(found, path)
    return read_cases(path)


def found_in(study: LabelledStudy, models: Models, decoder: Decoder, roles: Sequence[Role]) -> StudyFindings:
    """The findings of a study without the series of other roles."""
    whole = open_study(study, decoder)
    chosen = choose_series(whole).candidates
    kept = [id(candidate.series) for role in roles for candidate in chosen[role]]
    series = tuple(one for one in whole.series if id(one) in kept)
    return analyze_study(replace(whole, series=series), models, decoder).findings


def series_table(tables: Mapping[str, Sequence[GradedCase]]) -> Iterator[str]:
    """Kappa of each condition with all series, and the differences to it without some."""
    groups = {name: by_condition(cases) for name, cases in tables.items()}
    others = [name for name in tables if name != ALL]
    yield f"| kappa | places | {ALL} | {' | '.join(others)} |"
    yield "| --- " * (3 + len(others)) + "|"
    for condition, cases in groups[ALL].items():
        cells = [difference(cases, groups[name].get(condition, [])) for name in others]
        whole = score_cases(cases).get(kappa_of(cases))
        told = f"{whole.value:.3f} [{whole.low:.3f}, {whole.high:.3f}]" if whole and isfinite(whole.value) else "–"
        yield f"| {CONDITIONS[condition].title} | {len(cases)} | {told} | {' | '.join(cells)} |"


def by_condition(cases: Sequence[GradedCase]) -> dict[str, list[GradedCase]]:
    """The cases of every condition of which some were answered."""
    return {
        condition: rows
        for (_, _, condition), rows in by_group(cases).items()
        if any(case.probabilities is not None for case in rows)
    }


def kappa_of(cases: Sequence[GradedCase]) -> str:
    return "linear kappa" if len(cases[0].scale.grades) > 2 else "kappa"


def difference(whole: Sequence[GradedCase], part: Sequence[GradedCase]) -> str:
    """On the places answered in both, and the share of the whole's places that these are."""
    first = {case.key: case for case in part if case.probabilities is not None}
    second = {case.key: case for case in whole if case.probabilities is not None}
    both = [key for key in second if key in first]
    figure = kappa_of(whole)
    gap = compare_cases([first[key] for key in both], [second[key] for key in both]).get(figure) if both else None
    if gap is None:
        return "not graded" if not both else "–"
    if not isfinite(gap.score.value):
        return "–"
    told = f"{gap.score.value:+.3f} [{gap.score.low:+.3f}, {gap.score.high:+.3f}]"
    return told if len(both) > 0.99 * len(second) else f"{told} on {len(both) / len(second):.0%} of them"


def rsna_table(cases: Sequence[GradedCase], folder: Path) -> Iterator[str]:
    """The terms of the score against a reader's grades: of the models, weighed or not, and of who knows all."""
    read = [case for case in with_second_reader(cases, folder) if case.second_reader is not None]
    rows = [replace(case, truth=case.second_reader or case.truth) for case in read]
    best = [replace(case, probabilities=weighed(knowing(case, folder)), called="") for case in rows]
    ours = [replace(case, probabilities=case.probabilities and weighed(case.probabilities)) for case in rows]
    shares = {name: commonest(rows, name) for name in RSNA_CONDITIONS}
    same = [replace(case, probabilities=weighed(shares[case.condition]), called="") for case in rows]
    named = {"the models": rows, "the models, weighed": ours, "best possible": best, "the same for all": same}
    scores = {name: rsna_scores(told) for name, told in named.items()}
    yield f"| score of RSNA 2024, lower is better | {' | '.join(scores)} |"
    yield "| --- " * (1 + len(scores)) + "|"
    for term in scores["best possible"]:
        cells = [f"{row[term].value:.3f} [{row[term].low:.3f}, {row[term].high:.3f}]" for row in scores.values()]
        yield f"| {term} | {' | '.join(cells)} |"


def weighed(probabilities: Sequence[float]) -> tuple[float, ...]:
    """The answer of least expected loss, where severer rows count more."""
    parts = [share * weight for share, weight in zip(probabilities, GRADE_WEIGHTS, strict=True)]
    return tuple(part / sum(parts) for part in parts)


def commonest(cases: Sequence[GradedCase], condition: str) -> tuple[float, ...]:
    """The shares of the grades among these very cases."""
    grades = [case.truth for case in cases if case.condition == condition]
    return tuple(grades.count(grade) / len(grades) for grade in CONDITIONS[condition].scale.grades)


def knowing(case: GradedCase, folder: Path) -> tuple[float, ...]:
    """Probability that the reader, who misjudges a true size by a normal error, says each grade."""
    size, noise, cuts = true_size(case, folder)
    below = [0.5 * (1 + erf((cut - size) / (noise * sqrt(2)))) for cut in cuts]
    shares = (1 - below[0], below[0] - below[1], below[1])
    return tuple(max(share, 1e-6) for share in shares)


def true_size(case: GradedCase, folder: Path) -> tuple[float, float, tuple[float, float]]:
    """What is measured for a condition, how far the reader is off, and the cuts between grades."""
    size, truths = truth_of(folder / case.study / "spine.json")
    level = truths[case.level]
    if case.side is None:
        return level.sac_ratio, CANAL_NOISE, SAC_RATIO_CUTS
    side = level.sides[case.side]
    if case.condition == "neural_foraminal_narrowing":
        return side.fat_share, FORAMEN_NOISE, FAT_SHARE_CUTS
    return side.recess_depth_mm / size, RECESS_NOISE_MM, RECESS_CUTS_MM


@cache
def truth_of(path: Path) -> tuple[float, dict[str, LevelTruth]]:
    """Size of the person, and what was measured of each level."""
    spine = sample_spine(int(json.loads(path.read_text(encoding="utf8"))["seed"]))
    return spine.size, {truth.level: truth for truth in measure_truth(spine)}


if __name__ == "__main__":
    main()

"""Do models that learned from phantoms grade phantoms of another kind? `python bench/other_phantoms.py --out DIR`.

Studies of the same seeds are drawn in each setting of `lumbago.phantom.phantom_settings` and analyzed with the shipped
models as anybody's studies are. Beside what the models reach stand what always the commonest grade reaches, and a
bound: the phantom's reader misjudges sizes by a known spread, so that the best answer to his grades can be computed
from the true sizes. All are phantom scores. DIR gets the studies, `found/`, `other-phantoms.md` and `sheet.png`; what
is there is kept. Ten seconds a study on one core.
"""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import NormalDist

import numpy as np
from phantom_pictures import tile
from PIL import Image

from lumbago.anatomy.conditions import CONDITIONS, Role
from lumbago.anatomy.findings import Finding, Point, StudyFindings
from lumbago.dicom.decoder import Decoder, open_decoder
from lumbago.dicom.read_study import read_study
from lumbago.errors import LumbagoError
from lumbago.evaluation.cases import GradedCase, by_second_reader
from lumbago.evaluation.figures_of_merit import Sample, main_figures, patient_keys
from lumbago.evaluation.intervals import Difference, Score, WeightedFigure, unpaired_differences, weighted_scores
from lumbago.evaluation.metrics import weighted_mean
from lumbago.evaluation.pair_findings import Origin, pair_findings
from lumbago.evaluation.rsna_score import GRADE_WEIGHTS, RSNA_CONDITIONS, rsna_terms
from lumbago.evaluation.score_tables import short, table_lines
from lumbago.learning.noisy_readers import with_second_reader
from lumbago.phantom.measure_truth import FAT_SHARE_CUTS, RECESS_CUTS_MM, SAC_RATIO_CUTS
from lumbago.phantom.phantom_settings import SETTINGS
from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.reader_noise import CANAL_NOISE, FORAMEN_NOISE, RECESS_NOISE_MM
from lumbago.phantom.scan_spine import scan_slices
from lumbago.phantom.spine_spec import SpineSpec
from lumbago.phantom.write_study import WritePlan, write_studies
from lumbago.pipeline.analyze_study import Models, analyze_study

FIGURES = ("linear kappa", "kappa", "balanced accuracy", "accuracy", "accuracy of always the commonest grade",
           "AUC of any change")  # fmt: skip
READ = {
    "spinal_canal_stenosis": ("sac_ratio", SAC_RATIO_CUTS, CANAL_NOISE),
    "neural_foraminal_narrowing": ("fat_share", FAT_SHARE_CUTS, FORAMEN_NOISE),
    "subarticular_stenosis": ("recess_depth_mm", RECESS_CUTS_MM, RECESS_NOISE_MM),
}
"""What the reader of a condition looks at, where it is cut, and by how much he misjudges it."""
NEAR_MM = 4.0
Place = tuple[str, str, str, str | None]


@dataclass(frozen=True)
class Scored:
    """One setting: its studies' cases, the true grades beside what was found; discs as (study, found, found and named
    right); what the best informed answer to the reader would be."""

    cases: list[GradedCase]
    discs: list[tuple[str, float, float]]
    informed: dict[Place, tuple[float, ...]]
    unread: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--studies", type=int, default=60)
    parser.add_argument("--seed", type=int, default=9000)
    parser.add_argument(
        "--settings", default="usual,other", help=f"of {', '.join(SETTINGS)}; NAME@SEED starts elsewhere"
    )
    wanted = parser.parse_args()
    seeds = {name: int(start or wanted.seed) for name, _, start in map(parted, wanted.settings.split(","))}
    models = Models.load()
    with open_decoder() as decoder:
        scored = {
            name: score(wanted.out / name, (wanted.studies, seed), models, decoder) for name, seed in seeds.items()
        }
    command = shlex.join(["python", "bench/other_phantoms.py", *sys.argv[1:]])
    text = "\n".join(page(scored, models, command, seeds)) + "\n"
    (wanted.out / "other-phantoms.md").write_text(text, encoding="utf8")
    draw_sheet(list(seeds), range(wanted.seed, wanted.seed + 8), wanted.out / "sheet.png")
    print(text)


def parted(text: str) -> tuple[str, str, str]:
    return text.partition("@")


# --- studies ---------------------------------------------------------------------------------------------------------


def score(place: Path, drawn: tuple[int, int], models: Models, decoder: Decoder) -> Scored:
    """Draws so many studies from a seed on in the setting that a folder is named by, and analyzes them, but for what
    lies there already."""
    folders = write_studies(place, *drawn, plan=WritePlan(setting=place.name))
    scored = Scored([], [], {}, [])
    for folder in folders:
        found = analyzed(folder, place.parent / "found" / place.name / f"{folder.name}.json", models, decoder)
        truth = StudyFindings.from_json((folder / "truth.json").read_text(encoding="utf8"))
        cases = pair_findings(truth, found, Origin("phantoms"))
        scored.cases.extend(replace(case, patient=folder.name, study=folder.name) for case in cases)
        scored.discs.extend((folder.name, *nearness) for nearness in discs(truth, found))
        size = SpineSpec.from_json((folder / "spine.json").read_text(encoding="utf8")).size
        scored.informed.update((place_of(folder.name, row), informed(row, size)) for row in read_rows(truth))
        if found is None:
            scored.unread.append(folder.name)
    return replace(scored, cases=with_second_reader(scored.cases, place))


def analyzed(folder: Path, kept: Path, models: Models, decoder: Decoder) -> StudyFindings | None:
    """What the models find in a study; None when it is refused."""
    if kept.is_file():
        text = kept.read_text(encoding="utf8")
    else:
        try:
            text = analyze_study(read_study(folder / "dicom", decoder=decoder), models, decoder).findings.to_json()
        except LumbagoError as error:
            print(f"{folder}: {error}", file=sys.stderr)
            text = ""
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(text, encoding="utf8")
    return StudyFindings.from_json(text) if text else None


def discs(truth: StudyFindings, found: StudyFindings | None) -> list[tuple[float, float]]:
    """For each true disc: whether some disc was found at its place in the sagittal plane, and whether that bears its
    name."""
    seen = found.levels if found else ()
    rows = []
    for true in truth.levels:
        near = [
            one for one in seen
            if np.linalg.norm(np.subtract(one.disc_center_lps_mm, true.disc_center_lps_mm)[1:]) <= NEAR_MM
        ]  # fmt: skip
        rows.append((float(bool(near)), float(any(one.level == true.level for one in near))))
    return rows


# --- the reader ------------------------------------------------------------------------------------------------------


def read_rows(truth: StudyFindings) -> list[Finding]:
    return [row for row in truth.findings if row.condition in READ]


def place_of(study: str, row: Finding | GradedCase) -> Place:
    return study, row.condition, row.level, row.side


def informed(row: Finding, size: float) -> tuple[float, ...]:
    """The answer that loses least to a reader's grades when the true size is known."""
    name, (moderate, severe), noise = READ[row.condition]
    seen = NormalDist(row.measurements[name].value / (size if name.endswith("_mm") else 1.0), noise)
    chances = 1 - seen.cdf(moderate), seen.cdf(moderate) - seen.cdf(severe), seen.cdf(severe)
    return weighed(chances)


def weighed(chances: Sequence[float]) -> tuple[float, ...]:
    """Probabilities that the score's weights make of chances."""
    heavy = [max(chance, 1e-9) * weight for chance, weight in zip(chances, GRADE_WEIGHTS, strict=True)]
    return tuple(value / sum(heavy) for value in heavy)


def read_cases(scored: Scored) -> dict[str, list[GradedCase]]:
    """By who answers, cases whose truth is the reader's grade."""
    cases = by_second_reader(scored.cases)
    shares = {name: share_of([case for case in cases if case.condition == name]) for name in READ}
    return {
        "models": cases,
        "knows the sizes": [
            replace(case, probabilities=scored.informed[place_of(case.study, case)], called="") for case in cases
        ],
        "knows the shares": [replace(case, probabilities=shares[case.condition], called="") for case in cases],
    }


def share_of(cases: Sequence[GradedCase]) -> tuple[float, ...]:
    counts = np.bincount([case.truth_index for case in cases], minlength=3) / max(len(cases), 1)
    return weighed(counts.tolist())


# --- figures ---------------------------------------------------------------------------------------------------------

Figures = tuple[dict[str, WeightedFigure], np.ndarray]
"""Figures, and the patient of each row that they weigh."""


def condition_figures(cases: Sequence[GradedCase]) -> Figures:
    """Of the cases of one condition that have an answer."""
    sample = Sample.of(cases)
    figures = {name: figure for name, figure in main_figures(sample).items() if name in FIGURES}
    return figures, sample.patients


def disc_figures(scored: Scored) -> Figures:
    studies = np.array([row[0] for row in scored.discs])
    named = {f"found within {NEAR_MM:g} mm": 1, "found and named right": 2}
    columns = {name: np.array([row[column] for row in scored.discs]) for name, column in named.items()}
    return {name: partial(weighted_mean, own) for name, own in columns.items()}, studies


def loss_figures(cases: Sequence[GradedCase]) -> Figures:
    chosen = [case for case in cases if case.condition in RSNA_CONDITIONS]
    return dict(rsna_terms(chosen)), patient_keys(chosen)


def beside(parts: Mapping[str, Figures]) -> list[list[str]]:
    """A row for each figure: every setting's, and the second less the first."""
    scores: dict[str, dict[str, Score]] = {name: weighted_scores(*part) for name, part in parts.items()}
    first, *others = parts.values()
    change: dict[str, Difference] = {}
    if others:
        change = unpaired_differences(others[0][0], first[0], (others[0][1], first[1]))
    return [
        [figure, *(short(own[figure]) for own in scores.values()), short(change[figure].score) if change else "–"]
        for figure in first[0]
    ]


def page(scored: Mapping[str, Scored], models: Models, command: str, seeds: Mapping[str, int]) -> list[str]:
    names = list(scored)
    heads = ["figure", *names, f"{names[1]} less {names[0]}" if len(names) > 1 else "–"]
    lines = [
        "# Phantoms of other settings", "",
        f"Command: `{command}`. Computer-made studies, not patients: "
        + "; ".join(f"{name}, {len({row[0] for row in scored[name].discs})} from seed {seeds[name]}" for name in seeds)
        + ". Brackets: 95 % bootstrap over studies; differences unpaired. Discs are near in the sagittal plane.", "",
        *(f"- {card.name} {card.version} ({card.sha256[:12]}), from {card.trained_on}" for card in models.cards),
        "", "## Discs", "",
        *table_lines(heads, beside({name: disc_figures(own) for name, own in scored.items()})), "",
        *(f"Refused in {name}: {', '.join(own.unread)}." for name, own in scored.items() if own.unread),
    ]  # fmt: skip
    for condition in CONDITIONS:
        cases = {name: [case for case in own.cases if case.condition == condition] for name, own in scored.items()}
        if any(all(case.probabilities is None for case in rows) for rows in cases.values()):
            continue
        lines += ["", f"## {CONDITIONS[condition].title}", "", *told(cases), ""]
        lines += table_lines(heads, beside({name: condition_figures(rows) for name, rows in cases.items()}))
    lines += ["", "## RSNA 2024 weighted log loss", "", "Against the measured grades, lower is better:", ""]
    lines += table_lines(heads, beside({name: loss_figures(own.cases) for name, own in scored.items()}))
    read = {name: read_cases(own) for name, own in scored.items()}
    for who in next(iter(read.values())):
        lines += ["", f"Against the reader's grades, {who}:", ""]
        lines += table_lines(heads, beside({name: loss_figures(rows[who]) for name, rows in read.items()}))
    return lines + by_scanner(scored)


def by_scanner(scored: Mapping[str, Scored]) -> list[str]:
    """Agreement on the conditions of RSNA 2024 scanner by scanner."""
    lines = ["", "## By scanner: linear kappa (places)", ""]
    rows = []
    for name, own in scored.items():
        makers = {case.study: f"{case.scanner.split()[0]} {case.field_strength_t:g} T" for case in own.cases}
        for maker in sorted(set(makers.values())):
            cases = [case for case in own.cases if makers[case.study] == maker]
            rows.append([name, maker, *(kappa_of([case for case in cases if case.condition == part]) for part in READ)])
    return lines + table_lines(["setting", "scanner", *(CONDITIONS[part].title for part in READ)], rows)


def kappa_of(cases: Sequence[GradedCase]) -> str:
    figures, patients = condition_figures(cases)
    kappa = weighted_scores({"linear kappa": figures["linear kappa"]}, patients)["linear kappa"]
    return f"{short(kappa)} ({len(cases)})"


def told(cases: Mapping[str, Sequence[GradedCase]]) -> list[str]:
    """How many places of each grade, and how many have an answer."""
    rows = []
    for name, own in cases.items():
        grades = own[0].scale.grades
        counts = " / ".join(str(sum(case.truth == grade for case in own)) for grade in grades)
        answered = sum(case.probabilities is not None for case in own)
        rows.append(f"{name}: {answered} of {len(own)} places answered; {' / '.join(grades)}: {counts}.")
    return rows


# --- pictures --------------------------------------------------------------------------------------------------------


def draw_sheet(names: Sequence[str], seeds: Sequence[int], path: Path) -> None:
    """One column a seed; by setting sagittal T1 through the left foramen, sagittal T2 and axial T2 at L4/L5."""
    columns = []
    for seed in seeds:
        tiles = []
        for name in names:
            study = phantom_study(seed, setting=SETTINGS[name])
            place = study.landmarks.disc("L4/L5")
            looks: tuple[tuple[Role, float, Point], ...] = (
                ("sagittal_t1", 260, place.foramen_lps_mm["left"]), ("sagittal_t2", 260, place.canal_lps_mm),
                ("axial_t2", 150, place.canal_lps_mm),
            )  # fmt: skip
            for role, field, point in looks:
                group, index = study.nearest_slice(role, point)
                scan = study.scans[role]
                image = scan_slices(study.spine, scan, group, [index]).volume.array[0]
                tiles.append(tile(image, scan, field))
        columns.append(np.concatenate(tiles))
    Image.fromarray(np.concatenate(columns, axis=1)).save(path)


if __name__ == "__main__":
    main()

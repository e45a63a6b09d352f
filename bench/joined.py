"""What do two graders say together? `python bench/joined.py FIRST.csv SECOND.csv --cards CARDS/FIRST CARDS/SECOND`.

Tables are predictions of the same places, out of fold for instance. Both are given the temperatures of their cards and
joined with the cards' weights, as an analysis joins them; beside the first alone, the second alone and both stand the
paired differences of both less the first. `--series` matches tables of two series by patient and level, the first study
of each patient counting. Brackets: 95 % bootstrap over patients.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.anatomy.findings import Finding
from lumbago.evaluation.calibration import soften
from lumbago.evaluation.case_table import read_cases
from lumbago.evaluation.cases import GradedCase
from lumbago.evaluation.figures_of_merit import compare_cases, score_cases
from lumbago.inference.weights import Card, read_card
from lumbago.pipeline.join_series import join_series

FIGURES = ("linear kappa", "kappa", "AUC of any change", "balanced accuracy", "off by more than one", "log loss")
Key = tuple[str, ...]


def read(path: Path, card: Card, *, of_a_series: bool = False) -> dict[Key, GradedCase]:
    """The answered cases by place, with the card's temperatures. Older tables name a slice where newer ones name a
    study, so that either is taken; tables of different series know neither."""
    cases = {}
    for row in read_cases(path):
        case = replace(row, study="", slice_name="") if of_a_series else row
        if case.probabilities is not None:
            values = soften(np.array([case.probabilities]), card.calibration.get(case.condition, 1.0))[0]
            key = (case.source, case.condition, case.patient, case.study, case.level, case.side or "")
            cases.setdefault(key, replace(case, probabilities=tuple(map(float, values)), called=""))
    return cases


def finding_of(case: GradedCase) -> Finding:
    """An answer as an analysis would give it."""
    assert case.probabilities is not None
    values = dict(zip(case.scale.grades, case.probabilities, strict=True))
    return Finding(case.condition, case.level, case.side, case.scale.called(values), values, trained_on="real")


def joined(cases: Sequence[GradedCase], weights: Sequence[float] = ()) -> GradedCase:
    """One place's answers as one, as an analysis joins them; a lone case stays as it is."""
    if len(cases) == 1 or cases[0].probabilities is None:
        return cases[0]
    found = tuple(join_series([finding_of(case) for case in cases], weights).probabilities.values())
    return replace(cases[0], probabilities=found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs=2)
    parser.add_argument("--cards", type=Path, nargs=2, required=True, help="folders of both models")
    parser.add_argument("--series", action="store_true", help="the tables are of two series of the same patients")
    wanted = parser.parse_args()
    cards = [read_card(folder) for folder in wanted.cards]
    first, second = (
        read(path, card, of_a_series=wanted.series) for path, card in zip(wanted.tables, cards, strict=True)
    )
    both = sorted(set(first) & set(second))
    for source, condition in dict.fromkeys(key[:2] for key in both):
        keys = [key for key in both if key[:2] == (source, condition)]
        rows = {
            cards[0].name: [first[key] for key in keys],
            cards[1].name: [second[key] for key in keys],
            "joined": [joined((first[key], second[key]), [card.weight for card in cards]) for key in keys],
        }
        print(f"{source}, {CONDITIONS[condition].title}, {len(keys)} places")
        for name, cases in rows.items():
            scores = score_cases(cases, brief=True)
            print(f"  {name}: " + "; ".join(f"{figure} {scores[figure]}" for figure in FIGURES if figure in scores))
        gains = compare_cases(rows["joined"], rows[cards[0].name])
        print("  joined less the first: " + "; ".join(f"{name} {gains[name]}" for name in FIGURES if name in gains))


if __name__ == "__main__":
    main()

"""Cases to look at: the surest right ones, the worst, and some at random."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from lumbago.evaluation.cases import GradedCase

PictureOf = Callable[[GradedCase], Image.Image | None]
"""Gives the slice that a case was graded on, or None when it cannot be had."""

EACH: Final = 4


@dataclass(frozen=True, slots=True)
class Shelf:
    """Some cases under a heading."""

    heading: str
    cases: tuple[GradedCase, ...]


def choose_shelves(cases: Sequence[GradedCase], each: int = EACH, seed: int = 0) -> tuple[Shelf, ...]:
    """Cases of one condition that have an answer; each shelf holds another patient's case as long as there are such.

    The best are the surest right answer of each grade in turn, so that they are not all normal; the worst those whose
    true grade was given the least probability; the rest is drawn by `seed`.
    """
    answered = [case for case in cases if case.probabilities is not None]
    drawn = [answered[index] for index in np.random.default_rng(seed).permutation(len(answered))]
    worst = sorted(answered, key=_of_truth)
    right = [case for case in reversed(worst) if case.found_index == case.truth_index]
    rank = dict.fromkeys(answered[0].scale.grades if answered else (), 0)
    turns: list[tuple[int, int, int, GradedCase]] = []
    for case in right:
        turns.append((rank[case.truth], -case.truth_index, len(turns), case))
        rank[case.truth] += 1
    best = [case for *_, case in sorted(turns, key=lambda turn: turn[:3])]
    wrong = [case for case in worst if case.found_index != case.truth_index]
    return (
        Shelf("Worst: least probability for the true grade", _one_a_patient(wrong, each)),
        Shelf("Best: surest right answer of each grade", _one_a_patient(best, each)),
        Shelf(f"Random, seed {seed}", _one_a_patient(drawn, each)),
    )


def picture_size(picture: Image.Image, height_px: int) -> Image.Image:
    """A picture at a height, its shape kept."""
    return picture.convert("RGB").resize((max(1, round(picture.width * height_px / picture.height)), height_px))


def _of_truth(case: GradedCase) -> float:
    return case.probabilities[case.truth_index] if case.probabilities else 0.0


def _one_a_patient(cases: Sequence[GradedCase], most: int) -> tuple[GradedCase, ...]:
    first = {case.patient: case for case in reversed(cases)}
    fresh = [case for case in cases if first[case.patient] is case]
    again = [case for case in cases if first[case.patient] is not case]
    return tuple((fresh + again)[:most])

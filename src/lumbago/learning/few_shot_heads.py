"""Small heads for few patients: linear in the features, so that each becomes the last layer of a grader.

Which head, and how strongly it is held back, is chosen by cross-validation over patients.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from lumbago.errors import SettingsRefused

_FOLDS: Final = 5
_LEAST_PATIENTS: Final = 5
_BIAS_DECAY: Final = 1e-3
"""Enough that a grade that was never seen keeps a finite logit."""

_NEVER: Final = -10.0
"""Logit of a grade without a prototype."""

Weights = Float[Tensor, "grades width"]
Biases = Float[Tensor, " grades"]
Linear = tuple[Weights, Biases]
"""Logits are features @ weights.T + biases."""


@dataclass(frozen=True, eq=False)
class Examples:
    """What one condition is learned from.

    Attributes:
        features: of the graded places; grades: as indices; patients: keys.
        count: number of grades of the scale; given: the head that the frozen network has for the condition, or None.
    """

    features: Float[Tensor, "samples width"]
    grades: Int[Tensor, " samples"]
    patients: Shaped[np.ndarray, " samples"]
    count: int
    given: Linear | None = None

    def of(self, chosen: Shaped[np.ndarray, " samples"]) -> "Examples":
        """Those of some rows, by a mask."""
        mask = torch.from_numpy(chosen)
        return replace(self, features=self.features[mask], grades=self.grades[mask], patients=self.patients[chosen])


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """A row of `HEADS`, how strongly it is held back, and its log loss in cross-validation over so many `patients`."""

    kind: str
    decay: float
    log_loss: float
    patients: int


def _ordinal(examples: Examples, decay: float) -> Linear:
    """One direction along which grades rise, and a threshold between each two: adjacent categories (Agresti 2010)."""
    steps = _steps(examples)
    return _fitted(examples, 1, decay, lambda line: steps * line)


def _logistic(examples: Examples, decay: float) -> Linear:
    """A direction for each grade."""
    return _fitted(examples, examples.count, decay, lambda lines: lines)


def _prototype(examples: Examples, decay: float) -> Linear:
    """The nearer the mean of a grade's examples, the likelier it (Snell et al. 2017); squared distances, divided by
    `decay` times the number of features, give a linear head. A grade without examples is never said."""
    features, grades = examples.features, examples.grades
    scale = 1 / (features.shape[1] * decay)
    is_of = torch.nn.functional.one_hot(grades, examples.count).to(features.dtype)
    means = is_of.T @ features / is_of.sum(0).clamp(min=1)[:, None]
    biases = -means.square().sum(1) * scale / 2
    return means * scale, torch.where(is_of.sum(0) > 0, biases, torch.full_like(biases, _NEVER))


def _adapted(examples: Examples, decay: float) -> Linear:
    """The head that the frozen network has for the condition, moved along one ordinal direction; without one,
    `_ordinal`."""
    steps = _steps(examples)
    weights = examples.given[0] if examples.given is not None else 0.0
    return _fitted(examples, 1, decay, lambda line: weights + steps * line)


HEADS: Final[Mapping[str, tuple[Callable[[Examples, float], Linear], tuple[float, ...]]]] = {
    "adapted": (_adapted, (10.0, 3.0, 1.0, 0.3)),
    "ordinal": (_ordinal, (3.0, 1.0, 0.3, 0.1)),
    "logistic": (_logistic, (1.0, 0.3, 0.1)),
    "prototype": (_prototype, (1.0, 0.3, 0.1)),
}
"""The heads that are tried, and how strongly each is held back: what can learn least comes first."""


def _steps(examples: Examples) -> Float[Tensor, "grades 1"]:
    return (torch.arange(examples.count, dtype=examples.features.dtype) - (examples.count - 1) / 2)[:, None]


def _fitted(examples: Examples, lines: int, decay: float, shape: Callable[[Tensor], Weights]) -> Linear:
    """Least cross-entropy plus decay: convex, so that its start does not matter. Rare grades weigh more, by the
    inverse root of how often they occur, as in the training of whole networks."""
    features, grades = examples.features, examples.grades
    free = torch.zeros(lines, features.shape[1], dtype=features.dtype, requires_grad=True)
    biases = torch.zeros(examples.count, dtype=features.dtype, requires_grad=True)
    often = torch.bincount(grades, minlength=examples.count).clamp(min=1).to(features.dtype) ** -0.5
    weight = often[grades] / often[grades].sum()
    optimizer = torch.optim.LBFGS([free, biases], max_iter=100, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimizer.zero_grad()
        logits = features @ shape(free).T + biases
        each = torch.nn.functional.cross_entropy(logits, grades, reduction="none")
        total = (each * weight).sum() + decay / 2 * free.square().sum() + _BIAS_DECAY / 2 * biases.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(cost)  # type: ignore[no-untyped-call]
    return shape(free.detach()), biases.detach()


def fit_head(examples: Examples, kind: str, decay: float) -> Linear:
    """A head of a kind; its fit sees standardised features, its result takes them as they are."""
    features = examples.features.double()
    mean, spread = features.mean(0), features.std(0, correction=0).clamp(min=1e-6)
    given = examples.given
    if given is not None:
        given = (given[0].double() * spread, given[1].double() + given[0].double() @ mean)
    standard = replace(examples, features=(features - mean) / spread, given=given)
    fit, _ = HEADS[kind]
    lines, biases = fit(standard, decay)
    weights = lines / spread
    return weights.float(), (biases - weights @ mean).float()


def logits_of(head: Linear, features: Float[Tensor, "samples width"]) -> Float[Tensor, "samples grades"]:
    """What a head says."""
    return features @ head[0].T + head[1]


def choose_head(examples: Examples) -> HeadChoice:
    """The first head of `HEADS` whose log loss, on patients that it was not fitted on, is not a standard error above
    the lowest (Breiman et al. 1984): few patients cannot tell more heads apart.

    Raises:
        SettingsRefused: too few patients, or but one grade.
    """
    patients, owner = np.unique(examples.patients, return_inverse=True)
    grades = np.unique(examples.grades.numpy()).size
    if patients.size < _LEAST_PATIENTS or grades < 2:
        raise SettingsRefused(
            f"few-shot training on {patients.size} patients with {grades} different grades",
            f"{_LEAST_PATIENTS} patients or more, and two grades",
        )
    folds = (np.random.default_rng(0).permutation(patients.size) % _FOLDS)[owner]
    tried = [(kind, decay) for kind, (_, decays) in HEADS.items() for decay in decays]
    tried = [(kind, decay) for kind, decay in tried if kind != "adapted" or examples.given is not None]
    losses = np.stack([np.bincount(owner, _left_out_losses(examples, folds, *one)) for one in tried])
    best = losses[losses.sum(1).argmin()]
    more = losses - best
    allowed = np.sqrt(patients.size) * more.std(1, ddof=1)
    chosen = int(np.nonzero(more.sum(1) <= allowed)[0][0])
    kind, decay = tried[chosen]
    return HeadChoice(kind, decay, round(float(losses[chosen].sum() / owner.size), 4), int(patients.size))


def _left_out_losses(
    examples: Examples, folds: Shaped[np.ndarray, " samples"], kind: str, decay: float
) -> Float[np.ndarray, " samples"]:
    losses = np.zeros(folds.size)
    for fold in range(_FOLDS):
        left_out, rest = examples.of(folds == fold), examples.of(folds != fold)
        logits = logits_of(fit_head(rest, kind, decay), left_out.features)
        each = torch.nn.functional.cross_entropy(logits, left_out.grades, reduction="none")
        losses[folds == fold] = each.double().numpy()
    return losses

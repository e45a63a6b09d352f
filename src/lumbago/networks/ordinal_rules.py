"""Rules on measurements as a network: a weighted sum of a few measures, and thresholds on it, one for each grade.

The proportional odds model (McCullagh 1980) for grades with an order: the chance of grade k or less is a logistic curve
of threshold k minus the sum. Grades without an order have a sum each (multinomial logistic regression). A measure that
is not known counts as the usual one. `learning.fit_rules` fits it; nothing in it is trained by gradients.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

Measured = Float[Tensor, "batch measures"]
Logs = Float[Tensor, "batch grades"]
FARTHEST = 4.0
"""In spreads of a measure: what lies farther out counts as if it lay there."""


@dataclass(frozen=True, eq=False)
class Rule:
    """A condition's rule: weights of all measures (0 of those it does not look at), in spreads, and thresholds.

    With order `weights` has one column, and `thresholds`, rising, one fewer than there are grades; without, both have
    one for each grade.
    """

    weights: Float[Tensor, "measures sums"]
    thresholds: Float[Tensor, " borders"]
    has_order: bool


class OrdinalRules(nn.Module):
    """Measures in, logarithms of the chances of all grades of all conditions side by side out.

    Args:
        rules: of each condition.
        mean, spread: of each measure, taken away and divided by.
    """

    mean: Tensor
    spread: Tensor

    def __init__(
        self, rules: Mapping[str, Rule], mean: Float[Tensor, " measures"], spread: Float[Tensor, " measures"]
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.has_order = {name: rule.has_order for name, rule in rules.items()}
        for number, rule in enumerate(rules.values()):
            self.register_buffer(f"weights_{number}", rule.weights)
            self.register_buffer(f"thresholds_{number}", rule.thresholds)

    def scaled(self, measures: Measured) -> Measured:
        """In spreads from the mean; 0 where unknown."""
        known = torch.where(torch.isnan(measures), self.mean, measures)
        return ((known - self.mean) / self.spread).clamp(-FARTHEST, FARTHEST)

    def each(self, measures: Measured) -> list[Tensor]:
        """Logarithms of the chances of each condition in order."""
        scaled = self.scaled(measures)
        found = []
        for number, has_order in enumerate(self.has_order.values()):
            weights, thresholds = getattr(self, f"weights_{number}"), getattr(self, f"thresholds_{number}")
            sums = scaled @ weights
            found.append(ordered_logs(sums, thresholds) if has_order else free_logs(sums, thresholds))
        return found

    def forward(self, measures: Measured) -> Float[Tensor, "batch logits"]:
        """All of them side by side; a softmax of a condition's gives the chances back."""
        return torch.cat(self.each(measures), dim=1)


def ordered_logs(sums: Float[Tensor, "batch 1"], thresholds: Float[Tensor, " borders"]) -> Logs:
    """Logarithms of the chances of grades with an order, from a sum and its rising thresholds.

    The difference of two logistic curves s(b) - s(a) is s(b) s(-a) (1 - exp(a - b)), which keeps its digits far out.
    """
    up_to, beyond = (-nn.functional.softplus(sign * (thresholds[None] - sums)) for sign in (-1, 1))
    between = up_to[:, 1:] + beyond[:, :-1] + torch.log1p(-torch.exp(thresholds[:-1] - thresholds[1:]))
    return torch.cat([up_to[:, :1], between, beyond[:, -1:]], dim=1)


def free_logs(sums: Float[Tensor, "batch grades"], thresholds: Float[Tensor, " grades"]) -> Logs:
    """Logarithms of the chances of grades without an order, from a sum for each."""
    return (sums + thresholds).log_softmax(1)


class OrdinalRulesForExport(nn.Module):
    """What is exported: measures in, one output of logarithms of chances per condition."""

    def __init__(self, rules: OrdinalRules) -> None:
        super().__init__()
        self.rules = rules

    def forward(self, measures: Measured) -> tuple[Tensor, ...]:
        """Logarithms of the chances of each condition in order."""
        return tuple(self.rules.each(measures))

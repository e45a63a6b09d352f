"""A fitted support vector machine as a network, so that it is exported and run like every other and needs no scikit-
learn.

One machine a grade (one against the rest) with the kernel exp(-g |x - v|^2) (Cortes and Vapnik 1995), its decision
made a chance by a logistic curve (Platt 1999); the chances of a condition's grades are made to sum to one. All
machines share one table of vectors. `learning.fit_svm` fits it; nothing in it is trained by gradients.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

Features = Float[Tensor, "batch features"]


@dataclass(frozen=True, eq=False)
class FittedMachines:
    """What a fit leaves, for all grades of all conditions side by side.

    Attributes:
        mean, spread: of each feature, taken away and divided by.
        vectors: support vectors, after that; weights: of each vector in each machine.
        intercepts: of the decisions; slopes, offsets: of the logistic curves.
    """

    mean: Float[Tensor, " features"]
    spread: Float[Tensor, " features"]
    vectors: Float[Tensor, "vectors features"]
    weights: Float[Tensor, "vectors grades"]
    intercepts: Float[Tensor, " grades"]
    slopes: Float[Tensor, " grades"]
    offsets: Float[Tensor, " grades"]


class RbfSvm(nn.Module):
    """Features in, logarithms of the chances of all grades of all conditions side by side out.

    Args:
        heads: number of grades of each condition.
        fitted: the machines.
        gamma: of the kernel.
    """

    mean: Tensor
    spread: Tensor
    vectors: Tensor
    weights: Tensor
    intercepts: Tensor
    slopes: Tensor
    offsets: Tensor

    def __init__(self, heads: Mapping[str, int], fitted: FittedMachines, gamma: float) -> None:
        super().__init__()
        self.heads, self.gamma = dict(heads), gamma
        for name in FittedMachines.__dataclass_fields__:
            self.register_buffer(name, getattr(fitted, name))

    def decisions(self, features: Features) -> Float[Tensor, "batch grades"]:
        """How far on each machine's side of its border."""
        scaled = (features - self.mean) / self.spread
        squares = scaled.square().sum(1)[:, None] + self.vectors.square().sum(1)[None]
        apart = (squares - 2 * scaled @ self.vectors.T).clamp(min=0)
        return torch.exp(-self.gamma * apart) @ self.weights + self.intercepts

    def forward(self, features: Features) -> Float[Tensor, "batch logits"]:
        """Logarithms of the chances; a softmax of a condition's gives the chances back."""
        chances = -nn.functional.softplus(-(self.slopes * self.decisions(features) + self.offsets))
        parts = torch.split(chances, list(self.heads.values()), dim=1)
        return torch.cat([part.log_softmax(1) for part in parts], dim=1)


class RbfSvmForExport(nn.Module):
    """What is exported: features in, one output of logarithms of chances per condition."""

    def __init__(self, machine: RbfSvm) -> None:
        super().__init__()
        self.machine = machine

    def forward(self, features: Features) -> tuple[Tensor, ...]:
        """Logarithms of the chances of each condition in order."""
        return torch.split(self.machine(features), list(self.machine.heads.values()), dim=1)

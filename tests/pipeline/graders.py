"""A grader whose answer follows from what it is shown by a rule that a test can do in its head."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.inference.weights import Card, Model


@dataclass(frozen=True, eq=False)
class RuleGrader(Model):
    """Logits are those of `logits` plus `slope` times the patch's mean in the first view, on the last grade.

    Its activation maps say 1 in the upper left corner for every grade.
    """

    card: Card
    session: Any = None
    logits: dict[str, tuple[float, ...]] = field(default_factory=dict)
    slope: float = 0.0
    seen: list[np.ndarray] = field(default_factory=list)

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self.seen.append(batch)
        outputs = {}
        for name, grades in self.card.outputs.items():
            values = np.tile(np.array(self.logits.get(name, (0.0,) * len(grades)), np.float32), (len(batch), 1))
            values[:, -1] += self.slope * batch[:, :, 0].mean((1, 2, 3))
            outputs[name] = values
        maps = np.zeros((len(batch), sum(map(len, self.card.outputs.values())), 4, 5), np.float32)
        maps[:, :, 0, 0] = 1.0
        return {**outputs, "maps": maps}


def grader(
    *conditions: str,
    anchor: str,
    votes: int = 1,
    slices: int = 1,
    calibration: float = 1.0,
    calls: float | None = None,
    weight: float = 1.0,
    **rule: Any,
) -> RuleGrader:
    """Grades the conditions on patches of 32 x 40 pixels of 0.6 mm; of 1.5 mm where a disc fills so little."""
    outputs = {name: CONDITIONS[name].scale.grades for name in conditions}
    pixel_mm = 1.5 if anchor == "axial_disc" else 0.6
    inputs = {"anchor": anchor, "rows": 32, "columns": 40, "pixel_mm": pixel_mm, "slices": slices, "votes": votes}
    card = Card(
        f"{anchor}-rule", "1", "0" * 64, "grader", "phantoms", "", outputs, inputs,
        dict.fromkeys(conditions, calibration), {}, {} if calls is None else dict.fromkeys(conditions, calls),
        weight,
    )  # fmt: skip
    return RuleGrader(card, **rule)

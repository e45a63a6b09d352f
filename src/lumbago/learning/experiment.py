"""An experiment: one TOML file that holds only differences from these defaults.

Its header comment gives the command, the hours it took and the score it reached.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused

_COARSEST: Final = 16
"""Stride of a grader's coarsest features."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """Settings of one training run.

    Attributes:
        name: name of the model that it makes.
        kind: what is trained, a row of `run_experiment.KINDS`.
        sources: label sources, folders under the data folder.
        phantoms: number of phantom studies that are mixed in; their seeds start at `phantom_seed`.
        phantom_share: share of a batch drawn from phantoms.
        reader_noise: a grader learns phantoms' stenoses as a reader would have graded them, who misjudges sizes a
            little, instead of as measured (`phantom.reader_noise`); what it is scored on stays measured.
        conditions: conditions that a grader learns.
        anchor, patch, pixel_mm, slices, votes: what a grader's patch is, see `PatchRecipe`; `patch` is (rows, columns).
        shift_mm, turn_degrees: spread of the frame's shaking in training, the locator's own error and more.
        members: networks that are trained from different seeds and averaged into one model.
        steps: optimisation steps of each.
        batch: samples per step.
        learning_rate: its highest value; it warms up, then falls as a cosine.
        weight_decay: of AdamW.
        pretrained: start the encoder from ImageNet.
        augmentation: strength of the pictures' change, 1 as usual.
        folds: number of patient-wise folds; `fold` of them is left out, or none when -1.
        fold: the fold that is left out.
        seed: of every random draw.
    """

    name: str
    kind: str
    sources: tuple[str, ...] = ()
    phantoms: int = 0
    phantom_seed: int = 1_000_000
    phantom_share: float = 0.3
    reader_noise: bool = False
    conditions: tuple[str, ...] = ()
    anchor: str = "disc"
    patch: tuple[int, int] = (80, 112)
    pixel_mm: float = 0.6
    slices: int = 1
    votes: int = 1
    shift_mm: float = 1.5
    turn_degrees: float = 4.0
    members: int = 1
    steps: int = 2000
    batch: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    pretrained: bool = True
    augmentation: float = 1.0
    folds: int = 4
    fold: int = -1
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            SettingsRefused: an unknown condition, a patch that the encoder cannot halve, a fold that there is not.
        """
        unknown = sorted(set(self.conditions) - set(CONDITIONS))
        if unknown:
            raise SettingsRefused(
                f"{self.name} names the condition {', '.join(unknown)}", f"some of {', '.join(CONDITIONS)}"
            )
        if len(self.patch) != 2 or any(side < _COARSEST or side % _COARSEST for side in self.patch):
            raise SettingsRefused(
                f"{self.name} has patches of {list(self.patch)} pixels", f"rows and columns, multiples of {_COARSEST}"
            )
        if not -1 <= self.fold < self.folds:
            raise SettingsRefused(
                f"{self.name} is to leave out fold {self.fold} of {self.folds}",
                f"0 to {self.folds - 1}, or -1 for none",
                "change --fold",
            )

    @classmethod
    def read(cls, path: Path, **changes: Any) -> "Experiment":
        """The experiment in a TOML file, with changes on top.

        Raises:
            SettingsRefused: no such file, not TOML, a setting that does not exist, or a value that makes no sense.
        """
        try:
            settings = tomllib.loads(path.read_text(encoding="utf8"))
        except OSError as error:
            raise SettingsRefused(f"no experiment {path}", "a TOML file", "see experiments/") from error
        except ValueError as error:
            raise SettingsRefused(f"{path} is not TOML: {error}", "a TOML file", "see experiments/") from error
        _check_settings(path, settings)
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
        return cls(**{"name": path.stem, **values, **changes})


_TOML_TYPES: Final[Mapping[type, tuple[type, ...]]] = {
    str: (str,), bool: (bool,), int: (int,), float: (float, int), tuple: (list,),
}  # fmt: skip
_TOML_WORDS: Final = {
    str: "a text", bool: "true or false", int: "a whole number", float: "a number", tuple: "a list",
}  # fmt: skip
"""What TOML has for a setting of each type, and what a person calls it."""


def _check_settings(path: Path, settings: dict[str, Any]) -> None:
    known = {item.name: item.default for item in fields(Experiment)}
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise SettingsRefused(f"{path} sets {', '.join(unknown)}", f"some of {', '.join(sorted(known))}")
    if "kind" not in settings:
        raise SettingsRefused(f"{path} does not say what is trained", 'a line like kind = "locator"')
    for name, value in settings.items():
        kind = str if known[name] is MISSING else type(known[name])
        if type(value) not in _TOML_TYPES[kind]:
            raise SettingsRefused(f"{path} sets {name} to {value!r}", _TOML_WORDS[kind])

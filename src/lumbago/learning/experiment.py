"""An experiment: one TOML file that holds only differences from these defaults.

Its header comment gives the command, the hours it took and the score it reached.
"""

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final, TypeVar

from lumbago.anatomy.conditions import CONDITIONS
from lumbago.errors import SettingsRefused
from lumbago.pipeline.crop_patches import PLACE, SEES, VIEWS, PatchRecipe
from lumbago.pipeline.place_patches import ANCHORS

_COARSEST: Final = 16
"""Stride of a grader's coarsest features."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """Settings of one training run.

    Attributes:
        name: name of the model that it makes.
        kind: what is trained, a row of `run_training.TASKS`; what is scored, one of `run_evaluation.SCORERS`.
        sources: label sources, folders under the data folder.
        phantoms: number of phantom studies that are mixed in; their seeds start at `phantom_seed`.
        phantom_share: share of a batch drawn from phantoms.
        reader_noise: a grader learns phantoms' stenoses as a reader would have graded them, who misjudges sizes a
            little, instead of as measured (`phantom.reader_noise`); what it is scored on stays measured.
        conditions: conditions that a grader learns, or that a detector tells of its boxes of discs.
        beside: conditions that a grader learns from its label sources and does not tell, so that its features are good
            for patients' pictures; with phantoms, these alone teach what it tells.
        network: what a grader or a locator is, a row of `grader_network.GRADERS` or of `locator_network.LOCATORS`.
        anchor, patch, pixel_mm, slices, votes, views: what a grader's patch is, see `PatchRecipe`; `patch` is (rows,
            columns). A segmenter has its anchor alone, a row of `segmenter_task.SUBJECTS`: `disc` for axial
            slices at discs, `foramen`.
        sees, also_on: what it has before it at once, see `PatchRecipe`: `places` or `picture` make a sample a study.
        shift_mm, turn_degrees: spread of the frame's shaking in training, the locator's own error and more.
        shift_freedom: degrees of freedom of the shift's Student t, 3 for tails as the locator has; 0 is normal.
        slice_shift_mm: spread of the error of the middle slice; 0 for none.
        resolution: spread of the logarithm of how much larger pixels are; 0 for none.
        sharpening: spread of how much edges are enhanced, in shares of the fine detail; 0 for none. Graders.
        mirror: share of patches shown as of a patient whose left and right are exchanged.
        mixup, cutmix: shares of patches that another one is added to, or cut into; `mix_alpha` of the Beta distribution
            that their shares in the picture come from.
        weight: what its answers count for where they are joined with those of other models, see `Card.weight`.
        members: networks that are trained from different seeds and averaged into one model.
        steps: optimisation steps of each.
        batch: samples per step.
        learning_rate: its highest value; it warms up, then falls as a cosine.
        weight_decay: of AdamW.
        pretrained: start the encoder from ImageNet.
        start: run folder of features learned without labels (kind `pretrain`) that a grader starts from, `{fold}` in it
            standing for the fold that is left out; "" for none.
        feature_layers: stages of `patch_grader.STAGES` that feed a grader's head; `auto` chooses by validation.
        loss: of a grader, a row of `losses.GRADE_LOSSES`.
        class_weights: weight of each grade in the loss, for scales of so many grades; empty weighs all the same.
        precision: of `hardware.PRECISIONS`.
        save_every: steps between checkpoints.
        validate_every: steps between looks at the validation loss, 0 for none.
        patience: looks without a better one after which a run stops, 0 for never; the best weights then count.
        validation_fold: fold whose patients validate instead of training, or none when -1.
        validation_phantoms: phantoms that validate; their seeds follow those of `phantoms`.
        augmentation: strength of the pictures' change, 1 as usual.
        split: CSV table of patients and folds (`lumbago labels split`), beside the experiment; "" for folds by key.
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
    beside: tuple[str, ...] = ()
    network: str = "lite0"
    anchor: str = "disc"
    patch: tuple[int, int] = (80, 112)
    pixel_mm: float = 0.6
    slices: int = 1
    votes: int = 1
    views: str = "three"
    sees: str = PLACE
    also_on: tuple[str, ...] = ()
    shift_mm: float = 1.5
    turn_degrees: float = 4.0
    shift_freedom: float = 0.0
    slice_shift_mm: float = 0.0
    resolution: float = 0.0
    sharpening: float = 0.0
    mirror: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_alpha: float = 0.4
    weight: float = 1.0
    members: int = 1
    steps: int = 2000
    batch: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    pretrained: bool = True
    start: str = ""
    feature_layers: tuple[str, ...] = ("stride_8", "stride_16")
    loss: str = "softened"
    class_weights: tuple[float, ...] = ()
    precision: str = "auto"
    save_every: int = 100
    validate_every: int = 0
    patience: int = 0
    validation_fold: int = -1
    validation_phantoms: int = 0
    augmentation: float = 1.0
    split: str = ""
    folds: int = 4
    fold: int = -1
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            SettingsRefused: an unknown condition, a patch that the encoder cannot halve, a fold that there is not, a
                course of training that cannot be run.
        """
        _check_numbers(self)
        _check_choice(self)
        _check_course(self)
        _check_augmentation(self)

    @property
    def recipe(self) -> PatchRecipe:
        """What a grader's patch is."""
        return PatchRecipe(
            self.anchor, *self.patch, self.pixel_mm, self.slices, self.votes, self.views, self.sees, self.also_on
        )

    @property
    def taught(self) -> tuple[str, ...]:
        """All conditions that a grader learns, those that it tells first."""
        return (*self.conditions, *self.beside)

    @property
    def told_by(self) -> tuple[str, ...]:
        """The label sources that hold what a grader tells: none where they teach what lies beside it alone."""
        return () if self.beside and self.phantoms else self.sources

    @classmethod
    def read(cls, path: Path, **changes: Any) -> "Experiment":
        """The experiment in a TOML file, with changes on top.

        Raises:
            SettingsRefused: no such file, not TOML, a setting that does not exist, or a value that makes no sense.
        """
        settings = read_toml(path)
        settings.pop(SEARCH, None)
        _check_settings(path, settings)
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}
        if values.get("split"):
            values["split"] = str(path.parent / str(values["split"]))
        return cls(**{"name": path.stem, **values, **changes})


_TEACHING: Final[Mapping[str, str]] = {
    "locator": "bodies or boxes or outlines of discs drawn on pictures of known role, or their masks",
    "grader": "graded places, on pictures of sagittal T2, series or volumes, that the locator finds",
    "pretrain": "pictures of known role",
}


def require_samples(experiment: Experiment, samples: Collection[Any]) -> None:
    """Refuses an experiment that has nothing to learn from.

    Raises:
        SettingsRefused: there are no samples.
    """
    if samples:
        return
    if experiment.sources and experiment.kind in _TEACHING:
        raise SettingsRefused(
            f"{experiment.name} finds nothing to learn from in {', '.join(experiment.sources)}",
            _TEACHING[experiment.kind], "see what lumbago labels check says, and docs/how-to/labels.md",
        )  # fmt: skip
    raise SettingsRefused(f"{experiment.name} has nothing to learn from", "sources, phantoms or both")


_Row = TypeVar("_Row")


def of_kind(rows: Mapping[str, _Row], experiment: Experiment) -> _Row:
    """The row of the experiment's kind.

    Raises:
        SettingsRefused: there is no such kind.
    """
    if experiment.kind not in rows:
        raise SettingsRefused(f"{experiment.name} is of kind {experiment.kind!r}", f"one of {', '.join(rows)}")
    return rows[experiment.kind]


SEARCH: Final = "search"
"""The table of an experiment that says what `lumbago train --until good` may change, see `learning.search`."""


def read_toml(path: Path) -> dict[str, Any]:
    """The content of an experiment or of criteria.

    Raises:
        SettingsRefused: no such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf8"))
    except OSError as error:
        raise SettingsRefused(f"no experiment {path}", "a TOML file", "see experiments/") from error
    except ValueError as error:
        raise SettingsRefused(f"{path} is not TOML: {error}", "a TOML file", "see experiments/") from error


_ABOVE_0: Final = ("learning_rate", "pixel_mm")
_FROM_0: Final = ("phantoms", "phantom_seed", "weight_decay", "seed")
_FROM_1: Final = ("folds", "slices", "votes")


def _check_numbers(experiment: Experiment) -> None:
    for names, bound in ((_ABOVE_0, "above 0"), (_FROM_0, "of 0 or more"), (_FROM_1, "of 1 or more")):
        for name in names:
            value = getattr(experiment, name)
            if not (value > 0 or (value == 0 and names is _FROM_0)):
                raise SettingsRefused(f"{experiment.name} has {name} {value}", f"one {bound}")
    if not 0 <= experiment.phantom_share <= 1:
        raise SettingsRefused(f"{experiment.name} has phantom_share {experiment.phantom_share}", "a share of 0 to 1")


def _check_choice(experiment: Experiment) -> None:
    if experiment.anchor not in ANCHORS:
        raise SettingsRefused(f"{experiment.name} has the anchor {experiment.anchor!r}", f"one of {', '.join(ANCHORS)}")
    unknown = sorted(set(experiment.taught) - set(CONDITIONS))
    if unknown:
        raise SettingsRefused(
            f"{experiment.name} names the condition {', '.join(unknown)}", f"some of {', '.join(CONDITIONS)}"
        )
    if experiment.beside:
        _check_beside(experiment)
    if len(experiment.patch) != 2 or any(side < _COARSEST or side % _COARSEST for side in experiment.patch):
        raise SettingsRefused(
            f"{experiment.name} has patches of {list(experiment.patch)} pixels",
            f"rows and columns, multiples of {_COARSEST}",
        )
    if experiment.views not in VIEWS:
        raise SettingsRefused(f"{experiment.name} has the views {experiment.views!r}", f"one of {', '.join(VIEWS)}")
    if experiment.sees not in SEES:
        raise SettingsRefused(f"{experiment.name} is to see a {experiment.sees!r}", f"one of {', '.join(SEES)}")
    if not -1 <= experiment.fold < experiment.folds:
        raise SettingsRefused(
            f"{experiment.name} is to leave out fold {experiment.fold} of {experiment.folds}",
            f"0 to {experiment.folds - 1}, or -1 for none",
            "change --fold",
        )


def _check_beside(experiment: Experiment) -> None:
    is_patch_grader = (experiment.kind, experiment.network, experiment.sees) == ("grader", "lite0", PLACE)
    is_apart = len(set(experiment.taught)) == len(experiment.taught)
    if not (is_patch_grader and is_apart and experiment.sources and experiment.conditions):
        raise SettingsRefused(
            f"{experiment.name} learns {', '.join(experiment.beside)} beside what it tells",
            "a grader of patches, network lite0, that tells other conditions, and label sources",
            "set conditions and sources, or leave out beside",
        )


def _check_course(experiment: Experiment) -> None:
    if min(experiment.steps, experiment.batch, experiment.members, experiment.save_every) < 1:
        raise SettingsRefused(f"{experiment.name} does nothing", "steps, batch, members and save_every of 1 or more")
    if min(experiment.validate_every, experiment.patience, experiment.validation_phantoms) < 0:
        raise SettingsRefused(f"{experiment.name} validates a negative number of times or phantoms", "0 or more")
    if experiment.patience and not experiment.validate_every:
        raise SettingsRefused(f"{experiment.name} has patience but never looks", "validate_every of 1 or more")
    if experiment.validate_every and experiment.validation_fold < 0 and not experiment.validation_phantoms:
        raise SettingsRefused(f"{experiment.name} validates on no one", "validation_fold, validation_phantoms or both")
    if not -1 <= experiment.validation_fold < experiment.folds or (
        experiment.fold >= 0 and experiment.fold == experiment.validation_fold
    ):
        raise SettingsRefused(
            f"{experiment.name} is to validate on fold {experiment.validation_fold} of {experiment.folds}",
            f"0 to {experiment.folds - 1}, and not the fold that is left out for scores",
        )


def _check_augmentation(experiment: Experiment) -> None:
    shares = (experiment.mirror, experiment.mixup, experiment.cutmix, experiment.mixup + experiment.cutmix)
    if not all(0 <= share <= 1 for share in shares):
        raise SettingsRefused(
            f"{experiment.name} mirrors, adds or cuts {experiment.mirror}, {experiment.mixup} and {experiment.cutmix} "
            "of the patches", "shares of 0 to 1, mixup and cutmix together of 1 at most",
        )  # fmt: skip
    spreads = (experiment.shift_mm, experiment.turn_degrees, experiment.slice_shift_mm, experiment.resolution)
    if min(*spreads, experiment.sharpening, experiment.augmentation) < 0:
        raise SettingsRefused(
            f"{experiment.name} has a negative spread", "shift_mm, turn_degrees, slice_shift_mm, resolution, "
            "sharpening and augmentation of 0 or more",
        )  # fmt: skip
    if experiment.weight <= 0:
        raise SettingsRefused(f"{experiment.name} has weight {experiment.weight}", "a weight above 0")
    if experiment.mix_alpha <= 0 or 0 != experiment.shift_freedom <= 2:
        raise SettingsRefused(
            f"{experiment.name} has mix_alpha {experiment.mix_alpha} and shift_freedom {experiment.shift_freedom}",
            "mix_alpha above 0, and shift_freedom above 2 or 0",
        )


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

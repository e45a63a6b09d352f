"""The declared search of an experiment: which settings `--until good` may change, and which it tries next.

The `[search]` table of an experiment names settings with their choices (a list) or their range (`low`, `high`, `log`).
The first try is the experiment as it stands; each further one is what Optuna's TPE (Bergstra et al. 2011) asks for
after the tries so far, which are told to it anew each time: an interrupted search needs but the run's own history.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import SEARCH, Experiment, read_toml

_FIXED: Final = {"name", "kind", "sources", "conditions", "split", "fold", "folds", "validation_fold"}
"""What a search may not change: the task itself, and who judges."""

_ATTEMPTS: Final = 200
_AT_RANDOM: Final = 4

_KINDS: Final = {item.name: type(item.default) for item in fields(Experiment)}

Setting = Mapping[str, Any]
"""Values of the searched settings, by name."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A setting, and by how much the model that it made missed the criteria."""

    setting: Setting
    shortfall: float


def read_search(path: Path) -> dict[str, BaseDistribution]:
    """The search that an experiment declares; choices stand in it as JSON texts.

    Raises:
        SettingsRefused: a setting that does not exist or may not be changed, or no choices.
    """
    table = read_toml(path).get(SEARCH, {})
    known = {item.name for item in fields(Experiment)} - _FIXED
    unknown = sorted(set(table) - known)
    if unknown:
        raise SettingsRefused(f"{path} searches over {', '.join(unknown)}", f"some of {', '.join(sorted(known))}")
    return {name: _distribution(path, name, choices) for name, choices in table.items()}


def _distribution(path: Path, name: str, choices: Any) -> BaseDistribution:
    try:
        if isinstance(choices, dict):
            if _KINDS[name] not in (int, float):
                raise TypeError("no number")
            return (IntDistribution if _KINDS[name] is int else FloatDistribution)(**choices)
        return CategoricalDistribution([json.dumps(_as_set(name, choice)) for choice in choices])
    except (TypeError, ValueError, KeyError) as error:
        raise SettingsRefused(
            f"{path} searches over {name} = {choices!r} ({error})", "a list, or a table of low, high and perhaps log"
        ) from error


def _as_set(name: str, value: Any) -> Any:
    """A value as the setting has it: what may be broken is so, also where TOML has a whole number."""
    return float(value) if _KINDS[name] is float else value


def next_setting(
    search: Mapping[str, BaseDistribution], experiment: Experiment, tried: Sequence[Tried]
) -> dict[str, Any] | None:
    """The setting to try next: first the experiment's own; None when all were tried.

    Raises:
        SettingsRefused: the experiment's own setting is not among those that its search declares.
    """
    own = {name: _as_set(name, getattr(experiment, name)) for name in search}
    if not tried:
        for name, distribution in search.items():
            if not _allows(distribution, own[name]):
                raise SettingsRefused(
                    f"{experiment.name} has {name} = {own[name]!r}, which its search leaves out",
                    "the usual one among it",
                )
        return own
    seen = {_key(row.setting) for row in tried}
    study = _study(search, experiment.seed + len(tried), tried)
    for _ in range(_ATTEMPTS):
        setting = {name: _outer(search[name], value) for name, value in study.ask(dict(search)).params.items()}
        if _key(setting) not in seen:
            return setting
    return None


def _study(search: Mapping[str, BaseDistribution], seed: int, tried: Sequence[Tried]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=_AT_RANDOM))
    for row in tried:
        params = {name: _inner(distribution, row.setting[name]) for name, distribution in search.items()}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=dict(search), value=row.shortfall)
        )  # fmt: skip
    return study


def _allows(distribution: BaseDistribution, value: Any) -> bool:
    if isinstance(distribution, CategoricalDistribution):
        return json.dumps(value) in distribution.choices
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    return bool(distribution.low <= value <= distribution.high)


def _inner(distribution: BaseDistribution, value: Any) -> Any:
    """A setting's value as Optuna has it."""
    return json.dumps(value) if isinstance(distribution, CategoricalDistribution) else value


def _outer(distribution: BaseDistribution, value: Any) -> Any:
    """A setting's value as an experiment has it."""
    if not isinstance(distribution, CategoricalDistribution):
        return value
    choice = json.loads(value)
    return tuple(choice) if isinstance(choice, list) else choice


def _key(setting: Setting) -> str:
    return json.dumps(dict(setting), sort_keys=True)


def told(setting: Setting) -> str:
    """A setting in words."""
    texts = (f"{name} = {'+'.join(value) if isinstance(value, tuple) else value}" for name, value in setting.items())
    return ", ".join(texts) or "the experiment's own settings"

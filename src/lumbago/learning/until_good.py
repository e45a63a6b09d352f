"""`lumbago train --until good`: train, evaluate, judge; while Bad, go on with the next setting of the declared search.

Good is exported, carded, registered, and, where that was approved, deployed. Every decision stands in the run's
`history.jsonl`, from which an interrupted search goes on where it was.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from optuna.distributions import BaseDistribution

from lumbago.errors import SettingsRefused, TrainingDiverged
from lumbago.evaluation.cases import GradedCase
from lumbago.inference.deployed import Reason, deploy, models_in_use, register
from lumbago.inference.weights import load_model
from lumbago.learning.experiment import Experiment
from lumbago.learning.history import History
from lumbago.learning.judge import Criteria, Verdict, judge, read_criteria
from lumbago.learning.keep_data import checked_data, data_digests, keep_data
from lumbago.learning.places import Places
from lumbago.learning.run_evaluation import predict_left_out
from lumbago.learning.run_training import train_model
from lumbago.learning.score_grader import score_grades
from lumbago.learning.search import Setting, Tried, next_setting, read_search, told
from lumbago.learning.train import Progress
from lumbago.learning.write_card import add_scores
from lumbago.settings import Settings

Tell = Callable[[str], None]
"""Called with a sentence about what was decided."""

_NOT_APPROVED: Final = "Not deployed, which was not approved"
_SPENT: Final = "Gave up: none of"
"""How the last sentence of a search begins that more approval, or more tries, would have gone on with."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What is to be reached, and what may be done then.

    Attributes:
        criteria: file of what is Good; tries: settings to try at most.
        home: where a Good model is registered; who: who started this.
        is_approved: whether a Good model may be deployed at once.
    """

    criteria: Path
    tries: int
    home: Path
    who: str
    is_approved: bool


@dataclass(eq=False)
class _Run:
    """A search as it stands: what was asked for, what may be changed, and what happened so far."""

    experiment: Experiment
    places: Places
    aim: Aim
    criteria: Criteria
    search: Mapping[str, BaseDistribution]
    history: History
    show: tuple[Progress, Tell]

    def note(self, event: str, sentence: str, **facts: Any) -> str:
        """Writes a decision down and tells it."""
        self.history.add(event, sentence, **facts)
        self.show[1](sentence)
        return sentence


def run_until_good(
    path: Path, places: Places, aim: Aim, show: tuple[Progress, Tell], *, resume: bool, **changes: Any
) -> str:
    """Searches until a model is Good or the tries are spent; gives the last decision, as a sentence.

    Args:
        show: is told of every step, and of every decision.
        changes: settings of the experiment to be others than in its file.

    Raises:
        SettingsRefused: an experiment, search or criteria that make no sense, or a run folder that is taken.
        ModelRefused, UnreadableInput: as `run_training` and `run_evaluation`.
    """
    experiment = Experiment.read(path, **changes)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingsRefused("a search over several processes", "one", "start it without torchrun")
    if experiment.kind != "grader":
        raise SettingsRefused(
            f"{experiment.name} is a {experiment.kind}", "a grader, which can be judged by its grades"
        )
    if experiment.sources and experiment.fold < 0:
        raise SettingsRefused(f"{experiment.name} leaves out no one to be judged on", "a fold", "add --fold")
    run = _Run(experiment, places, aim, read_criteria(aim.criteria), read_search(path), History(places.run), show)
    _open(run, _digest(path, aim.criteria, changes), resume=resume)
    ended = [str(row["sentence"]) for row in run.history.of("end")[-1:]]
    if ended and not _is_more_asked(run, ended[0]):
        run.show[1](ended[0])
        return ended[0]
    while (number := len(run.history.of("judged"))) < aim.tries or _is_good(run):
        if _is_good(run):
            return _accept(run, number - 1)
        setting = _next(run, number)
        if setting is None:
            return run.note(
                "end", f"Gave up: all settings of the search were tried, {number} in all, and none was Good."
            )
        _try(run, number, setting)
    return run.note("end", f"{_SPENT} {aim.tries} tries was Good.")


def _is_more_asked(run: _Run, ended: str) -> bool:
    """Whether a search that has ended is now given more tries, or the approval that its Good model lacked."""
    if ended.startswith(_NOT_APPROVED):
        return run.aim.is_approved
    return ended.startswith(_SPENT) and len(run.history.of("judged")) < run.aim.tries


def _is_good(run: _Run) -> bool:
    """Whether the last try was Good."""
    return any(row["is_good"] for row in run.history.of("judged")[-1:])


def _digest(path: Path, criteria: Path, changes: Mapping[str, Any]) -> str:
    content = path.read_bytes() + criteria.read_bytes() + repr(sorted(changes.items())).encode()
    return hashlib.sha256(content).hexdigest()


def _open(run: _Run, digest: str, *, resume: bool) -> None:
    """Refuses a folder that holds another search, or one on other data."""
    started, folder = run.history.of("start"), run.places.run
    if started and not resume:
        raise SettingsRefused(f"{folder} holds a search", "an empty folder", "add --resume to go on with it")
    if started and started[0]["digest"] != digest:
        raise SettingsRefused(f"{folder} holds a search by another experiment or criteria", "the same", "change --out")
    keep_data(folder, checked_data(folder, data_digests(run.experiment, run.places), is_begun=bool(started)))
    if not started:
        judges = f"fold {run.experiment.fold}" if run.experiment.sources else "phantom studies, not patients"
        sentence = f"Search for a Good {run.experiment.name}, judged on {judges}, at most {run.aim.tries} tries."
        run.note("start", sentence, digest=digest, who=run.aim.who)


def _next(run: _Run, number: int) -> Setting | None:
    """The setting of a try: that which it was begun with, or a new one."""
    begun = run.history.of("try")
    if len(begun) > number:
        return _as_setting(begun[number]["setting"])
    verdicts = run.history.of("judged")
    tried = [
        Tried(_as_setting(one["setting"]), other["shortfall"]) for one, other in zip(begun, verdicts, strict=True)
    ]  # fmt: skip
    setting = next_setting(run.search, run.experiment, tried)
    if setting is not None:
        which = "the default" if number == 0 else "asked for by the search"
        run.note("try", f"Try {number + 1}, {which}: {told(setting)}.", setting=setting)
    return setting


def _as_setting(row: Mapping[str, Any]) -> Setting:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}


def _folder(run: _Run, number: int) -> Path:
    return run.places.run / f"try-{number + 1}"


def _try(run: _Run, number: int, setting: Setting) -> None:
    """Trains, evaluates and judges a setting; one whose training comes to nothing is Bad."""
    experiment, folder = replace(run.experiment, **setting), _folder(run, number)
    try:
        model = train_model(experiment, replace(run.places, run=folder), run.show[0], resume=True)
    except TrainingDiverged as error:
        worst = 1.0 + len(run.criteria.floors) + (run.criteria.compare is not None)
        _note_verdict(run, number, Verdict(is_good=False, sentences=(f"Bad: {error}",), shortfall=worst))
        return
    predicted = predict_left_out(experiment, run.places, model)
    add_scores(model, score_grades(predicted, folder), run.places.command)
    verdict = judge(run.criteria, predicted, _said_in_use(run))
    _note_verdict(run, number, verdict)


def _said_in_use(run: _Run) -> list[GradedCase] | None:
    """What the model in use says of the cases to be judged on; None when there is none of that name."""
    place = models_in_use(Settings(home=str(run.aim.home))).get(run.experiment.name)
    if place is None or run.criteria.compare is None:
        return None
    return predict_left_out(run.experiment, run.places, place)


def _note_verdict(run: _Run, number: int, verdict: Verdict) -> None:
    missed = [text.removeprefix("Bad: ") for text in verdict.sentences if text.startswith("Bad")]
    kept = [text.removeprefix("Good: ") for text in verdict.sentences if text.startswith("Good")]
    word, reasons = ("Good", kept) if verdict.is_good else ("Bad", missed)
    run.note(
        "judged", f"Try {number + 1} is {word}: {' '.join(reasons)}",
        is_good=verdict.is_good, shortfall=verdict.shortfall, criteria=verdict.sentences,
    )  # fmt: skip


def _accept(run: _Run, number: int) -> str:
    """Registers a Good model, and deploys it where that is approved."""
    model, home = _folder(run, number) / "model", run.aim.home
    reason = Reason(run.aim.who, f"Good by {run.aim.criteria.name} at try {number + 1}")
    checksum = load_model(model.name, model.parent).card.sha256
    place = register(model, home, reason)
    name = run.experiment.name
    if not run.history.of("registered"):
        run.note("registered", f"Registered {name} {checksum[:12]} in {place}.", sha256=checksum)
    if not run.aim.is_approved:
        return run.note("end", f"{_NOT_APPROVED}: lumbago models deploy {name} does it.")
    deploy(model, home, reason)
    return run.note(
        "end", f"Deployed {name} {checksum[:12]}, approved by {run.aim.who}; lumbago models rollback {name} undoes it."
    )

"""What a comparison of systems consists of: every model that must be trained, of which row, on whom, where it lies.

All rows get the same: the same patients in the same folds, and the same minutes of one processor for each model. Rows
that are made of the same network share it. Nothing here runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.pipeline.crop_patches import PICTURE
from lumbago.systems import OURS, Part, System

LOCATING: Final = "spine-locator"
DISCS: Final = "disc-grader"
"""The parts that learn from patients; the others learn from phantoms alone."""

ZONES: Final = ("zone-grader", "axial-disc-grader")
"""What every row with a grader of discs learns beside its own parts, as ours does: herniations and high-intensity zones
on sagittal and on axial slices of phantoms."""

ALL: Final = -1
"""Fold of a model from which no patient is left out."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What every row is given.

    Attributes:
        sources: label sources whose grades are learned together and scored on the patients of the left-out fold.
        folds: number of patient-wise folds.
        locator_minutes, grader_minutes: of one processor, for each model.
        phantoms: number of phantoms that a grader of stenoses learns from, and a locator beside patients.
        experiments: folder of the experiments; out: of the comparison.
    """

    sources: tuple[str, ...]
    folds: int
    locator_minutes: float
    grader_minutes: float
    phantoms: int
    experiments: Path
    out: Path


@dataclass(frozen=True, slots=True)
class Job:
    """A model to be trained.

    Attributes:
        name: of the kind of model, the same in all folds, whose training takes as many steps in each.
        run: its folder; locators: folder of the models that place its patches, `{fold}` the patient's fold.
        minutes: of one processor.
    """

    name: str
    experiment: Experiment
    run: Path
    locators: str
    minutes: float


@dataclass(frozen=True, slots=True)
class Runs:
    """Where the models of a row lie, as patterns: `{fold}` stands for the patient's fold.

    Attributes:
        locator: run folders of its locator.
        grader: of its grader of discs; "" when it has none.
        alone: by source, the run of the grader that has learned from that source alone.
        others: runs of the graders that learn from phantoms, by part.
    """

    locator: str
    grader: str
    alone: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)


def runs_of(system: System, terms: Terms) -> Runs:
    """Where a row's models lie."""
    locator = str(terms.out / "locators" / _locator_name(system) / "{fold}")
    graders = [part for part in system.parts[1:] if not (part.same_as or part.joins or part.draws)]
    is_one_stage = any(part.same_as for part in system.parts)
    place = terms.out / "graders" / system.name
    has_discs = any(part.name == DISCS for part in graders)
    return Runs(
        locator,
        locator if is_one_stage else str(place / DISCS / "{fold}") if has_discs else "",
        {source: str(place / f"{DISCS}-{source}") for source in terms.sources} if has_discs else {},
        {name: str(place / name) for name in (*(part.name for part in graders if part.name != DISCS), *_zones(system))},
    )


def _zones(system: System) -> tuple[str, ...]:
    """The parts of `ZONES` that the row has none of, and learns for the comparison."""
    names = {part.name for part in system.parts if not part.same_as}
    return tuple(name for name in ZONES if name not in names and DISCS in names)


def _locator_name(system: System) -> str:
    """Rows with the same locator share one."""
    part = system.parts[0]
    return OURS if part.borrowed or system.name == OURS else part.network


def plan(systems: Sequence[System], terms: Terms, *, on_phantoms: bool) -> list[list[Job]]:
    """What is to be trained, in stages: locators; graders of the folds; those of one source alone; and, if wished,
    those that learn from phantoms."""
    locators = {job.run: job for system in systems for job in _locator_jobs(system, terms)}
    folds = [job for system in systems for job in _fold_jobs(system, terms)]
    alone = [job for system in systems for job in _alone_jobs(system, terms)]
    made = [job for system in systems for job in _phantom_jobs(system, terms)] if on_phantoms else []
    return [list(locators.values()), folds, alone, made]


def _locator_jobs(system: System, terms: Terms) -> Iterator[Job]:
    name, part = _locator_name(system), system.parts[0]
    path = experiment_file(OURS if name == OURS else system.name, part, terms)
    changes = {"phantoms": terms.phantoms, "folds": terms.folds, "split": ""}
    for fold in range(terms.folds):
        experiment = _read(path, fold=fold, **changes)
        run = terms.out / "locators" / name / str(fold)
        yield Job(f"{name} {LOCATING}", experiment, run, "", terms.locator_minutes)


def _fold_jobs(system: System, terms: Terms) -> Iterator[Job]:
    runs, path = runs_of(system, terms), _disc_experiment(system, terms)
    for fold in range(terms.folds):
        if path is None:
            return
        experiment = _read(path, fold=fold, folds=terms.folds, sources=terms.sources)
        yield _grader_job(f"{system.name} {DISCS}", experiment, runs.grader.format(fold=fold), (runs, terms))


def _alone_jobs(system: System, terms: Terms) -> Iterator[Job]:
    runs, path = runs_of(system, terms), _disc_experiment(system, terms)
    for source, run in runs.alone.items():
        if path is None or len(terms.sources) == 1:
            return
        experiment = _read(path, fold=ALL, folds=terms.folds, sources=(source,))
        yield _grader_job(f"{system.name} {DISCS} {source}", experiment, run, (runs, terms))


def _phantom_jobs(system: System, terms: Terms) -> Iterator[Job]:
    runs = runs_of(system, terms)
    for part in system.parts[1:]:
        if part.name in runs.others and part.name not in _zones(system):
            path = experiment_file(system.name, part, terms)
            experiment = _read(path, phantoms=terms.phantoms, sources=(), beside=())
            yield _grader_job(f"{system.name} {part.name}", experiment, runs.others[part.name], (runs, terms))
    for zone in _zones(system):
        experiment = _by_own_network(system, zone, terms)
        yield _grader_job(f"{system.name} {zone}", experiment, runs.others[zone], (runs, terms))


def _grader_job(name: str, experiment: Experiment, run: str, of: tuple[Runs, Terms]) -> Job:
    runs, terms = of
    return Job(name, experiment, Path(run), f"{runs.locator}/model", terms.grader_minutes)


def _disc_experiment(system: System, terms: Terms) -> Path | None:
    """Of its grader of discs; None of a row without one, or whose locator grades."""
    part = next((part for part in system.parts if part.name == DISCS and not part.same_as), None)
    return experiment_file(system.name, part, terms) if part else None


def _by_own_network(system: System, zone: str, terms: Terms) -> Experiment:
    """Our experiment of a part, with the network and the patch of the row's grader of discs; a picture of the study has
    room for one slice of each place."""
    ours = _read(terms.experiments / f"{zone}.toml", phantoms=terms.phantoms)
    own = _read(experiment_file(system.name, Part(DISCS, ""), terms))
    names = ["network", "views", "sees", "pretrained", "patch", "pixel_mm", "start"]
    names += ["slices"] if own.sees == PICTURE else []
    return replace(ours, **{name: getattr(own, name) for name in names})


def _read(path: Path, **changes: Any) -> Experiment:
    """The experiment as every row is given it: one member, no search of its own."""
    return Experiment.read(path, members=1, validate_every=0, patience=0, validation_fold=-1, **changes)


def experiment_file(row: str, part: Part, terms: Terms) -> Path:
    """Where the experiment of a row's part lies.

    Raises:
        SettingsRefused: it is not there.
    """
    folder = terms.experiments if row == OURS else terms.experiments / "systems" / row
    path = folder / f"{part.name}.toml"
    if not path.is_file():
        raise SettingsRefused(f"no experiment {path}", "the folder of the experiments", "name it by --experiments")
    return path

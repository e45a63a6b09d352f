"""Which patients a run learns from, which ones it validates on, and which ones it leaves out for scores."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from lumbago.errors import SettingsRefused, UnreadableInput
from lumbago.labels.tables import read_table, write_table
from lumbago.learning.experiment import Experiment
from lumbago.learning.label_tables import fold_of, labelled_studies

FoldOf = Callable[[str], int]
"""The fold of a patient."""

TRAIN, VALIDATION, HELD_OUT = "train", "validation", "held_out"
COLUMNS: Final = ("patient", "source", "fold")
_PARTS: Final = ("patient", "source", "part")
_ADVICE: Final = "correct the file, or write it anew by lumbago labels split"


class Membership(NamedTuple):
    """A row of a run's `split.csv`: a patient's key, or `phantom:FIRST-LAST`; the label source; the part."""

    patient: str
    source: str
    part: str


def fold_rule(experiment: Experiment) -> FoldOf:
    """The fold of a patient by the file that the experiment names, else by his key alone.

    Raises:
        SettingsRefused: a file that cannot be used, or has nobody in the fold that is left out; or, when called, a
            patient who is not in it.
    """
    if not experiment.split:
        return lambda patient: fold_of(patient, experiment.folds)
    path = Path(experiment.split)
    table = read_split(path, experiment.folds)
    if experiment.fold >= 0 and experiment.fold not in table.values():
        raise SettingsRefused(
            f"{path} has nobody in fold {experiment.fold}, which is to be left out",
            f"one of the folds {', '.join(map(str, sorted(set(table.values()))))}",
            "change --fold, and set folds to as many as the file holds",
        )

    def fold(patient: str) -> int:
        if patient not in table:
            raise SettingsRefused(f"{path} does not say in which fold {patient} is", "every patient", _ADVICE)
        return table[patient]

    return fold


def read_split(path: Path, folds: int) -> dict[str, int]:
    """Fold by patient, from a table with the columns `patient`, `fold` and others.

    Raises:
        SettingsRefused: not readable, a fold that there is not, or a patient in two folds.
    """
    try:
        rows = read_table(path, ("patient", "fold"))
    except UnreadableInput as error:
        raise SettingsRefused(error.found, "a split, as lumbago labels split writes it", "check the file") from error
    table: dict[str, int] = {}
    for row in rows:
        patient, fold = row["patient"], row["fold"]
        if fold not in map(str, range(folds)):
            raise SettingsRefused(f"{path} has {patient} in fold {fold!r}", f"0 to {folds - 1}", _ADVICE)
        if table.setdefault(patient, int(fold)) != int(fold):
            raise SettingsRefused(f"{path} has {patient} in folds {table[patient]} and {fold}", "one fold", _ADVICE)
    return table


def part_of(experiment: Experiment, fold: int) -> str:
    """What a run does with the patients of a fold."""
    if fold == experiment.fold:
        return HELD_OUT
    return VALIDATION if fold == experiment.validation_fold else TRAIN


def memberships(experiment: Experiment, data: Path) -> Iterator[Membership]:
    """Every patient of the experiment's sources, once for each, and its phantoms as ranges of seeds.

    Raises:
        SettingsRefused: as `fold_rule`. UnreadableInput: a table of a source is not there.
    """
    fold = fold_rule(experiment)
    for source in experiment.sources:
        for patient in dict.fromkeys(study.patient for study in labelled_studies(data, source)):
            yield Membership(patient, source, part_of(experiment, fold(patient)))
    first = experiment.phantom_seed
    for part, count in ((TRAIN, experiment.phantoms), (VALIDATION, experiment.validation_phantoms)):
        if count:
            yield Membership(f"phantom:{first}-{first + count - 1}", "phantoms", part)
        first += count


def is_begun(run: Path) -> bool:
    """Whether a checkpoint lies in a run's folder."""
    return any(run.glob("member-*/checkpoint.pt"))


def write_memberships(run: Path, rows: list[Membership]) -> None:
    """Writes `split.csv` of a run.

    Raises:
        SettingsRefused: the run was begun with another one.
    """
    path = run / "split.csv"
    if is_begun(run) and path.is_file() and read_memberships(run) != rows:
        raise SettingsRefused(
            f"{path} puts patients into other parts than this run", "those that it was begun with", "change --out"
        )
    write_table(path, _PARTS, rows)


def read_memberships(run: Path) -> list[Membership]:
    """The rows of a run's `split.csv`.

    Raises:
        UnreadableInput: it is not there, or is none.
    """
    return [Membership(*(row[name] for name in _PARTS)) for row in read_table(run / "split.csv", _PARTS)]

"""`lumbago submission`: the test studies of RSNA 2024 graded into `submission.csv`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from errno import EISDIR
from glob import escape, glob
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from rich.console import Console

from lumbago.dicom.decoder import open_decoder
from lumbago.errors import UnreadableInput, UsageError
from lumbago.evaluation.rsna_score import RSNA_CONDITIONS
from lumbago.evaluation.rsna_submission import Submission, submit, training_priors, write_submission
from lumbago.inference.deployed import models_in_use
from lumbago.inference.weights import Model, load_model
from lumbago.labels.label_names import names_in
from lumbago.labels.read_rsna import GRADES_TABLE, read_rsna, read_rsna_test
from lumbago.pipeline.analyze_study import GRADERS, LOCATOR
from lumbago.settings import Settings

_FOLD: Final = "{fold}"


def run_submission(rsna: Path, out: Path, wanted: tuple[str, Path | None], console: Console) -> Submission:
    """Writes the submission, and says how many of its rows hold a prior, and why.

    Args:
        rsna: folder of the challenge; test images must be there, `train.csv` need not.
        wanted: run folders of graders (commas between; `{fold}` stands for whatever is there), "" for those in use; and
            the folder of the locator, None for the one in use.

    Raises:
        UnreadableInput: no test studies, tables that cannot be read, no such model.
        ModelRefused: a model that cannot be used.
        UsageError: the file cannot be written.
    """
    _require_writable(out)
    studies = list(read_rsna_test(rsna, names_in(rsna)))
    training = read_rsna(rsna, names_in(rsna)) if (rsna / GRADES_TABLE).is_file() else ()
    models = _models(*wanted)
    with open_decoder() as decoder:
        told = decoder, lambda sentence: console.print(sentence, markup=False)
        submission = submit(studies, models, training_priors(training), told)
    with _writing(out):
        write_submission(out, submission)
    told[1](f"{len(submission.rows)} rows of {len(studies)} studies in {out}, by {_told(models[1])}.")
    for reason, count in submission.priors.items():
        told[1](f"{count} rows hold the prior of the training labels: {reason}.")
    return submission


def _require_writable(out: Path) -> None:
    """Grading takes hours: what cannot be written is told before."""
    with _writing(out):
        if out.is_dir():
            raise IsADirectoryError(EISDIR, "it is a folder")
        out.parent.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=out.parent).close()


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror})", "a file", "choose another --out") from error


def _told(graders: Sequence[Model]) -> str:
    return ", ".join(dict.fromkeys(f"{model.card.name} (trained on {model.card.trained_on})" for model in graders))


def _models(runs: str, locator: Path | None) -> tuple[Model, list[Model]]:
    in_use = models_in_use(Settings.read())
    graders = [folder for part in runs.split(",") if part for folder in _folders(part)]
    chosen = graders or [in_use[name] for name in GRADERS if name in in_use]
    found, *loaded = (load_model(place.name, place.parent) for place in (locator or in_use[LOCATOR], *chosen))
    return found, [model for model in loaded if set(model.card.conditions) & set(RSNA_CONDITIONS)]


def _folders(run: str) -> list[Path]:
    """`RUN/model`, of every fold that is there."""
    parts = [escape(part) for part in run.split(_FOLD)]
    cards = sorted(glob(f"{'[0-9]*'.join(parts)}/model/card.toml"))  # noqa: PTH207 - Path.glob takes no absolute pattern
    found = [Path(card).parent for card in cards]
    if not found:
        raise UnreadableInput(f"no model in {run}", "run folders with a finished model", "train them first")
    return found

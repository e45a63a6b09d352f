"""The commands of those who train and score: labels, train, evaluate, calibrate. Heavy imports stay inside, as in
`cli`."""

import logging
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from lumbago.errors import PartsMissing, UsageError
from lumbago.options import Given, How, Until, Where, Whom, grouped
from lumbago.settings import Settings
from lumbago.terminal import console, user_name

learning_app = typer.Typer()
labels_app = typer.Typer(help="Labels of any source: check, import, export.", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]


@learning_app.command()
@grouped
def train(
    experiment: Annotated[Path, typer.Argument(help="A TOML file, see experiments/.")],
    where: Where,
    how: How,
    goal: Until,
) -> None:
    """Train a network and export it, with its card, to RUN/model; or go on searching until it is Good."""
    _need_training()
    from rich.progress import Progress

    from lumbago.learning.places import Places
    from lumbago.learning.run_training import run_training, training_sentence
    from lumbago.learning.sample_cache import Preparation
    from lumbago.learning.until_good import Aim, run_until_good

    if goal.until not in ("", "good") or bool(goal.until) != (goal.criteria is not None):
        raise UsageError("--until good and --criteria FILE go together", "both or neither")
    if goal.criteria is None and (goal.deploy or goal.tries != Until.tries):
        raise UsageError("--deploy and --tries say nothing of a single training", "--until good beside them")
    is_first = os.environ.get("RANK", "0") == "0"
    with Progress(console=console(), disable=not is_first) as progress:
        bar = progress.add_task("training", total=None)

        def show(step: int, steps: int, loss: float) -> None:
            progress.update(bar, completed=step, total=steps, description=f"loss {loss:.3f}")

        def prepare(what: str, done: int, count: int) -> None:
            progress.update(bar, completed=done, total=count, description=what)

        def tell(sentence: str) -> None:
            if is_first:
                progress.console.print(sentence, markup=False, soft_wrap=True)

        cache = None if where.no_cache else Settings.read(cache=where.cache and str(where.cache)).cache_folder
        places = Places(
            data=where.data, run=where.out, locators=where.locators, threads=where.threads, device=where.device,
            workers=where.workers, command=_own_command(), preparing=Preparation(cache, where.threads, prepare, tell),
            few_shot=where.few_shot,
        )  # fmt: skip
        if goal.criteria is not None:
            aim = Aim(goal.criteria, goal.tries, Settings.read().home_folder, user_name(), is_approved=goal.deploy)
            run_until_good(experiment, places, aim, (show, tell), resume=how.resume, **how.changes)
        else:
            model = run_training(experiment, places, progress=show, resume=how.resume, **how.changes)
    if goal.criteria is None and is_first:
        print(f"{training_sentence(where.out)}. Model in {model}")


@learning_app.command()
@grouped
def evaluate(
    whom: Whom,
    out: Annotated[Path, typer.Option("--out", help="Folder for report.html, tables, figures, predictions.csv.")],
    runs: Annotated[
        str,
        typer.Option(
            "--runs",
            "--cases",
            help="Run folder, {fold} the patient's fold; or made elsewhere: CSV tables of cases (commas between), "
            "one of places, a folder of masks (truth/, found/).",
        ),
    ],
    experiment: Annotated[Path | None, typer.Argument(help="A TOML file, see experiments/; none for a table.")] = None,
    against: Annotated[str, typer.Option(help="With tables: another model's of the same cases (commas between).")] = "",
) -> None:
    """Score models on patients that they have not seen, or any table of cases, with 95 % intervals over patients."""
    if experiment is None or whom.data is None:
        _refuse("a table", {"--on": whom.on, "--fold": whom.fold, "--card": whom.card, "--locators": whom.locators})
        if experiment is not None:
            raise UsageError("an experiment without --data", "the folder of the label sources, or a table alone")
        others = [Path(part) for part in against.split(",") if part]
        _evaluate_tables([Path(part) for part in runs.split(",")], others, out)
        return
    _refuse("an experiment", {"--against": against})
    _need_training()
    from lumbago.learning.places import Places
    from lumbago.learning.run_evaluation import run_evaluation

    sources = tuple(part for part in whom.on.split(",") if part)
    places = Places(data=whom.data, run=out, locators=whom.locators, command=_own_command(), card=whom.card)
    scores = run_evaluation(experiment, places, runs, sources, whom.fold)
    for name, score in scores.items():
        print(f"{name:80} {score}")


@learning_app.command()
@grouped
def compare(
    given: Given,
    rows: Annotated[list[str] | None, typer.Argument(help="Rows of `lumbago systems list`; none for all.")] = None,
) -> None:
    """Train every system with the same budget on the same patients, score them, and write one table of all."""
    _need_training()
    from lumbago.learning.comparison_plan import Terms
    from lumbago.learning.places import Places
    from lumbago.learning.run_comparison import Comparison, run_comparison
    from lumbago.learning.sample_cache import Preparation
    from lumbago.systems import SYSTEMS, find_system

    cache = Settings.read(cache=given.cache and str(given.cache)).cache_folder
    command, terminal = _own_command(), console()
    places = Places(given.data, given.out, threads=1, command=command, preparing=Preparation(cache))
    terms = Terms(
        tuple(part for part in given.labels.split(",") if part), given.folds, given.locator_minutes, given.minutes,
        given.made, given.experiments, given.out,
    )  # fmt: skip
    chosen = tuple(find_system(name) for name in rows or SYSTEMS)

    def tell(what: str, done: int, count: int) -> None:
        terminal.print(f"{done} of {count}: {what}", markup=False)

    wanted = Comparison(chosen, terms, places, given.phantoms, given.processes, command)
    print(f"The results: {run_comparison(wanted, tell)}")


def _refuse(what: str, options: Mapping[str, object]) -> None:
    """What would change nothing is not taken in silence."""
    given = [name for name, value in options.items() if value not in (None, "")]
    if given:
        raise UsageError(f"{', '.join(given)} says nothing of {what}", "see lumbago evaluate --help", "leave it out")


def _evaluate_tables(tables: list[Path], against: list[Path], out: Path) -> None:
    from lumbago.evaluation.place_table import is_place_table

    if tables[0].is_dir() or is_place_table(tables[0]):
        if against or len(tables) > 1:
            raise UsageError("places and masks are scored alone", "one table or folder in --cases, and no --against")
        _evaluate_places(tables[0], out)
        return
    others = [str(table) for table in tables if table.suffix.lower() != ".csv"]
    if others:
        raise UsageError(
            f"there is nothing to score in {', '.join(others)}", "tables that end in .csv, or an experiment with --data"
        )
    _need("matplotlib", "evaluate")
    from lumbago.evaluation.case_table import read_tables
    from lumbago.evaluation.evaluate_cases import evaluate_cases
    from lumbago.evaluation.score_tables import markdown
    from lumbago.evaluation.write_evaluation import pictures_beside, write_evaluation

    evaluation = evaluate_cases(read_tables(tables), read_tables(against))
    page = write_evaluation(evaluation, out, _own_command(), pictures_beside(Path()))
    print(f"{markdown(evaluation, _own_command())}\nThe page: {page}")


def _evaluate_places(found: Path, out: Path) -> None:
    from lumbago.dicom.decoder import open_decoder
    from lumbago.evaluation.mask_folders import read_mask_pairs
    from lumbago.evaluation.place_table import read_places
    from lumbago.evaluation.score_places import score_masks, score_places, write_place_scores

    if found.is_dir():
        with open_decoder() as decoder:
            rows = score_masks(found.name, read_mask_pairs(found, decoder))
    else:
        rows = [row for table in read_places(found) for row in score_places(table)]
    print(write_place_scores(rows, out, _own_command()))


@learning_app.command()
def submission(
    rsna: Annotated[Path, typer.Argument(help="Folder of RSNA 2024: test_images, train.csv for the priors.")],
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.")] = Path("submission.csv"),
    runs: Annotated[
        str, typer.Option(help="Run folders of graders, commas between; {fold} stands for all, averaged.")
    ] = "",
    locator: Annotated[Path | None, typer.Option("--locators", help="Folder of the locator's model.")] = None,
) -> None:
    """Grade the test studies of RSNA 2024 into submission.csv; without --runs by the models in use.

    Exit code: 0 all rows graded; 5 some hold the training prior instead.
    """
    from lumbago.evaluation.submit_rsna import run_submission

    if run_submission(rsna, out, (runs, locator), console()).priors:
        raise typer.Exit(PartsMissing.exit_code)


@learning_app.command()
def calibrate(
    model: Annotated[Path, typer.Argument(help="Folder of a model: model.onnx and card.toml.")],
    cases: Annotated[Path, typer.Option(help="Its predictions.csv on validation patients that it has not seen.")],
    *,
    as_validation: Annotated[
        bool, typer.Option(help="The cases are for validation; none says that it is a test.")
    ] = False,
    only_soften: Annotated[
        bool, typer.Option("--only-soften", help="Keep no temperature below 1: for patients of other sites.")
    ] = False,
    out_of_fold: Annotated[
        bool,
        typer.Option("--out-of-fold", help="The cases are what the models of its folds say of unseen patients."),
    ] = False,
    second_reader: Annotated[
        bool, typer.Option("--second-reader", help="Fit on what the second reader says, as of phantoms.")
    ] = False,
) -> None:
    """Fit temperatures, and from where on a rare grade is called, on validation cases; put them on the model's card."""
    _need("tomli_w", "train")
    from lumbago.evaluation.case_table import read_cases
    from lumbago.evaluation.cases import as_validation as flagged
    from lumbago.evaluation.cases import by_second_reader
    from lumbago.learning.calibrate_card import calibrate_card

    told = by_second_reader(read_cases(cases)) if second_reader else read_cases(cases)
    if not told:
        raise UsageError(f"no case in {cases} has a second reader", "his grades in the column second_reader")
    chosen_on = flagged(told) if as_validation or out_of_fold else told
    for fitted in calibrate_card(
        model, chosen_on, _own_command(), are_out_of_fold=out_of_fold, only_soften=only_soften
    ):
        item, call = fitted.temperature, fitted.call
        verdict = "kept" if item.is_better else "not kept"
        print(f"{item.condition}, {item.data}, {item.patients} patients: temperature x {item.value:.3f}, {verdict}")
        _print_effect(item.before, item.after)
        if call is not None:
            verdict = "kept" if call.is_better else "not kept: kappa does not rise beyond chance"
            print(f"{item.condition}: abnormal called from {call.value:.2f} on, {verdict}")
            _print_effect(call.before, call.after)


def _print_effect(before: Mapping[str, object], after: Mapping[str, object]) -> None:
    for name in before:
        print(f"  {name}: {before[name]} before, {after[name]} after, cross-fitted")


def _own_command() -> str:
    """This command as a card may tell it: without the folders of this machine, in quotes what holds a space."""
    words = [_without_folders(word) for word in sys.argv[1:]]
    return " ".join(["lumbago", *(shlex.quote(word) if word.split() != [word] else word for word in words)])


def _without_folders(argument: str) -> str:
    """An argument, `--option=VALUE` too; tables with commas between stay several."""
    option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
    parts = value.split(",")
    named = parts if all(Path(part).exists() for part in parts) else [value]
    return option + equals + ",".join(map(_end_of_path, named))


def _end_of_path(text: str) -> str:
    path = Path(text)
    if not path.is_absolute() and ".." not in path.parts:
        return text
    return "/".join(path.parts[-2:]) if path.suffix else path.name


def _need_training() -> None:
    _need("torch", "train", "PyTorch")
    _need("matplotlib", "train")
    logging.basicConfig(format="%(message)s")
    logging.getLogger("lumbago").setLevel(logging.INFO)


def _need(module: str, extra: str, name: str = "") -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        what = {"train": "training"}.get(extra, extra)
        raise UsageError(
            f"{name or module} is not installed",
            f"the {what} extra",
            f"pip install '.[{extra}]' in a clone, or make test",
        )


Source = Annotated[str, typer.Argument(help="A label source, see docs/how-to/labels.md.")]
Folder = Annotated[Path, typer.Argument(help="Its folder.")]
Names = Annotated[Path | None, typer.Option("--names", help="TOML file: what your own class names mean.")]


@labels_app.command("check")
def check_source(
    source: Source,
    folder: Folder,
    names: Names = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all that was found.")] = None,
) -> None:
    """Report impossible and suspicious labels. Exit code: 0 none; 3 labels cannot be read; 5 some were found."""
    from lumbago.labels.label_commands import LabelPlace, run_check

    raise typer.Exit(run_check(LabelPlace(source, folder, names), json_file, console()))


@labels_app.command("import")
def import_source(source: Source, folder: Folder, out: Out, names: Names = None) -> None:
    """Write labels in Lumbago's own form. Exit code: 0 all of them; 3 they cannot be read; 5 some were left out."""
    from lumbago.labels.label_commands import LabelPlace, run_import

    raise typer.Exit(run_import(LabelPlace(source, folder, names), out, console()))


@labels_app.command("export")
def export_source(
    source: Source,
    folder: Folder,
    out: Out,
    form: Annotated[str, typer.Option("--format", help="One of coco,yolo,labelme,rsna,csv.")],
    names: Names = None,
) -> None:
    """Write labels in a form of others. Exit code: 0 all of them; 3 they cannot be read; 5 some were left out."""
    from lumbago.labels.label_commands import LabelPlace, run_export

    raise typer.Exit(run_export(LabelPlace(source, folder, names), out, form, console()))


@labels_app.command("split")
def split_sources(
    sources: Annotated[list[str], typer.Argument(help="Label sources, as SOURCE or SOURCE=FOLDER.")],
    out: Annotated[Path, typer.Option("--out", help="The table to write: patient, source, fold.")],
    data: Annotated[Path, typer.Option(help="Folder with the sources' sub-folders.")] = Path(),
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 4,
    seed: Annotated[int, typer.Option(help="Decides among equals.")] = 1,
) -> None:
    """Put patients into folds that are alike in what is graded, for the `split` of an experiment."""
    from lumbago.learning.draw_split import write_split

    named = [source.partition("=") for source in sources]
    if len({name for name, _, _ in named}) < len(named):
        raise UsageError("a label source is named twice", "each once, with one folder")
    places = {name: Path(folder) if folder else data / name for name, _, folder in named}
    counts = write_split(places, folds, seed, out)
    print(f"{sum(counts)} patients in folds of {', '.join(map(str, counts))}: {out}")

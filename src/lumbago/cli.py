"""The command line: parse, call, print. Heavy imports stay inside the commands, so that `--help` is instant."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from lumbago import __version__
from lumbago.errors import LumbagoError, PartsMissing, UsageError
from lumbago.settings import ENVIRONMENT_PREFIX, FORMATS, Settings

if TYPE_CHECKING:
    from rich.console import Console

    from lumbago.write_results import Result

app = typer.Typer(
    help="Reads a lumbar-spine MRI study: how degenerated, level by level, how sure, and where on the image. "
    "Research use, not a diagnosis.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
models_app = typer.Typer(help="The models that are used.", no_args_is_help=True)
app.add_typer(models_app, name="models")
labels_app = typer.Typer(help="Labels of any source: check, import, export.", no_args_is_help=True)
app.add_typer(labels_app, name="labels")

Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
_INTERRUPTED = 130


def main() -> NoReturn:
    """Runs a command; an error of ours is one sentence on stderr and its exit code, never a traceback."""
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:  # all that Typer leaves of Ctrl-C
            raise KeyboardInterrupt
    except LumbagoError as error:
        _complain(str(error))
        code = error.exit_code
    except TyperException as error:
        _complain(f"{error.format_message() or 'No command is given.'} Try: lumbago --help")
        code = UsageError.exit_code
    except (KeyboardInterrupt, Abort):
        _complain("interrupted; what was finished is kept.")
        code = _INTERRUPTED
    except Exception as error:  # the last border: users see a sentence, developers set LUMBAGO_DEBUG
        if os.environ.get("LUMBAGO_DEBUG"):
            raise
        _complain(f"our own fault: {type(error).__name__}: {error}; set LUMBAGO_DEBUG=1 to see where, and report it.")
        code = 1
    sys.exit(code or 0)


def _complain(sentence: str) -> None:
    line = " ".join(sentence.split())
    print(f"lumbago: {line}" if line.endswith(".") else f"lumbago: {line}.", file=sys.stderr)


def _console() -> "Console":
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=100)


@app.command()
def analyze(
    studies: Annotated[list[Path], typer.Argument(help="Folders, zip archives, DICOM or NIfTI files; one study each.")],
    out: Out,
    formats: Annotated[str | None, typer.Option("--format", help=f"What to write, of {','.join(FORMATS)}.")] = None,
    threads: Annotated[int | None, typer.Option(help="Processor threads.")] = None,
) -> None:
    """Grade studies and write DIR/<name>/findings.json, pictures, report.pdf and manifest.json.

    Exit code: 0 whole; 3 cannot be read; 4 not a lumbar MR study; 5 done, with parts missing; 6 model or settings
    refused.
    The highest of the studies' counts.
    """
    chosen = tuple(part.strip() for part in formats.split(",")) if formats else None
    code = _analyze_all(studies, out, Settings.read(formats=chosen, threads=threads))
    if code:
        raise typer.Exit(code)


def _analyze_all(inputs: list[Path], out: Path, settings: Settings) -> int:
    from lumbago.dicom.decoder import open_decoder
    from lumbago.dicom.read_study import read_studies
    from lumbago.pipeline.analyze_study import Models
    from lumbago.write_results import analyze_into

    code, console = 0, _console()
    with open_decoder() as decoder:
        models = (
            Models.load(Path(settings.models), settings.threads)
            if settings.models
            else Models.load(threads=settings.threads)
        )
        for path in inputs:
            try:
                studies = read_studies(path, decoder=decoder)
            except LumbagoError as error:
                _complain(f"{path}: {error}" if len(inputs) > 1 else str(error))
                code = max(code, error.exit_code)
                continue
            if len(studies) > 1:
                console.print(f"\n{path} holds {len(studies)} studies.", markup=False)
            for study in studies:
                result = analyze_into(study, models, decoder, out, settings)
                _show(result, console)
                code = max(code, result.exit_code)
    return code


def _show(result: "Result", console: "Console") -> None:
    if result.error is not None or result.analysis is None:
        _complain(f"{result.name}: {result.error}")
        return
    from lumbago.report.table import findings_report

    patient = result.analysis.findings.study.patient_id
    console.print(f"\n{result.name}{f', patient {patient}' if patient else ''}", style="bold", markup=False)
    console.print(findings_report(result.analysis.findings))
    for file in result.analysis.skipped:
        if file.is_damage:
            _complain(f"{result.name}: left out {file.name}: {file.reason}")
    console.print(f"Written to {result.folder}", markup=False)


@app.command()
def demo(
    out: Out = Path("demo"),
    seed: Annotated[int, typer.Option(help="Which phantom.")] = 37,
) -> None:
    """Make a phantom study, analyze it, compare it with its truth, and show where the report lies."""
    from lumbago.phantom.write_study import write_studies

    console = _console()
    console.print(f"1. Making a phantom study (seed {seed}): sagittal T1, sagittal T2, axial T2 ...")
    (study,) = write_studies(out / "phantom", 1, seed)
    console.print(f"   {study}\n2. Analyzing it ...", markup=False)
    code = _analyze_all([study], out / "result", Settings.read())
    console.print(
        "3. Compared with the phantom's truth. Phantom figures say nothing about patients; models that were trained on "
        "patients do worse here than on them:"
    )
    _compare_with_truth(out / "result" / study.name, study / "truth.json", console)
    console.print(f"\nThe report: {(out / 'result' / study.name / 'report.pdf').resolve()}", markup=False)
    if code not in {0, PartsMissing.exit_code}:
        raise typer.Exit(code)


def _compare_with_truth(result: Path, truth: Path, console: "Console") -> None:
    from lumbago.anatomy.findings import StudyFindings
    from lumbago.report.compare_truth import truth_table

    found = StudyFindings.from_json((result / "findings.json").read_text(encoding="utf8"))
    console.print(truth_table(found, StudyFindings.from_json(truth.read_text(encoding="utf8"))))


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write into.")],
    studies: Annotated[int, typer.Option(help="How many.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first; the others follow.", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="Processes that write studies.", min=1)] = 1,
    formats: Annotated[str, typer.Option("--format", help="What to write, of dicom,nifti,rsna.")] = "dicom",
) -> None:
    """Write phantom studies: a made-up lumbar spine, with its truth. Repeated after a break, it goes on."""
    from rich.progress import Progress

    from lumbago.phantom.write_study import WritePlan, write_studies

    plan = WritePlan(tuple(part.strip() for part in formats.split(",")), workers)
    with Progress(console=_console(), transient=True) as progress:
        bar = progress.add_task("phantoms", total=studies)
        written = write_studies(out, studies, seed, lambda done, _total: progress.update(bar, completed=done), plan)
    print(f"{len(written)} phantom stud{'y' if len(written) == 1 else 'ies'} in {out}")


Data = Annotated[Path, typer.Option(help="Folder with the label sources.")]
Locators = Annotated[str, typer.Option(help="Graders: folder of the locator's model; {fold} is the patient's fold.")]


@app.command()
def train(  # noqa: PLR0917 - typer makes options of them
    experiment: Annotated[Path, typer.Argument(help="A TOML file, see experiments/.")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder of the run: checkpoint, log, model.")],
    locators: Locators = "",
    fold: Annotated[int, typer.Option(help="Fold to leave out, -1 for none.")] = -1,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 2,
) -> None:
    """Train a network and export it, with its card, to RUN/model."""
    _need_training()
    from rich.progress import Progress

    from lumbago.learning.run_experiment import Places, run_training

    places = Places(data=data, run=out, locators=locators, threads=threads, command=_own_command())
    with Progress(console=_console()) as progress:
        bar = progress.add_task("training", total=None)

        def show(step: int, steps: int, loss: float) -> None:
            progress.update(bar, completed=step, total=steps, description=f"loss {loss:.3f}")

        model = run_training(experiment, places, fold, show, resume=resume)
    print(f"Model in {model}")


@app.command()
def evaluate(  # noqa: PLR0917 - typer makes options of them
    out: Annotated[Path, typer.Option("--out", help="Folder for report.html, tables, figures, predictions.csv.")],
    runs: Annotated[
        str,
        typer.Option(
            "--runs", "--cases", help="Run folder, {fold} the patient's fold; or a CSV table of cases made elsewhere."
        ),
    ],
    experiment: Annotated[Path | None, typer.Argument(help="A TOML file, see experiments/; none for a table.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the label sources, or phantom studies.")] = None,
    locators: Locators = "",
    on: Annotated[str, typer.Option(help="Label sources to score on, instead of the experiment's own.")] = "",
    card: Annotated[Path | None, typer.Option(help="Model folder whose card is to hold the scores.")] = None,
    against: Annotated[Path | None, typer.Option(help="With a table: another model's of the same cases.")] = None,
) -> None:
    """Score models on patients that they have not seen, or any table of cases, with 95 % intervals over patients."""
    if experiment is None or data is None:
        _evaluate_table(Path(runs), against, out)
        return
    _need_training()
    from lumbago.learning.run_experiment import Places, run_evaluation

    sources = tuple(part for part in on.split(",") if part)
    places = Places(data=data, run=out, locators=locators, command=_own_command(), card=card)
    scores = run_evaluation(experiment, places, runs, sources)
    for name, score in scores.items():
        print(f"{name:80} {score}")


def _evaluate_table(cases: Path, against: Path | None, out: Path) -> None:
    if cases.suffix != ".csv":
        raise UsageError("there is nothing to score", "an experiment with --data and --runs, or a table in --cases")
    _need("matplotlib", "evaluate")
    from lumbago.evaluation.case_table import read_cases
    from lumbago.evaluation.evaluate_cases import evaluate_cases
    from lumbago.evaluation.score_tables import markdown
    from lumbago.evaluation.write_evaluation import pictures_beside, write_evaluation

    evaluation = evaluate_cases(read_cases(cases), read_cases(against) if against else ())
    page = write_evaluation(evaluation, out, _own_command(), pictures_beside(cases.parent))
    print(f"{markdown(evaluation, _own_command())}\nThe page: {page}")


@app.command()
def calibrate(
    model: Annotated[Path, typer.Argument(help="Folder of a model: model.onnx and card.toml.")],
    cases: Annotated[Path, typer.Option(help="Its predictions.csv on validation patients that it has not seen.")],
    as_validation: Annotated[
        bool, typer.Option(help="The cases are for validation; none says that it is a test.")
    ] = False,
) -> None:
    """Fit the temperature of every condition on validation cases, and put it on the model's card."""
    _need("tomli_w", "train")
    from lumbago.evaluation.case_table import read_cases
    from lumbago.evaluation.cases import as_validation as flagged
    from lumbago.learning.calibrate_card import calibrate_card

    chosen_on = flagged(read_cases(cases)) if as_validation else read_cases(cases)
    for item in calibrate_card(model, chosen_on, _own_command()):
        verdict = "kept" if item.is_better else "not kept: log loss does not fall"
        print(
            f"{item.condition}, {item.data}, {item.patients} patients: temperature x {item.temperature:.3f}, {verdict}"
        )
        for name in item.before:
            print(f"  {name}: {item.before[name]} before, {item.after[name]} after, cross-fitted")


def _own_command() -> str:
    """This command as a card may tell it: without the folders of this machine."""
    return " ".join(["lumbago", *map(_without_folders, sys.argv[1:])])


def _without_folders(argument: str) -> str:
    path = Path(argument)
    if not path.is_absolute() and ".." not in path.parts:
        return argument
    return "/".join(path.parts[-2:]) if path.suffix else path.name


def _need_training() -> None:
    _need("torch", "train", "PyTorch")
    _need("matplotlib", "train")


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

    raise typer.Exit(run_check(LabelPlace(source, folder, names), json_file, _console()))


@labels_app.command("import")
def import_source(source: Source, folder: Folder, out: Out, names: Names = None) -> None:
    """Write labels in Lumbago's own form. Exit code: 0 all of them; 3 they cannot be read; 5 some were left out."""
    from lumbago.labels.label_commands import LabelPlace, run_import

    raise typer.Exit(run_import(LabelPlace(source, folder, names), out, _console()))


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

    raise typer.Exit(run_export(LabelPlace(source, folder, names), out, form, _console()))


def _model_folders() -> list[Path]:
    """Folders of the models in use."""
    from lumbago.errors import ModelRefused
    from lumbago.inference.weights import SHIPPED

    place = Path(Settings.read().models or SHIPPED)
    folders = sorted(path.parent for path in place.glob("*/card.toml"))
    if not folders:
        raise ModelRefused(f"no models in {place}", "folders with card.toml", "install Lumbago again")
    return folders


@models_app.command("list")
def list_models() -> None:
    """Name, version and training of every model in use."""
    from lumbago.inference.weights import read_card

    for folder in _model_folders():
        card = read_card(folder)
        purpose = ", ".join(card.conditions) or "places"
        print(f"{card.name:20} {card.version:8} {card.sha256[:12]}  trained on {card.trained_on}: {purpose}")


@models_app.command("show")
def show_model(name: Annotated[str, typer.Argument(help="Name of a model, see `lumbago models list`.")]) -> None:
    """The card of a model: what it does, what it learned from, what it scores."""
    from lumbago.inference.weights import read_card
    from lumbago.report.model_card import card_page

    folders = {folder.name: folder for folder in _model_folders()}
    if name not in folders:
        raise UsageError(f"there is no model {name}", f"one of {', '.join(folders)}", "see lumbago models list")
    _console().print(card_page(read_card(folders[name])))


@models_app.command("verify")
def verify_models() -> None:
    """Check every model in use against its checksum and its golden pair."""
    from lumbago.inference.weights import load_model

    for folder in _model_folders():
        load_model(folder.name, folder.parent)
        print(f"{folder.name}: as on its card")


@app.command()
def info() -> None:
    """Version, models and settings in force."""
    print(f"lumbago {__version__}, Python {sys.version.split()[0]}")
    settings = Settings.read()
    for item in settings.__dataclass_fields__.values():
        variable = ENVIRONMENT_PREFIX + item.name.upper()
        print(f"{item.name} = {getattr(settings, item.name)!r}  # {item.metadata['help']}; set by {variable}")
    print(f"models in {_model_folders()[0].parent}:")
    list_models()

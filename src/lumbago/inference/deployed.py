"""Which models are in use: the shipped ones, and in their place those that were deployed here.

Under `LUMBAGO_HOME/models` lie the registered models, `<name>/<first 12 digits of the checksum>/`, and `registry.json`,
which says what happened to them, in order: that one file is replaced whole by every change, so a kill leaves the old
state or the new one. Which model is deployed follows from the history: to roll back is to take the last deployment of
that name back.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lumbago.errors import ModelRefused, UsageError
from lumbago.inference.weights import SHIPPED, load_model, read_card
from lumbago.settings import Settings
from lumbago.systems import OURS, System

_REGISTRY: Final = "registry.json"
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Reason:
    """Who changes something, and why."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to a model: `action` is `register`, `deploy` or `rollback`; with the last, `sha256` is that of the
    model deployed from then on, "" for the shipped one."""

    when: str
    who: str
    action: str
    name: str
    sha256: str
    why: str


@dataclass(frozen=True, slots=True)
class Registry:
    """Registered and deployed models.

    Attributes:
        folder: where they lie; history: all that happened to them, oldest first.
    """

    folder: Path
    history: tuple[Change, ...]

    def deployments(self, name: str) -> list[str]:
        """Checksums of the deployments of a name that were not taken back; the last is in use."""
        standing: list[str] = []
        for change in self.history:
            if change.name == name and change.action == "deploy":
                standing.append(change.sha256)
            elif change.name == name and change.action == "rollback":
                standing.pop()
        return standing

    @property
    def deployed(self) -> dict[str, Path]:
        """Folder of the deployed model by name."""
        last = {name: self.deployments(name) for name in dict.fromkeys(change.name for change in self.history)}
        return {name: self.place(name, standing[-1]) for name, standing in last.items() if standing}

    def place(self, name: str, sha256: str) -> Path:
        """Folder of a registered model."""
        return self.folder / name / sha256[:_DIGITS]

    def newest(self, name: str) -> Path:
        """Folder of the model last registered under a name.

        Raises:
            UsageError: there is none.
        """
        found = [change for change in self.history if (change.name, change.action) == (name, "register")]
        if not found:
            names = sorted({change.name for change in self.history}) or ["none"]
            raise UsageError(f"no model {name} is registered", f"a folder, or one of {', '.join(names)}")
        return self.place(name, found[-1].sha256)


def read_registry(home: Path) -> Registry:
    """The registry of a home; an empty one where there is none yet.

    Raises:
        ModelRefused: the file is not what was written.
    """
    path = home / "models" / _REGISTRY
    if not path.is_file():
        return Registry(path.parent, ())
    try:
        rows = json.loads(path.read_text(encoding="utf8"))["history"]
        return Registry(path.parent, tuple(Change(**row) for row in rows))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelRefused(f"{path} is not readable ({error})", "a registry of models", "put it aside") from error


def register(model: Path, home: Path, reason: Reason) -> Path:
    """Proves a model and copies it into the home; gives its folder there. Registering it again changes nothing, unless
    its card has changed since: a calibration stands there, not in the weights.

    Raises:
        ModelRefused: it does not do what its card says.
    """
    card = load_model(model.name, model.parent).card
    registry = read_registry(home)
    place = registry.place(card.name, card.sha256)
    is_there = (place / "card.toml").is_file() and read_card(place) == card
    if not is_there:
        _put(model, place)
    what = ("register", card.name, card.sha256)
    if not (is_there and any((row.action, row.name, row.sha256) == what for row in registry.history)):
        _append(registry, reason, what)
    return place


def deploy(model: Path, home: Path, reason: Reason) -> Path:
    """Registers a model, and lets it take the place of the shipped one of its name from now on; gives its folder.

    Raises:
        ModelRefused: it does not do what its card says, or not what the shipped one of its name is for.
    """
    card = read_card(model)
    shipped = {folder.name: read_card(folder) for folder in _cards(SHIPPED)}
    if card.name not in shipped:
        raise ModelRefused(
            f"an analysis uses no model {card.name}", f"one of {', '.join(shipped)}", "set its name in the experiment"
        )
    if (card.kind, dict(card.outputs)) != (shipped[card.name].kind, dict(shipped[card.name].outputs)):
        raise ModelRefused(
            f"{card.name} gives {', '.join(card.outputs)} there", f"the same outputs as the shipped {card.name}"
        )
    place = register(model, home, reason)
    registry = read_registry(home)
    if registry.deployments(card.name)[-1:] != [card.sha256]:
        _append(registry, reason, ("deploy", card.name, card.sha256))
    return place


def roll_back(name: str, home: Path, reason: Reason) -> Path:
    """Takes the last deployment of a name back; gives the folder of the model in use from now on.

    Raises:
        UsageError: nothing of that name is deployed.
        ModelRefused: the model before it is gone or damaged.
    """
    registry = read_registry(home)
    standing = registry.deployments(name)
    if not standing:
        raise UsageError(f"no model {name} is deployed", f"one of {', '.join(registry.deployed) or 'none'}")
    before = standing[-2] if len(standing) > 1 else ""
    place = registry.place(name, before) if before else SHIPPED / name
    load_model(place.name, place.parent)
    _append(registry, reason, ("rollback", name, before))
    return place


def add_model(system: System, run: Path, home: Path) -> Path:
    """Proves the model of a run, `run/model` or `run` itself, and copies it to where `models_of` looks for a part of a
    system; one that is already there gives way. Gives its folder.

    Raises:
        ModelRefused: it does not do what its card says, or is no part of the system, or made of another network.
    """
    folder = run if (run / "card.toml").is_file() else run / "model"
    card = load_model(folder.name, folder.parent).card
    parts = {part.name: part for part in system.parts if part.is_own and system.name != OURS}
    if card.name not in parts:
        raise ModelRefused(
            f"{card.name} is no model of its own of the system {system.name}", f"one of {', '.join(parts) or 'none'}",
            "models of our own row are deployed, see lumbago models deploy",
        )  # fmt: skip
    found, wanted = card.proof.get("network", {}).get("name", "another"), parts[card.name].network
    if wanted and found != wanted:
        raise ModelRefused(f"{folder} holds the network {found}", f"{wanted}, as the system {system.name} has")
    place = home / "systems" / system.name / card.name
    _put(folder, place)
    return place


def _put(model: Path, place: Path) -> None:
    """Copies a model's folder as a whole or not at all; one that is already there gives way."""
    part = place.with_name(f"{place.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(model, part)
    old = place.with_name(f"{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.replace(old)
    part.replace(place)
    shutil.rmtree(old, ignore_errors=True)


def models_in_use(settings: Settings) -> dict[str, Path]:
    """Folder of each model in use, by name: those in the folder of the settings, or else the shipped ones with the
    deployed ones in their place.

    Raises:
        ModelRefused: there are none.
    """
    if settings.models:
        folders = {folder.name: folder for folder in _cards(Path(settings.models))}
    else:
        folders = {folder.name: folder for folder in _cards(SHIPPED)} | read_registry(settings.home_folder).deployed
    if not folders:
        place = settings.models or SHIPPED
        raise ModelRefused(f"no models in {place}", "folders with card.toml", "install Lumbago again")
    return folders


def models_of(system: System, settings: Settings) -> dict[str, Path]:
    """Folder of each model of a system, in the order of its row: ours and borrowed ones as `models_in_use` gives them,
    others' from `LUMBAGO_HOME/systems/<row>`, or else as shipped. A part that is the same as another has its folder.

    Raises:
        ModelRefused: one of another system is not there.
    """
    in_use, ours = models_in_use(settings), Path(settings.models or SHIPPED)
    return {
        part.name: in_use.get(part.name, ours / part.name)
        if part.borrowed or system.name == OURS
        else _place(system.name, part.same_as or part.name, settings.home_folder / "systems")
        for part in system.parts
    }


def _place(system: str, name: str, made_here: Path) -> Path:
    found = [place for place in (made_here / system / name, SHIPPED / system / name) if (place / "card.toml").is_file()]
    if not found:
        raise ModelRefused(
            f"the model {name} of the system {system} is not here",
            f"a model folder {made_here / system / name}",
            "train it, see docs/how-to/systems.md",
        )
    return found[0]


def _cards(folder: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(folder.glob("*/card.toml")))


def _append(registry: Registry, reason: Reason, what: tuple[str, str, str]) -> None:
    """Replaces the registry by one with a change more."""
    action, name, sha256 = what
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rows = [*registry.history, Change(now, reason.who, action, name, sha256, reason.why)]
    content: Mapping[str, object] = {"schema": "lumbago/models/1", "history": [asdict(row) for row in rows]}
    registry.folder.mkdir(parents=True, exist_ok=True)
    part = registry.folder / f"{_REGISTRY}.part"
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
    part.replace(registry.folder / _REGISTRY)

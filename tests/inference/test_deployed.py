"""A model takes the place of the shipped one of its name, and gives it back; what happened stays written down."""

import json
from dataclasses import asdict
from pathlib import Path

import onnx
import pytest

from lumbago.errors import ModelRefused, UsageError
from lumbago.inference import deployed
from lumbago.inference.deployed import Reason, deploy, models_in_use, read_registry, register, roll_back
from lumbago.inference.weights import load_model, read_card
from lumbago.settings import Settings
from tiny_model import NAME, put_weights, write_model

REASON = Reason("ada", "because")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without models, beside a shipped tiny grader."""
    (tmp_path / "shipped").mkdir()
    write_model(tmp_path / "shipped")
    monkeypatch.setattr(deployed, "SHIPPED", tmp_path / "shipped")
    return tmp_path / "home"


def made(folder: Path, version: str) -> Path:
    """The same network under another checksum."""
    (folder / version).mkdir()
    place = write_model(folder / version)
    model = onnx.load_from_string((place / "model.onnx").read_bytes())
    model.doc_string = version
    put_weights(place, model.SerializeToString())
    return place


def in_use(home: Path) -> Path:
    return models_in_use(Settings(home=str(home)))[NAME]


def test_without_a_home_the_shipped_models_are_in_use(home: Path, tmp_path: Path) -> None:
    assert models_in_use(Settings(home=str(home))) == {NAME: tmp_path / "shipped" / NAME}
    assert not home.exists()


def test_deployed_and_rolled_back_step_by_step(home: Path, tmp_path: Path) -> None:
    first, second = (deploy(made(tmp_path, version), home, REASON) for version in ("one", "two"))
    assert in_use(home) == second != first
    assert load_model(second.name, second.parent).card.name == NAME
    assert roll_back(NAME, home, REASON) == in_use(home) == first
    assert roll_back(NAME, home, REASON) == in_use(home) == tmp_path / "shipped" / NAME
    with pytest.raises(UsageError, match=f"no model {NAME} is deployed"):
        roll_back(NAME, home, REASON)
    actions = [change.action for change in read_registry(home).history]
    assert actions == ["register", "deploy", "register", "deploy", "rollback", "rollback"]


def test_history_says_who_when_what_why(home: Path, tmp_path: Path) -> None:
    place = deploy(made(tmp_path, "one"), home, Reason("ada", "better on phantoms"))
    change = read_registry(home).history[-1]
    assert (change.who, change.why, change.name) == ("ada", "better on phantoms", NAME)
    assert change.sha256 == read_card(place).sha256 and change.when.endswith("+00:00")
    written = json.loads((home / "models" / "registry.json").read_text())
    assert written["history"][-1] == asdict(change)


def test_to_deploy_again_changes_nothing(home: Path, tmp_path: Path) -> None:
    model = made(tmp_path, "one")
    deploy(model, home, REASON)
    before = (home / "models" / "registry.json").read_bytes()
    deploy(model, home, REASON)
    assert (home / "models" / "registry.json").read_bytes() == before


def test_registered_is_not_deployed(home: Path, tmp_path: Path) -> None:
    place = register(made(tmp_path, "one"), home, REASON)
    assert in_use(home) == tmp_path / "shipped" / NAME
    assert read_registry(home).newest(NAME) == place
    with pytest.raises(UsageError, match="no model other is registered"):
        read_registry(home).newest("other")


def test_a_kill_while_copying_or_writing_leaves_the_old_state(home: Path, tmp_path: Path) -> None:
    first = deploy(made(tmp_path, "one"), home, REASON)
    second = made(tmp_path, "two")
    part = home / "models" / NAME / f"{read_card(second).sha256[:12]}.part"
    part.mkdir()
    (part / "model.onnx").write_bytes(b"half")
    (home / "models" / "registry.json.part").write_text('{"history": [')
    assert in_use(home) == first
    assert load_model(deploy(second, home, REASON).name, part.parent).card.name == NAME


def test_a_damaged_model_is_not_registered(home: Path, tmp_path: Path) -> None:
    model = made(tmp_path, "one")
    with (model / "model.onnx").open("ab") as weights:
        weights.write(b"\0")
    with pytest.raises(ModelRefused, match="not those of its card"):
        deploy(model, home, REASON)
    assert not home.exists()


@pytest.mark.parametrize(
    "old, new, reason",
    [
        ('name = "tiny-grader"', 'name = "mine"', "an analysis uses no model mine"),
        ('["absent", "present"]', '["present", "absent"]', "same outputs"),
    ],
)
def test_only_what_can_stand_in_is_deployed(home: Path, tmp_path: Path, old: str, new: str, reason: str) -> None:
    model = made(tmp_path, "one")
    card = model / "card.toml"
    card.write_text(card.read_text().replace(old, new))
    with pytest.raises(ModelRefused, match=reason):
        deploy(model, home, REASON)


def test_a_model_that_is_gone_cannot_be_rolled_back_to(home: Path, tmp_path: Path) -> None:
    first = deploy(made(tmp_path, "one"), home, REASON)
    second = deploy(made(tmp_path, "two"), home, REASON)
    (first / "model.onnx").unlink()
    with pytest.raises(ModelRefused, match="no weights"):
        roll_back(NAME, home, REASON)
    assert in_use(home) == second


def test_a_registry_that_cannot_be_read_is_refused(home: Path) -> None:
    (home / "models").mkdir(parents=True)
    (home / "models" / "registry.json").write_text('{"history": [{"who": 1}]}')
    with pytest.raises(ModelRefused, match=r"registry\.json is not readable"):
        in_use(home)


def test_models_of_the_settings_come_before_deployed_ones(home: Path, tmp_path: Path) -> None:
    deploy(made(tmp_path, "one"), home, REASON)
    (tmp_path / "own").mkdir()
    own = write_model(tmp_path / "own")
    assert models_in_use(Settings(home=str(home), models=str(own.parent))) == {NAME: own}


def test_a_model_that_was_calibrated_since_is_deployed_as_it_is_now(home: Path, tmp_path: Path) -> None:
    """Temperatures stand on the card: the weights, and so the checksum, are the same."""
    model = made(tmp_path, "one")
    deploy(model, home, REASON)
    card = model / "card.toml"
    card.write_text(card.read_text().replace("bulging = 1.5", "bulging = 2.5"))
    place = deploy(model, home, REASON)
    assert in_use(home) == place and read_card(place).calibration == {"bulging": 2.5}
    assert load_model(place.name, place.parent).card == read_card(model)
    assert [change.action for change in read_registry(home).history] == ["register", "deploy", "register"]
    assert [folder.name for folder in place.parent.iterdir()] == [place.name]


def test_the_same_weights_can_be_registered_under_two_names(home: Path, tmp_path: Path) -> None:
    model = made(tmp_path, "one")
    register(model, home, REASON)
    card = model / "card.toml"
    card.write_text(card.read_text().replace(NAME, "other"))
    assert register(model, home, REASON) == read_registry(home).newest("other")

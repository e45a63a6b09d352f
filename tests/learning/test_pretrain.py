"""Features learned without labels: they move, a grader starts from them, and what does not fit is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_patches import made_up_patches, made_up_volume

from lumbago.errors import ModelRefused, SettingsRefused
from lumbago.inference.weights import read_card
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_network import fresh_network, starts_from_imagenet
from lumbago.learning.label_tables import fold_of
from lumbago.learning.places import Places
from lumbago.learning.pretrain_task import PretrainTask, Unlabelled, vicreg
from lumbago.learning.run_training import run_training, train_model
from lumbago.learning.seen_patients import seen_by
from lumbago.learning.starts import START_FILE, load_start
from lumbago.networks.efficientnet_lite import has_imagenet
from lumbago.networks.grader import Grader
from made_up_labels import write_sudirman

PRETRAIN = """kind = "pretrain"
network = "deepscorenet"
sources = ["sudirman"]
patch = [32, 32]
views = "byte"
pretrained = false
steps = 2
batch = 4
folds = 2
"""
SMALL = Experiment(
    "disc-grader", "grader", ("sudirman",), conditions=("pfirrmann",), network="deepscorenet", patch=(32, 32),
    views="byte", steps=1, batch=2, folds=2, fold=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pre-training on made-up pictures without the patients of fold 0."""
    folder = tmp_path_factory.mktemp("pretrain")
    write_sudirman(folder / "data", patients=5)
    (folder / "pretrain.toml").write_text(PRETRAIN, encoding="utf8")
    places = Places(data=folder / "data", run=folder / "run", threads=1, device="cpu")
    run_training(folder / "pretrain.toml", places, 0, lambda *_: None, resume=False)
    return folder / "run"


def test_the_card_says_what_it_is_and_whom_it_has_seen(run: Path) -> None:
    card, seen = read_card(run / "model"), seen_by(run / "model")
    assert (card.kind, card.proof["network"]["name"], card.trained_on) == ("start", "deepscorenet", "real")
    patients = [f"sudirman:{number}" for number in range(1, 6)]
    assert not any(seen.has_seen(one) for one in patients if fold_of(one, 2) == 0)
    assert card.proof["patients"] > 0


def test_weights_move_and_are_loaded_without_a_head(run: Path) -> None:
    torch.manual_seed(1)
    fresh = fresh_network(SMALL, {"pfirrmann": 5}).state_dict()
    torch.manual_seed(1)
    started = fresh_network(replace(SMALL, start=str(run)), {"pfirrmann": 5}).state_dict()
    held = torch.load(run / "model" / START_FILE, weights_only=True)
    assert set(held) < set(fresh) and not any(name.startswith(("grade.", "dense.")) for name in held)
    assert all(torch.equal(started[name], value) for name, value in held.items())
    assert all(torch.equal(started[name], fresh[name]) for name in set(fresh) - set(held))
    moved = [name for name, value in held.items() if value.ndim > 1 and not torch.equal(value, fresh[name])]
    assert {"stem.0.weight", "stages.2.skip.weight"} <= set(moved)
    assert not starts_from_imagenet(replace(SMALL, network="cnn-transformer", pretrained=True, start=str(run)))


def test_another_network_is_refused(run: Path) -> None:
    other = replace(SMALL, network="vgg19", start=str(run))
    with pytest.raises(SettingsRefused, match=r"holds features of the network deepscorenet; expected vgg19; change"):
        fresh_network(other, {"pfirrmann": 5})


def test_what_is_no_start_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no readable card"):
        fresh_network(replace(SMALL, start=str(tmp_path)), {"pfirrmann": 5})
    with pytest.raises(ModelRefused, match="holds no features for deepscorenet; expected"):
        load_start(torch.nn.Linear(2, 2), replace(SMALL, start=str(run)))


def test_several_members_are_refused_before_slices_are_made(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were trained, all of them, and could not be exported."""
    monkeypatch.setattr("lumbago.learning.pretrain_task.read_labels", lambda *_: pytest.fail("made slices"))
    (tmp_path / "pretrain.toml").write_text(f"{PRETRAIN}members = 2\n", encoding="utf8")
    places = Places(data=run.parent / "data", run=tmp_path / "run", threads=1, device="cpu")
    with pytest.raises(SettingsRefused, match="pretrain has 2 members; expected one, of a pre-training"):
        run_training(tmp_path / "pretrain.toml", places, 0, lambda *_: None, resume=False)


def test_a_start_that_has_seen_the_left_out_is_refused(run: Path) -> None:
    places = Places(data=run.parent / "data", run=run.parent / "graded", threads=1, device="cpu")
    with pytest.raises(ModelRefused, match="was trained on sudirman"):
        train_model(replace(SMALL, start=str(run), fold=1), places, lambda *_: None, resume=False)


def test_the_usual_network_goes_on_from_imagenet(run: Path, tmp_path: Path) -> None:
    usual = replace(SMALL, network="lite0", views="three")
    places = Places(data=run.parent / "data", run=tmp_path / "start", threads=1, device="cpu")
    train_model(replace(usual, kind="pretrain", batch=4), places, lambda *_: None, resume=False)
    held = torch.load(tmp_path / "start" / "model" / START_FILE, weights_only=True)
    assert {name.split(".")[0] for name in held} == {"encoder", "join"}
    grader = fresh_network(replace(usual, start=str(tmp_path / "start")), {"pfirrmann": 5}).state_dict()
    assert all(torch.equal(grader[name], value) for name, value in held.items())
    card = read_card(tmp_path / "start" / "model")
    assert card.proof["network"]["from_imagenet"] == has_imagenet()
    assert ("imagenet" in {row["name"] for row in card.proof["data"]}) == has_imagenet()
    first = fresh_network(usual, {"pfirrmann": 5}).state_dict()["encoder._conv_stem.weight"]
    assert (0 < (held["encoder._conv_stem.weight"] - first).abs().max() < 0.1) or not has_imagenet()


def slices() -> list[Unlabelled]:
    return [Unlabelled("sudirman", f"sudirman:{number}", made_up_volume(100.0 * number, 1)) for number in range(4)]


def test_a_pair_is_one_place_seen_twice() -> None:
    task = PretrainTask(replace(SMALL, kind="pretrain", batch=4), slices())
    (pairs,) = task.batch(np.random.default_rng(1))
    assert pairs.shape == (4, 2, 1, 3, 32, 32)
    assert not torch.equal(pairs[:, 0], pairs[:, 1])
    (again,) = task.batch(np.random.default_rng(1), range(2, 4))
    assert torch.equal(again, pairs[2:])
    network = task.network()
    outputs = network(pairs)
    assert outputs.shape[:2] == (4, 2) and torch.isfinite(task.loss(outputs, ()))
    assert isinstance(network.grader, Grader) and made_up_patches()


def test_collapse_costs_most() -> None:
    rng = torch.Generator().manual_seed(1)
    apart = torch.randn(256, 8, generator=rng)
    same = torch.ones(256, 8)
    repeated = apart[:, :1].repeat(1, 8)
    assert vicreg(apart, apart) < 1.5 < vicreg(repeated, repeated) < vicreg(same, same)
    assert vicreg(apart, apart + 1) > vicreg(apart, apart) + 20

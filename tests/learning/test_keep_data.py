"""A run that was begun is gone on with on the labels and the locators that it was begun with, or refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from made_up_patches import made_up_patches

from lumbago.errors import SettingsRefused
from lumbago.learning.experiment import Experiment
from lumbago.learning.grader_task import GraderTask
from lumbago.learning.keep_data import DATA, checked_data, data_digests, keep_data, label_digests
from lumbago.learning.places import Places
from lumbago.learning.run_training import train_model
from made_up_labels import write_spider, write_spider_space, write_sudirman
from tiny_model import write_model

SMALL = Experiment(
    "small", "grader", ("sudirman",), conditions=("pfirrmann",), network="deepscorenet", views="byte", patch=(32, 32),
    steps=3, batch=2, save_every=1, pretrained=False, folds=2, fold=0,
)  # fmt: skip


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Made-up pictures, and a model in the place of the locator of fold 1."""
    write_sudirman(tmp_path / "data")
    (tmp_path / "locator-1").mkdir()
    write_model(tmp_path / "locator-1").rename(tmp_path / "locator-1" / "model")
    locators = str(tmp_path / "locator-{fold}" / "model")
    return Places(tmp_path / "data", tmp_path / "run", locators, threads=1, device="cpu")


def killed_at(last: int) -> Callable[[int, int, float], None]:
    def show(step: int, steps: int, loss: float) -> None:
        if step == last:
            raise KeyboardInterrupt

    return show


def test_other_labels_or_locators_are_not_gone_on_with(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were, in silence: the rest of the training drew from other samples."""
    made = {"grader": lambda experiment, _: GraderTask(experiment, made_up_patches())}
    monkeypatch.setattr("lumbago.learning.run_training.TASKS", made)
    with pytest.raises(KeyboardInterrupt):
        train_model(SMALL, places, killed_at(2), resume=False)
    grades, card = places.data / "sudirman" / "pfirrmann.csv", Path(places.locators.format(fold=1)) / "card.toml"
    for path, old, new, what in (
        (grades, "1,L4-L5,1", "1,L4-L5,4", "labels of sudirman"),
        (card, 'sha256 = "', 'sha256 = "0', "locator of fold 1"),
    ):
        text = path.read_text()
        path.write_text(text.replace(old, new))
        with pytest.raises(SettingsRefused, match=rf"run was begun with other data: {what}; expected the same; put it"):
            train_model(SMALL, places, killed_at(0), resume=True)
        path.write_text(text)
    ours, other = (places.data / "sudirman" / "sagittal" / f"00{n}_t2.png" for n in (1, 2))
    kept = ours.read_bytes()
    shutil.copy(other, ours)
    with pytest.raises(SettingsRefused, match="other data: pictures of sudirman;"):
        train_model(SMALL, places, killed_at(0), resume=True)
    ours.write_bytes(kept)
    with pytest.raises(KeyboardInterrupt):
        train_model(SMALL, places, killed_at(2), resume=True)


def test_a_run_that_never_began_or_kept_nothing_takes_what_is_given(tmp_path: Path) -> None:
    for digest, is_begun in (("1", True), ("2", False)):
        keep_data(tmp_path, checked_data(tmp_path, {"labels of spider": digest}, is_begun=is_begun))
    keep_data(tmp_path, checked_data(tmp_path, {"labels of sudirman": "3"}, is_begun=True))
    assert json.loads((tmp_path / DATA).read_text()) == {"labels of spider": "2", "labels of sudirman": "3"}
    with pytest.raises(SettingsRefused, match=r"other data: labels of spider, labels of sudirman; expected the same"):
        checked_data(tmp_path, {"labels of spider": "1", "labels of sudirman": "1"}, is_begun=True)


def test_what_labels_say_is_told_apart_not_where_they_lie(tmp_path: Path) -> None:
    for write in (write_spider, write_spider_space):
        write(tmp_path / "data")
    names = ("spider", "spider_space")
    first = label_digests(tmp_path / "data", names)
    (tmp_path / "data").rename(tmp_path / "moved")
    assert label_digests(tmp_path / "moved", names) == first and len(set(first.values())) == 4
    (mask,) = (tmp_path / "moved" / "spider_space" / "masks").iterdir()
    shutil.copy(tmp_path / "moved" / "spider" / "sagittal" / "7_t2.png", mask)
    boxes = tmp_path / "moved" / "spider" / "disc_boxes.csv"
    boxes.write_text(boxes.read_text().replace("7_t2,2,", "7_t2,4,"))
    again = label_digests(tmp_path / "moved", names)
    assert {name for name in names if again[f"labels of {name}"] != first[f"labels of {name}"]} == set(names)
    assert {name for name in names if again[f"pictures of {name}"] != first[f"pictures of {name}"]} == set()
    (tmp_path / "moved" / "spider" / "sagittal" / "57_t1.png").unlink()
    assert label_digests(tmp_path / "moved", names) != again


def test_what_learns_from_phantoms_alone_has_no_data_to_keep(places: Places) -> None:
    assert data_digests(Experiment("made", "grader", phantoms=3), places) == {}
    assert set(data_digests(SMALL, places)) == {"labels of sudirman", "pictures of sudirman", "locator of fold 1"}

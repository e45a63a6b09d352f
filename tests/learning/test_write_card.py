"""A fresh card has all that reading, judging and attributing a model needs; scores are told with their command."""

import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lumbago.errors import ModelRefused
from lumbago.evaluation.intervals import Score
from lumbago.inference.weights import Card, read_card
from lumbago.labels.sources import SOURCES
from lumbago.learning.experiment import Experiment
from lumbago.learning.write_card import ATTRIBUTIONS, ModelFacts, Training, add_scores, write_card
from lumbago.report.model_card import card_page

FACTS = ModelFacts(
    "grader", {"bulging": ("absent", "present")}, {"anchor": "disc", "rows": 32}, {"bulging": 1.0}, "ab" * 32
)


def card_of(folder: Path, **settings: Any) -> dict[str, Any]:
    experiment = Experiment("mine", "grader", conditions=("bulging",), **settings)
    path = write_card(folder, FACTS, Training(experiment, "lumbago train mine.toml", 12.6, {"spider": 3}))
    return tomllib.loads(path.read_text(encoding="utf8"))


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    content = card_of(tmp_path, sources=("spider",), pretrained=False)
    card = read_card(tmp_path)
    assert {item.name for item in fields(Card)} == {*content, "calls", "weight"}
    assert card.weight == 1 and not card.calls
    assert (card.name, card.kind, card.sha256) == ("mine", "grader", "ab" * 32)
    assert card.outputs == FACTS.outputs and card.inputs == FACTS.inputs and card.calibration == FACTS.calibration


def test_what_its_answers_count_for_is_on_it(tmp_path: Path) -> None:
    card_of(tmp_path, phantoms=5, weight=0.3)
    assert read_card(tmp_path).weight == 0.3


def test_it_says_how_it_came_about(tmp_path: Path) -> None:
    proof = card_of(tmp_path, sources=("spider",), fold=2, patch=(32, 48))["proof"]
    assert proof["command"] == "lumbago train mine.toml" and proof["seconds"] == 13
    assert proof["samples"] == {"spider": 3}
    assert proof["settings"]["fold"] == 2 and proof["settings"]["folds"] == 4 and proof["settings"]["patch"] == [32, 48]
    assert "Not a diagnosis" in proof["intended_use"]


@pytest.mark.parametrize(
    "settings, trained_on, data",
    [
        ({"sources": ("spider",), "pretrained": False}, "real", ["spider"]),
        ({"phantoms": 5}, "phantoms", ["phantoms", "imagenet"]),
        ({"sources": ("spider",), "phantoms": 5}, "real and phantoms", ["spider", "phantoms", "imagenet"]),
    ],
    ids=["real", "phantoms", "both"],
)
def test_it_names_all_data_with_their_licence(
    tmp_path: Path, settings: dict[str, Any], trained_on: str, data: list[str]
) -> None:
    content = card_of(tmp_path, **settings)
    assert content["trained_on"] == trained_on
    assert [row["name"] for row in content["proof"]["data"]] == data
    assert all(row["licence"] and row["origin"] for row in content["proof"]["data"])
    assert ("not validated on patients" in content["caution"]) == (trained_on == "phantoms")


FORMS = {"labelme", "coco", "yolo", "masks", "reviewed", "csv", "lumbago"}
"""Label sources that are forms for anybody's data, and no data sets."""


def test_every_public_label_source_is_attributed() -> None:
    assert set(SOURCES) - FORMS <= set(ATTRIBUTIONS)


def test_labels_of_ones_own_are_left_to_be_attributed(tmp_path: Path) -> None:
    (data,) = card_of(tmp_path, sources=("coco",), pretrained=False)["proof"]["data"]
    assert data["name"] == "coco" and "to be stated" in data["licence"]


def test_the_network_is_told_and_imagenet_only_of_what_started_from_it(tmp_path: Path) -> None:
    made = {"name": "vgg19", "title": "VGG-19", "parameters": 20, "from_imagenet": False}
    experiment = Experiment("mine", "grader", conditions=("bulging",), phantoms=5)
    path = write_card(tmp_path, replace(FACTS, network=made), Training(experiment, "x", 1.0, {"phantoms": 3}))
    proof = tomllib.loads(path.read_text(encoding="utf8"))["proof"]
    assert proof["network"] == made and [row["name"] for row in proof["data"]] == ["phantoms"]


def scores_of(folder: Path) -> list[dict[str, Any]]:
    rows = read_card(folder).proof["scores"]
    assert isinstance(rows, list)
    return rows


def test_scores_are_added_and_those_of_the_same_command_replaced(tmp_path: Path) -> None:
    card_of(tmp_path, phantoms=5)
    add_scores(tmp_path, {"kappa": Score(0.51234, 0.4, 0.6), "recall": Score(0.7, 0.6, 0.8)}, "evaluate on phantoms")
    add_scores(tmp_path, {"kappa": Score(0.3, 0.2, 0.4)}, "evaluate on others")
    add_scores(tmp_path, {"kappa": Score(0.6, 0.5, 0.7)}, "evaluate on phantoms")
    assert scores_of(tmp_path) == [
        {"what": "kappa", "value": 0.3, "interval": [0.2, 0.4], "command": "evaluate on others"},
        {"what": "kappa", "value": 0.6, "interval": [0.5, 0.7], "command": "evaluate on phantoms"},
    ]
    assert read_card(tmp_path).proof["settings"]["phantoms"] == 5, "the rest of the card stays"


def test_scores_are_rounded(tmp_path: Path) -> None:
    card_of(tmp_path, phantoms=5)
    add_scores(tmp_path, {"kappa": Score(0.512345, 0.41111, 0.61119)}, "evaluate")
    assert scores_of(tmp_path)[0] == {
        "what": "kappa", "value": 0.5123, "interval": [0.4111, 0.6112], "command": "evaluate",
    }  # fmt: skip


def test_a_score_without_interval_says_so(tmp_path: Path) -> None:
    card_of(tmp_path, phantoms=5)
    add_scores(tmp_path, {"kappa": Score(0.5, float("nan"), float("nan"))}, "evaluate")
    assert scores_of(tmp_path)[0]["interval"] == []
    console = Console(width=400)
    with console.capture() as capture:
        console.print(card_page(read_card(tmp_path)))
    (line,) = (line for line in capture.get().splitlines() if line.startswith("kappa"))
    assert line.split() == ["kappa", "0.500", "none"]


def test_scores_need_a_card(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no readable card"):
        add_scores(tmp_path, {"kappa": Score(0.5, 0.4, 0.6)}, "evaluate")

"""A card in the terminal shows what is on it."""

import pytest
from rich.console import Console

from lumbago.inference.weights import SHIPPED, read_card
from lumbago.report.model_card import card_page

SHIPPED_NAMES = sorted(str(path.parent.relative_to(SHIPPED)) for path in SHIPPED.rglob("card.toml"))


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_every_shipped_card_shows_its_scores_with_interval_and_command(name: str) -> None:
    card = read_card(SHIPPED / name)
    console = Console(width=400)
    with console.capture() as capture:
        console.print(card_page(card))
    text = capture.get()
    assert card.proof["scores"]
    for row in card.proof["scores"]:
        assert row["command"] in text
        low, high = row["interval"]
        ends = [line.split()[-4:] for line in text.splitlines() if line.startswith(row["what"])]
        assert [f"{row['value']:.3f}", f"{low:.3f}", "to", f"{high:.3f}"] in ends
    assert all(source["licence"] in text for source in card.proof["data"])
    assert card.caution in text


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_no_card_names_a_folder_of_somebodys_machine(name: str) -> None:
    commands = [
        read_card(SHIPPED / name).proof["command"],
        *(row["command"] for row in read_card(SHIPPED / name).proof["scores"]),
    ]
    assert [command for command in commands if " /" in command or ".." in command] == []

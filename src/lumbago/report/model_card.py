"""A model's card as a page for the terminal: what it does, what it learned from, what it scores."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lumbago.inference.weights import Card


def card_page(card: Card) -> Group:
    """The card in short; the whole of it is `card.toml` beside the model."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    for name, value in card_facts(card):
        facts.add_row(name, Text(value))
    return Group(facts, *_scores(card.proof.get("scores", [])))


def card_facts(card: Card) -> Iterable[tuple[str, str]]:
    """(name, value) of what a card says, but for its scores."""
    yield "model", f"{card.name} {card.version}, checksum {card.sha256[:12]}"
    for name, labels in card.outputs.items():
        yield ("grades" if card.kind == "grader" else "finds"), f"{name}: {', '.join(labels)}"
    yield "input", ", ".join(f"{name} {value}" for name, value in card.inputs.items())
    if network := card.proof.get("network"):
        start = ", from ImageNet" if network["from_imagenet"] else ""
        yield "network", f"{network['title']}, {network['parameters']:,} parameters{start}"
    yield "trained on", card.trained_on
    if card.caution:
        yield "caution", card.caution
    for source in card.proof.get("data", []):
        yield "data", f"{source['origin']} ({source['licence']})"
    samples = card.proof.get("samples", {})
    yield "samples", ", ".join(f"{count} of {name}" for name, count in samples.items())
    yield "made by", str(card.proof.get("command", ""))
    yield "use", str(card.proof.get("intended_use", ""))


def _scores(rows: list[Mapping[str, Any]]) -> Iterable[Text | Table]:
    """One table for each command that gave scores."""
    for command, group in groupby(rows, lambda row: row["command"]):
        yield Text(f"\n{command}")
        table = Table(box=None, pad_edge=False)
        table.add_column("score")
        table.add_column("value", justify="right")
        table.add_column("95 % interval")
        for row in group:
            interval = " to ".join(f"{bound:.3f}" for bound in row["interval"])
            table.add_row(row["what"], f"{row['value']:.3f}", interval or "none")
        yield table

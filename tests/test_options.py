"""What a command takes as one dataclass, the user sees as options."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from lumbago.options import How, grouped


@dataclass(frozen=True)
class Paint:
    """Two options."""

    colour: Annotated[str, typer.Option(help="Which colour.")]
    coats: Annotated[int, typer.Option(help="How many.", min=1)] = 2


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @grouped
    def paint(wall: Annotated[Path, typer.Argument()], how: Paint, ladder: bool = False) -> None:
        """Paint a wall."""
        typer.echo(f"{wall} {how.colour} {how.coats} {ladder}")

    return app


def test_fields_are_options(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, ["wall", "--colour", "red"]).stdout == "wall red 2 False\n"
    given = ["wall", "--colour", "red", "--coats", "3", "--ladder"]
    assert CliRunner().invoke(app, given).stdout == "wall red 3 True\n"


@pytest.mark.parametrize("given", [["wall"], ["wall", "--colour", "red", "--coats", "0"]])
def test_their_limits_hold(app: typer.Typer, given: list[str]) -> None:
    assert CliRunner().invoke(app, given).exit_code == 2


def test_help_shows_them(app: typer.Typer) -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert "Paint a wall" in shown and "How many" in shown and "--coats" in shown


def test_feature_layers_are_a_change_only_when_given() -> None:
    assert How(fold=2).changes == {"fold": 2}
    assert How(feature_layers="stride_4, stride_8").changes == {"fold": -1, "feature_layers": ("stride_4", "stride_8")}

"""The documentation says what is there: commands, exit codes, files, links."""

import re
import tomllib
from pathlib import Path

import pytest
from typer import Typer

import lumbago
from lumbago import errors
from lumbago.cli import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("experiments/**/*.md")]
    if path.is_file()
)
TARGETS = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(encoding="utf8"), re.M))


def text(page: Path) -> str:
    return page.read_text(encoding="utf8")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def first_column(page: str, head: str) -> list[str]:
    """The first cells of the table whose first column is headed so."""
    (table,) = re.findall(rf"^\| {head} \|.*\n\| -.*\n((?:\|.*\n)+)", text(ROOT / page), re.M)
    return [row.split("|")[1].strip() for row in table.splitlines()]


def error_classes() -> list[type[errors.LumbagoError]]:
    return [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, errors.LumbagoError)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text(page)) if "://" not in link]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_named_are_there(page: Path) -> None:
    paths = re.findall(r"`((?:src|tests|docs|bench|\.ci)(?:/[\w.-]+)+/?|[\w-]+\.(?:lock|txt|toml))`", text(page))
    absent = {path for path in paths if not (ROOT / path).exists()}
    assert absent - {"uv.lock", "pylock.toml", "card.toml", "patients.txt"} == set()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_make_commands_named_are_there(page: Path) -> None:
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text(page), re.M)) - TARGETS == set()


def test_every_make_command_has_its_row() -> None:
    assert {cell.strip("`") for cell in first_column("docs/how-to/develop.md", "command")} == {
        f"make {t}" for t in TARGETS
    }


def test_ci_runs_the_test_command_of_the_readme() -> None:
    marked = re.findall(r"<!-- test command -->\n```sh\n(.*)\n```", text(ROOT / "README.md"))
    assert marked == ["make test"]
    assert "README.md" in text(ROOT / ".ci" / "run")


def command_names(commands: Typer, prefix: str = "") -> set[str]:
    """`analyze`, `models list` and so on."""
    own = {prefix + (row.name or row.callback.__name__) for row in commands.registered_commands if row.callback}
    groups = [(row.name, row.typer_instance) for row in commands.registered_groups if row.typer_instance]
    inner = [(f"{prefix}{name} " if isinstance(name, str) else prefix, group) for name, group in groups]
    return own.union(*(command_names(group, start) for start, group in inner))


def test_readme_lists_every_command() -> None:
    cells = [re.sub(r" [A-Z-].*", "", cell.strip("`")) for cell in first_column("README.md", "command")]
    assert {cell.removeprefix("lumbago ") for cell in cells} == command_names(app)


def test_readme_lists_every_exit_code() -> None:
    codes = {str(error.exit_code) for error in error_classes()}
    assert set(first_column("README.md", "exit code")) == codes | {"0", "130"}


def test_errors_are_drawn_in_their_tree() -> None:
    assert [error.__name__ for error in error_classes() if error.__name__ not in (errors.__doc__ or "")] == []


def test_readme_says_what_it_is_not() -> None:
    assert "Research use, not a diagnosis" in text(ROOT / "README.md")


def test_version_is_said_once_and_the_same() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    assert project["version"] == lumbago.__version__

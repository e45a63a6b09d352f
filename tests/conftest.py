"""Says after every run which marked tests it left out, and how to run them. A PostgreSQL for those who ask."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from postgres_server import postgres_server

COMMANDS = {"system": "make test-system", "slow": "make test-slow"}
LEFT_OUT: Counter[str] = Counter()


def pytest_deselected(items: list[pytest.Item]) -> None:
    LEFT_OUT.update(mark for item in items for mark in COMMANDS if item.get_closest_marker(mark))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes tells the first one what it left out."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = dict(LEFT_OUT)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """They all leave out the same."""
    for mark, count in getattr(node, "workeroutput", {}).get("left_out", {}).items():
        LEFT_OUT[mark] = max(LEFT_OUT[mark], count)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = [f"{LEFT_OUT[mark]} {mark} ({command})" for mark, command in COMMANDS.items()]
    terminalreporter.write_line(f"left out: {', '.join(counts)}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[int]:
    """The port of a PostgreSQL server."""
    with postgres_server() as port:
        yield port

"""A server that cannot listen says so before it opens anything."""

import socket
from pathlib import Path

import pytest

from lumbago.errors import SettingsRefused
from lumbago.settings import Settings
from lumbago.web.serving import Address, opened


def test_a_taken_port_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = Address("127.0.0.1", door.getsockname()[1])
        with (
            pytest.raises(SettingsRefused, match=r"cannot be listened on .*choose another --port"),
            opened(Settings(home=str(tmp_path / "home"), workers=0), address),
        ):
            pass
    assert list(tmp_path.iterdir()) == []

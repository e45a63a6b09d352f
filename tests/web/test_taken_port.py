"""A server that cannot listen says so before it opens anything; one that can is never knocked at in vain."""

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
            pytest.raises(
                SettingsRefused, match=r"cannot be listened on \(Address already in use\); .*choose another --port"
            ),
            opened(Settings(home=str(tmp_path / "home"), workers=0), address),
        ):
            pass
    assert list(tmp_path.iterdir()) == []


def test_who_comes_before_the_first_answer_waits(tmp_path: Path) -> None:
    with opened(Settings(home=str(tmp_path), workers=0), Address("127.0.0.1", 0)) as served:
        assert served.address.port != 0
        with socket.create_connection((served.address.host, served.address.port)) as early:
            early.sendall(b"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            early.settimeout(0.2)
            with pytest.raises(TimeoutError):
                early.recv(1)
        served.app.state.site.images.close()
        served.app.state.site.store.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((served.address.host, served.address.port))

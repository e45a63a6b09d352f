"""`lumbago serve`: opens the records, starts the workers, and answers until it is stopped."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from secrets import token_urlsafe

import uvicorn
from fastapi import FastAPI

from lumbago.batch.processes import WorkerProcesses
from lumbago.errors import SettingsRefused
from lumbago.records.store import open_records
from lumbago.settings import Settings
from lumbago.web.access import LOOPBACK, Access, open_access, refuse_open_door
from lumbago.web.app import create_app
from lumbago.web.housekeeping import Housekeeping
from lumbago.web.site import Site
from lumbago.web.viewer_frames import StudyImages


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """As a browser takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"

    @property
    def names(self) -> tuple[str, ...]:
        """By which names it may be asked for: on loopback by its own alone, so that no other site's name leads here."""
        return (*tuple(sorted(LOOPBACK - {"::1"})), "[::1]") if self.host in LOOPBACK else ("*",)


@dataclass(frozen=True, slots=True)
class Opened:
    """An app, the secret that makes its first admin ("" when it has one), and the door at which it is asked for."""

    app: FastAPI
    first_secret: str
    address: Address
    door: socket.socket


@contextmanager
def opened(settings: Settings, address: Address) -> Iterator[Opened]:
    """The app over the records of the settings, with its workers beside it.

    Raises:
        RecordsRefused: the records cannot be opened.
        SettingsRefused: nobody can listen there, other machines could come in before there is an admin, or OpenID
            Connect is set wrongly.
    """
    with _listening(address) as door:
        store = open_records(settings)
        refuse_open_door(store, address.host)
        access: Access = open_access(store, settings, token_urlsafe(18))
        site = Site(store, settings, StudyImages())
        app = create_app(site, access, address.names)
        with Housekeeping(site), WorkerProcesses(settings.workers):
            yield Opened(app, access.first_secret, replace(address, port=door.getsockname()[1]), door)


def _listening(address: Address) -> socket.socket:
    """Before the records are opened: who comes to an address once it is printed waits here instead of being refused."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=1024)
    except OSError as error:
        reason = (error.strerror or "").partition(" (while")[0]  # create_server says the address once more
        why = f"{address.host}, port {address.port}, cannot be listened on ({reason})"
        raise SettingsRefused(why, "an address of this machine, a free port", "choose another --port") from error


def answer(served: Opened) -> None:
    """Answers requests until interrupted; to be told to end counts as that, so that the workers end as well."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config = uvicorn.Config(
        served.app, log_level="warning", access_log=False, server_header=False,
        h11_max_incomplete_event_size=64 << 10, timeout_keep_alive=20, limit_concurrency=1000,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[served.door])

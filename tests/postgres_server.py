"""A PostgreSQL server of its own for tests that are marked `system`: started in a folder, gone afterwards."""

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def run(*words: str | Path) -> None:
    """Runs a program of PostgreSQL, which refuses to be root."""
    program = BINARIES[-1] / words[0]
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, program, *words[1:]], check=True, capture_output=True, cwd="/tmp")


@contextmanager
def postgres_server() -> Iterator[int]:
    """The port of a server on loopback that trusts the user `lumbago`."""
    assert BINARIES, "PostgreSQL is not installed: make test-system installs it"
    with socket.socket() as free, tempfile.TemporaryDirectory(dir="/tmp") as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        Path(folder).chmod(0o777)
        data = Path(folder) / "data"
        run("initdb", "-D", data, "-A", "trust", "-U", "lumbago", "--no-locale", "-E", "UTF8")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        run("pg_ctl", "-D", data, "-o", options, "-l", Path(folder) / "log", "-w", "start")
        try:
            yield port
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def new_database(port: int) -> str:
    """The address of a new, empty database."""
    name = f"lumbago_{uuid4().hex[:12]}"
    run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "lumbago", name)
    return f"postgresql://lumbago@127.0.0.1:{port}/{name}"

"""The engine: SQLite so that what was acknowledged is kept, or PostgreSQL; reading and writing transactions.

SQLite runs with a rollback journal (TRUNCATE) and synchronous FULL: `docs/decisions/0006-sqlite-keeps-what-it-said.md`.
On both, one writer works at a time (BEGIN IMMEDIATE; an advisory lock), so that version numbers, the audit's chain and
the taking of jobs need no retries.
"""

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError
from sqlalchemy.pool import NullPool

from lumbago.errors import RecordsRefused, SettingsRefused, UsageError

SECONDS_TO_WAIT: Final = 30.0
_WRITES: Final = "lumbago_writes"
_LOCK: Final = 0x6C756D62  # "lumb": the advisory lock of whoever writes
WAL_RESET_BUG: Final = ((3, 7, 0), (3, 51, 2))
"""SQLite versions, first and last, whose write-ahead log can damage a database that two connections write to."""


def open_engine(url: str) -> Engine:
    """An engine for records; the file of an SQLite database is made, readable by its owner alone.

    Raises:
        SettingsRefused: no database address of a kind that is known, or its driver is not installed.
        RecordsRefused: the database is not there, or its journal cannot be trusted.
    """
    address = _address(url)
    try:
        engine = _sqlite(address) if address.get_backend_name() == "sqlite" else _postgres(address)
        with engine.connect():
            return engine
    except ModuleNotFoundError as error:
        raise SettingsRefused("PostgreSQL needs a driver", advice='pip install "lumbago[postgres]"') from error
    except DBAPIError as error:
        raise RecordsRefused(
            f"the records at {address.render_as_string()} cannot be opened ({error.orig})",
            advice="see LUMBAGO_DATABASE",
        ) from error


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise SettingsRefused("LUMBAGO_DATABASE is no address", "sqlite:///FILE or postgresql://HOST/NAME") from error
    if address.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsRefused(
            f"LUMBAGO_DATABASE is of the kind {address.get_backend_name()}", "sqlite:///FILE or postgresql://HOST/NAME"
        )
    return address


def _sqlite(address: URL) -> Engine:
    if not address.database or address.database == ":memory:":
        raise SettingsRefused("LUMBAGO_DATABASE names no file", "sqlite:///FILE")
    _private_file(Path(address.database))
    engine = create_engine(address.set(drivername="sqlite+pysqlite"), connect_args={"timeout": SECONDS_TO_WAIT})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _private_file(path: Path) -> None:
    """Makes the file, or takes others' rights to it away."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise RecordsRefused(f"{path} cannot be written ({error.strerror})", "a file of your own") from error


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    (mode,) = connection.execute("PRAGMA journal_mode=TRUNCATE").fetchone()
    refuse_journal(mode, sqlite3.sqlite_version_info)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(
        "PRAGMA secure_delete=ON"
    )  # what is deleted is overwritten: a patient is gone from the file, too


def refuse_journal(mode: str, version: tuple[int, int, int]) -> None:
    """Refuses a write-ahead log that another program holds on to, where this SQLite is known to damage it.

    Raises:
        RecordsRefused: it is one.
    """
    first, last = WAL_RESET_BUG
    if mode == "wal" and first <= version <= last:
        raise RecordsRefused(
            f"the database is in write-ahead mode, which SQLite {'.'.join(map(str, version))} can damage",
            "the rollback journal that Lumbago sets",
            "close the other program that has it open",
        )


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")


def _postgres(address: URL) -> Engine:
    return create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)


@contextmanager
def _refusing() -> Iterator[None]:
    """PostgreSQL keeps no NUL in a text, and looks for none."""
    try:
        yield
    except DataError as error:
        raise UsageError("a text holds a character that the database cannot keep", "a text without NUL") from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state.

    Raises:
        UsageError: it was given a text that the database cannot hold.
    """
    with _refusing(), engine.connect() as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction of the one writer; kept for good when the block ends, forgotten when it raises.

    Raises:
        UsageError: it was given a text that the database cannot hold.
    """
    with _refusing(), engine.connect() as plain:
        connection = plain.execution_options(**{_WRITES: True})
        with connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection


@contextmanager
def changing_tables(engine: Engine) -> Iterator[Connection]:
    """As `writing`, for steps of the schema: SQLite changes a table by making it anew, and would otherwise delete what
    refers to the old one. References are checked at the end instead.

    Raises:
        RecordsRefused: a reference leads nowhere afterwards; nothing is changed then.
    """
    if engine.dialect.name != "sqlite":
        with writing(engine) as connection:
            yield connection
        return
    alone = create_engine(engine.url, poolclass=NullPool)
    for moment, prepare in (("connect", _prepare_sqlite), ("connect", _loosen), ("begin", _begin_sqlite)):
        event.listen(alone, moment, prepare)
    with writing(alone) as connection:
        yield connection
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise RecordsRefused("the records do not hold together after the change of their schema")


def _loosen(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys=OFF")

"""Opens the records: a database and a folder of files beside it.

    store = open_store("sqlite:////home/me/.local/share/lumbago/records.db", Path("..."))
    with store.write() as records:            # one transaction: kept as a whole, or not at all
        study = add_study(records, patient, facts)
        append_event(records, ...)

Functions of the sibling modules take the transaction and give frozen dataclasses.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine

from lumbago.records.blobs import Blobs
from lumbago.records.database import open_engine, reading, writing
from lumbago.records.migrate import migrate
from lumbago.settings import Settings


@dataclass(frozen=True, slots=True)
class Store:
    """Records that are open; safe to share between threads, not between processes (open it again after a fork).

    Attributes:
        engine: of the database; blobs: the files, named by their content.
    """

    engine: Engine
    blobs: Blobs

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the records."""
        with reading(self.engine) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction of the one writer: keep it short, and do slow work (files, networks) before it.

        What it wrote is on the disk when the block has ended, and forgotten when the block raises.
        """
        with writing(self.engine) as connection:
            yield connection

    def close(self) -> None:
        """Lets go of the database."""
        self.engine.dispose()


def open_store(url: str, files: Path) -> Store:
    """Opens records, making or upgrading them where needed.

    Raises:
        SettingsRefused: no address of a database that can be used.
        RecordsRefused: they cannot be opened, or a newer version of Lumbago made them.
    """
    engine = open_engine(url)
    try:
        migrate(engine)
        return Store(engine, Blobs.at(files))
    except BaseException:
        engine.dispose()
        raise


def open_records(settings: Settings) -> Store:
    """The records of the settings: `LUMBAGO_DATABASE`, or `records.db` in the home; files in the home's `files`."""
    home = settings.home_folder
    return open_store(settings.database or f"sqlite:///{home / 'records.db'}", home / "files")

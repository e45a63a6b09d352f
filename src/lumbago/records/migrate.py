"""Brings a database to this version's schema: all steps, or none."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from lumbago.errors import RecordsRefused
from lumbago.records.database import changing_tables

STEPS: Final = Path(__file__).parent / "migrations"


def migrate(engine: Engine, steps: Path = STEPS) -> None:
    """Takes the steps that the database lacks, in one transaction.

    Raises:
        RecordsRefused: it knows steps that this version of Lumbago does not, or it holds other tables.
    """
    config = Config()
    config.set_main_option("script_location", str(steps).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    with engine.connect() as connection:
        if not _is_behind(connection, ScriptDirectory.from_config(config)):
            return
    with changing_tables(engine) as connection:
        if _is_behind(connection, ScriptDirectory.from_config(config)):  # no other process was faster
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _is_behind(connection: Connection, script: ScriptDirectory) -> bool:
    found = MigrationContext.configure(connection).get_current_revision()
    known = [step.revision for step in script.walk_revisions()]
    if found is None and inspect(connection).get_table_names():
        raise RecordsRefused("the database holds other tables than ours", "an empty one", "change LUMBAGO_DATABASE")
    if found is not None and found not in known:
        raise RecordsRefused(
            f"a newer version of Lumbago made these records (schema {found})", f"schema {known[0]} at most",
            "install that version",
        )  # fmt: skip
    return found != known[0]

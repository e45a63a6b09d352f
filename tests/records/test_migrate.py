"""The schema: its steps make what the tables say; older databases are upgraded, newer ones refused."""

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from made_up_records import add_whole_study
from sqlalchemy import inspect, text

from lumbago.errors import RecordsRefused
from lumbago.records.database import open_engine
from lumbago.records.migrate import STEPS, migrate
from lumbago.records.patients import PatientFacts
from lumbago.records.store import Store, open_store
from lumbago.records.tables import METADATA
from lumbago.records.verify import verify_records

NEXT = '''
"""A step that only a later version knows: it makes a table anew, to which others refer."""
import sqlalchemy as sa
from alembic import op
revision = "9999"
down_revision = "{before}"

def upgrade() -> None:
    anew = "always" if op.get_bind().dialect.name == "sqlite" else "auto"
    with op.batch_alter_table("patients", recreate=anew) as table:
        table.add_column(sa.Column("shoe_size", sa.Integer()))
    {then}
'''


def later_steps(folder: Path, then: str = "pass") -> Path:
    shutil.copytree(STEPS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    before = max(path.name[1:5] for path in (folder / "versions").glob("m*.py"))
    (folder / "versions" / "m9999_later.py").write_text(NEXT.format(before=before, then=then))
    return folder


def test_steps_and_tables_agree(store: Store) -> None:
    with store.read() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_opening_again_changes_nothing(store: Store, url: str, tmp_path: Path) -> None:
    study = add_whole_study(store, PatientFacts("1"), "1.2.3")
    again = open_store(url, tmp_path / "home" / "files")
    with again.read() as db:
        assert db.execute(text("SELECT id FROM studies")).scalars().all() == [study.id]
    again.close()


def test_an_older_database_is_upgraded_and_a_newer_one_refused(store: Store, url: str, tmp_path: Path) -> None:
    add_whole_study(store, PatientFacts("1"), "1.2.3")
    migrate(store.engine, later_steps(tmp_path / "steps"))
    with store.read() as db:
        assert db.execute(text("SELECT count(*) FROM studies")).scalar() == 1, "nothing that refers to it is lost"
        assert db.execute(text("SELECT shoe_size FROM patients")).scalars().all() == [None]
    assert verify_records(store).damages == ()
    with pytest.raises(RecordsRefused) as refused:
        open_store(url, tmp_path / "home" / "files")
    assert str(refused.value).startswith(
        "a newer version of Lumbago made these records (schema 9999); expected schema 0"
    )
    assert refused.value.exit_code == 6


def test_a_step_that_fails_changes_nothing(store: Store, tmp_path: Path) -> None:
    add_whole_study(store, PatientFacts("1"), "1.2.3")
    with pytest.raises(ZeroDivisionError):
        migrate(store.engine, later_steps(tmp_path / "steps", "1 / 0"))
    with store.read() as db:
        assert "shoe_size" not in {column["name"] for column in inspect(db).get_columns("patients")}
    migrate(store.engine)
    assert verify_records(store).damages == ()


def test_a_step_that_tears_references_is_taken_back(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'records.db'}", tmp_path / "files")
    add_whole_study(store, PatientFacts("1"), "1.2.3")
    with pytest.raises(RecordsRefused, match="hold together"):
        migrate(store.engine, later_steps(tmp_path / "steps", 'op.execute("DELETE FROM patients")'))
    assert verify_records(store).damages == ()


def test_a_database_of_others_is_left_alone(url: str, tmp_path: Path) -> None:
    engine = open_engine(url)
    with engine.begin() as db:
        db.execute(text("CREATE TABLE accounts (id INTEGER)"))
    with pytest.raises(RecordsRefused, match="other tables"):
        open_store(url, tmp_path / "home" / "files")
    with engine.connect() as db:
        assert inspect(db).get_table_names() == ["accounts"]
    engine.dispose()

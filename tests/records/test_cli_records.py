"""`lumbago records`: export, delete, backup, restore, verify, as a user types them."""

from pathlib import Path

import pytest
from made_up_records import add_whole_study
from typer.testing import CliRunner

from lumbago.cli import app
from lumbago.errors import LumbagoError, NotInRecords, RecordsDamaged, UsageError
from lumbago.records.patients import PatientFacts
from lumbago.records.store import Store, open_records
from lumbago.records.users import password_hash_of, user_named
from lumbago.settings import Settings
from lumbago.web.passwords import is_password


def lumbago(*words: str, says: str = "") -> str:
    done = CliRunner().invoke(app, ["records", *words], input=says)
    if isinstance(done.exception, LumbagoError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("LUMBAGO_HOME", str(tmp_path / "home"))
    store = open_records(Settings.read())
    add_whole_study(store, PatientFacts("4711", name="Doe^Jane"), "1.2.3")
    return store


def test_a_day_in_the_life_of_records(kept: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Written to" in lumbago("export", "4711", "--out", str(tmp_path / "out"))
    assert (tmp_path / "out" / "patient.json").is_file()
    assert "1 studies and 2 files" in lumbago("backup", str(tmp_path / "b.zip"))
    head = lumbago("verify").split()[-1]
    assert lumbago("verify", "--head", head).split()[-1] == head
    assert "Deleted, with 1 study" in lumbago("delete", "4711", "--yes")
    with pytest.raises(NotInRecords):
        lumbago("delete", "4711", "--yes")
    monkeypatch.setenv("LUMBAGO_HOME", str(tmp_path / "other"))
    assert "1 studies and 2 files" in lumbago("restore", str(tmp_path / "b.zip"))
    assert lumbago("export", "4711", "--out", str(tmp_path / "again"))
    with pytest.raises(RecordsDamaged, match="1 damages"):
        lumbago("verify", "--head", f"99:{'0' * 64}")
    with pytest.raises(UsageError, match="NUMBER:HASH"):
        lumbago("verify", "--head", "x")


def test_deleting_asks_first(kept: Store) -> None:
    done = CliRunner().invoke(app, ["records", "delete", "4711"], input="n\n")
    assert done.exit_code != 0 and "Delete this patient" in done.output
    assert "Deleted" in lumbago("delete", "4711", says="y\n")


def test_a_lost_password_is_given_anew(kept: Store) -> None:
    new = "five lumbar vertebrae"
    assert "anna signs in" in lumbago("password", "Anna", says=f"{new}\n{new}\n")
    with kept.read() as db:
        user = user_named(db, "anna")
        assert user is not None and is_password(new, password_hash_of(db, user.id))
    for name, password in (("nobody", new), ("anna", "12345678")):
        with pytest.raises(UsageError):
            lumbago("password", name, says=f"{password}\n{password}\n")


def test_damage_is_named(kept: Store) -> None:
    next(iter(kept.blobs)).write_bytes(b"x")
    with pytest.raises(RecordsDamaged) as damaged:
        lumbago("verify")
    assert damaged.value.exit_code == 6

"""A patient exported, deleted; all records backed up, restored, verified."""

import io
import json
import os
import re
import stat
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up_records import add_whole_study
from sqlalchemy import select, text

from lumbago.errors import NotInRecords, RecordsDamaged, RecordsRefused, UsageError
from lumbago.records.audit import Actor, AuditQuery, audit_lines, verify_audit
from lumbago.records.backup import back_up, restore
from lumbago.records.delete_patient import delete_patient, delete_study
from lumbago.records.export_patient import export_patient
from lumbago.records.files import add_file, damaged_files, sweep
from lumbago.records.jobs import add_job
from lumbago.records.patients import PatientFacts
from lumbago.records.store import Store, open_store
from lumbago.records.studies import Study
from lumbago.records.tables import METADATA
from lumbago.records.verify import verify_records

ME = Actor(user_name="me")
JANE = PatientFacts("4711", "hospital", "Doe^Jane<script>", "F", "1970-12-31")
JOHN = PatientFacts("4712", "hospital", "Roe^John")


@pytest.fixture
def studies(store: Store) -> list[Study]:
    """Two of Jane's, one of John's with the same file as Jane's first."""
    return [
        add_whole_study(store, JANE, "1.2.1"), add_whole_study(store, JANE, "1.2.2", b"her second"),
        add_whole_study(store, JOHN, "1.2.3"),
    ]  # fmt: skip


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'other' / 'records.db'}", tmp_path / "other" / "files")
    yield opened
    opened.close()


def grow_old(store: Store) -> None:
    for path in store.blobs:
        os.utime(path, (time.time() - 7200,) * 2)


def contents(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with store.read() as db:
        rows = {table.name: [tuple(row) for row in db.execute(select(table))] for table in METADATA.sorted_tables}
    return {name: sorted(table, key=repr) for name, table in rows.items()}


def test_an_export_holds_all_of_a_patient(store: Store, studies: list[Study], tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_patient(store, "4711", out, ME)
    patient = json.loads((out / "patient.json").read_text())
    assert (patient["name"], patient["studies"]) == ("Doe^Jane<script>", [row.id for row in studies[:2]])
    study = json.loads((out / studies[1].id / "study.json").read_text())
    assert [row["version"] for row in study["findings"]] == [2, 1] and study["findings"][1]["manifest"] == {
        "seconds": 1.5
    }
    assert (study["reviews"][0]["user_name"], study["reviews"][0]["payload"]) == ("anna", {"grade": "moderate"})
    assert study["series"][0]["role"] == "sagittal_t2"
    written = {row["kind"]: row["written"] for row in study["files"]}
    assert written == {"received": "001-received.zip", "heat_map": "002-heat_map.png"}
    assert (out / studies[1].id / "001-received.zip").read_bytes() == b"her second"
    trail = json.loads((out / "audit.json").read_text())
    assert {line["action"] for line in trail} == {"receive", "export patient"}
    assert not [path for path in out.rglob("*") if studies[2].id in str(path)], "nothing of another patient"
    with pytest.raises(UsageError, match="there already"):
        export_patient(store, "4711", out, ME)


def test_the_patient_meant_must_be_one(store: Store, studies: list[Study], tmp_path: Path) -> None:
    other = add_whole_study(store, PatientFacts("4711", "practice"), "1.2.9")
    for do in (
        lambda name: export_patient(store, name, tmp_path / "x", ME),
        lambda name: delete_patient(store, name, ME),
    ):
        with pytest.raises(UsageError, match="2 patients"):
            do("4711")
        with pytest.raises(NotInRecords):
            do("nobody")
    assert delete_patient(store, other.patient.id, ME) == 1


def test_a_deleted_patient_is_gone(store: Store, studies: list[Study], tmp_path: Path) -> None:
    grow_old(store)
    before = {path.read_bytes() for path in store.blobs}
    assert delete_patient(store, "4711", ME) == 2
    assert before - {path.read_bytes() for path in store.blobs} == {
        b"her second",
        b"picture of 1.2.1",
        b"picture of 1.2.2",
    }
    kept = {name: repr(rows) for name, rows in contents(store).items()}
    for table, text_ in kept.items():
        words = ("Doe", "4711", "1.2.1", "1.2.2", "1970")
        assert not [word for word in words if re.search(rf"\b{re.escape(word)}\b", text_)], table
        assert table == "audit" or not [row for row in studies[:2] if row.id in text_], table
    assert "Roe^John" in kept["patients"]
    with store.read() as db:
        (line, *_) = audit_lines(db, AuditQuery(limit=1))
        assert (line.action, line.event, line.detail) == ("delete patient", 110105, {"studies": 2, "files": 4})
        assert line.patient_id == studies[0].patient.id and damaged_files(db, store.blobs) == []
    assert verify_records(store).damages == ()
    if store.engine.dialect.name == "sqlite":
        content = (tmp_path / "home" / "records.db").read_bytes()
        assert b"Doe^Jane" not in content and b"Roe^John" in content


def test_no_archive_of_labels_and_no_upload_keeps_a_deleted_patient(store: Store, studies: list[Study]) -> None:
    ids = {"hers": [studies[0].id, studies[2].id], "his": [studies[2].id]}
    for whose, named in ids.items():
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("exported.json", json.dumps({study: [] for study in named}))
        blob = store.blobs.keep([packed.getvalue()])
        with store.write() as db:
            add_file(db, blob, "export", f"{whose}.zip")
            add_job(db, "receive", None, {"name": f"scans of {whose}", "studies": named})
    with store.write() as db:
        add_job(db, "receive", None, {"name": "still to be read"})
    grow_old(store)
    delete_patient(store, "4711", ME)
    kept = repr(contents(store))
    assert "hers" not in kept and "scans of his" in kept and "his.zip" in kept and "still to be read" in kept
    assert sum(path.read_bytes().startswith(b"PK") for path in store.blobs) == 1


def test_a_file_on_its_way_to_another_study_is_not_deleted(store: Store, studies: list[Study]) -> None:
    delete_study(store, studies[1].id, ME)
    assert b"her second" in {path.read_bytes() for path in store.blobs}, "it came a moment ago"
    grow_old(store)
    with store.write() as db:
        assert sweep(db, store.blobs) == 2
    with pytest.raises(NotInRecords):
        delete_study(store, studies[1].id, ME)


def test_a_backup_is_the_records_of_one_moment(
    store: Store, studies: list[Study], elsewhere: Store, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    summary = back_up(store, file, ME)
    before = contents(store)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and summary["rows"]["studies"] == 3 and summary["files"] == 5
    assert not list(tmp_path.glob("*.part")) and [path.name for path in (tmp_path / "home").glob("tmp*")] == []
    add_whole_study(store, JANE, "1.2.4")
    assert restore(elsewhere, file, ME)["audit"] == summary["audit"]
    after = contents(elsewhere)
    added, trail = after.pop("audit"), before.pop("audit")
    assert after == before and len(added) == len(trail) + 1 and all(row in added for row in trail)
    assert verify_records(elsewhere).damages == ()
    assert {path.read_bytes() for path in elsewhere.blobs} == {path.read_bytes() for path in store.blobs} - {
        b"picture of 1.2.4"
    }


def test_sessions_are_not_backed_up(store: Store, studies: list[Study], tmp_path: Path) -> None:
    back_up(store, tmp_path / "b.zip", ME)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert "tables/sessions.jsonl" not in archive.namelist() and "tables/users.jsonl" in archive.namelist()


def test_a_backup_goes_into_empty_records_alone(store: Store, studies: list[Study], tmp_path: Path) -> None:
    back_up(store, tmp_path / "b.zip", ME)
    with pytest.raises(RecordsRefused, match="not empty"):
        restore(store, tmp_path / "b.zip", ME)
    with pytest.raises(UsageError, match="there already"):
        back_up(store, tmp_path / "b.zip", ME)
    with pytest.raises(UsageError, match="no file"):
        restore(store, tmp_path / "c.zip", ME)


def rewritten(file: Path, **changes: object) -> None:
    """The backup with some of its members changed, or left out (None)."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            change = next((change for key, change in changes.items() if name.startswith(key)), lambda old: old)
            if change is not None:
                archive.writestr(name, change(content))  # type: ignore[operator]


HARMS = {
    "a file": {"files/": lambda old: old + b"x"},
    "an audit line": {"tables/audit": lambda old: old.replace(b"receive", b"deceive")},
    "the audit's end": {"tables/audit": lambda old: b"".join(old.splitlines(True)[:-1])},
    "a row": {"tables/reviews": lambda old: b"".join(old.splitlines(True)[:-1])},
    "a line": {"tables/studies": lambda old: old[:-10]},
    "a table": {"tables/jobs": None},
    "its summary": {"backup.json": None},
    "its schema": {"backup.json": lambda old: old.replace(b'"0001"', b'"9999"')},
    "its kind": {"backup.json": lambda old: old.replace(b"lumbago/backup/1", b"another/thing/1")},
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_backup_is_refused_whole(tmp_path: Path, elsewhere: Store, harm: str) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'home' / 'records.db'}", tmp_path / "home" / "files")
    add_whole_study(store, JANE, "1.2.1")
    back_up(store, tmp_path / "b.zip", ME)
    rewritten(tmp_path / "b.zip", **HARMS[harm])
    with pytest.raises((RecordsDamaged, RecordsRefused)):
        restore(elsewhere, tmp_path / "b.zip", ME)
    assert not any(rows for rows in contents(elsewhere).values())


def test_no_backup_is_made_of_damaged_records(store: Store, studies: list[Study], tmp_path: Path) -> None:
    next(iter(store.blobs)).write_bytes(b"other bytes")
    with pytest.raises(RecordsDamaged):
        back_up(store, tmp_path / "b.zip", ME)
    assert list(tmp_path.glob("b.zip*")) == []


DAMAGES = {
    "findings": "UPDATE findings SET content = '{}' WHERE version = 1",
    "review": 'UPDATE reviews SET payload = \'{"grade": "severe"}\'',
    "audit": "UPDATE audit SET action = 'nothing' WHERE number = 2",
}


@pytest.mark.parametrize("what", DAMAGES)
def test_what_was_changed_behind_our_back_is_named(store: Store, studies: list[Study], what: str) -> None:
    assert verify_records(store).damages == ()
    with store.write() as db:
        db.execute(text(DAMAGES[what]))
    damages = verify_records(store).damages
    assert damages and all(what in damage for damage in damages)


def test_damaged_files_are_named_and_the_rest_counts(store: Store, studies: list[Study]) -> None:
    paths = list(store.blobs)
    for path in paths[:2]:
        path.write_bytes(b"other bytes")
    found = verify_records(store)
    assert len(found.damages) in {2, 3} and all(damage.startswith("file") for damage in found.damages)
    with store.read() as db:
        assert found.head == verify_audit(db)

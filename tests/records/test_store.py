"""What the records keep, on each database: patients and studies, versions, the worklist, the queue, files."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from made_up_records import MILD, PLACE, SURE, add_whole_study, findings, graded, someone
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from lumbago.errors import NotInRecords, RecordsDamaged, RecordsFull, RecordsRefused, SettingsRefused, UsageError
from lumbago.records.audit import Actor, Deed, Event, append_line, verify_audit
from lumbago.records.blobs import Blobs
from lumbago.records.database import WAL_RESET_BUG, refuse_journal
from lumbago.records.files import (
    add_file,
    bytes_kept,
    damaged_files,
    drop_file,
    files_of_study,
    make_room,
    sweep,
    touch_file,
)
from lumbago.records.findings import add_findings, findings_of_study, machine_findings, newest_findings
from lumbago.records.jobs import add_job, fail_job, find_job, finish_job, renew_job, take_job
from lumbago.records.patients import PatientFacts, add_patient, patients_named
from lumbago.records.reviews import Remark, add_review, reviews_of_study
from lumbago.records.store import Store, open_store
from lumbago.records.studies import (
    STATES,
    StudyFacts,
    add_study,
    find_study,
    series_of,
    set_state,
    studies_of_patient,
    studies_with_uid,
)
from lumbago.records.tables import JOBS, SESSIONS, STUDIES, now
from lumbago.records.tidy import refuse_when_full, tidy
from lumbago.records.users import add_session, find_session
from lumbago.records.worklist import ORDERS, WorklistQuery, counts_by_state, worklist
from lumbago.settings import Settings

JANE = PatientFacts("4711", "hospital", "Doe^Jane", "F", "1970-12-31")


def test_a_patient_is_told_by_id_and_issuer(store: Store) -> None:
    with store.write() as db:
        jane = add_patient(db, JANE)
        assert add_patient(db, PatientFacts("4711", "hospital", "Doe^J")) == jane
        assert add_patient(db, PatientFacts("4711", "practice")).id != jane.id
        assert add_patient(db, PatientFacts("4711", "practice", JANE.name, "F", JANE.birth_date)).id != jane.id
        assert add_patient(db, PatientFacts("4711")).id != jane.id
        assert add_patient(db, replace(JANE, issuer="")) == jane
        assert add_patient(db, PatientFacts("")).id != add_patient(db, PatientFacts("")).id
        assert len(patients_named(db, "4711")) == 3 and patients_named(db, jane.id) == [jane]
        assert patients_named(db, "") != [jane]


def test_one_number_of_two_people_mixes_no_histories(store: Store) -> None:
    with store.write() as db:
        jane = add_patient(db, JANE)
        married = PatientFacts("4711", "hospital", "Roe^Joan", "F", "1970-12-31")
        others = [
            PatientFacts("4711", "hospital", "Doe^Jane", "F", "1950-01-02"),
            PatientFacts("4711", "hospital", "Doe^Jane", "M"),
            PatientFacts("4711", "hospital", "Roe^Richard"),
        ]
        ids = [add_patient(db, facts).id for facts in others]
        assert len({jane.id, *ids}) == 4 and add_patient(db, married) == add_patient(db, JANE) == jane
        assert [add_patient(db, facts).id for facts in others] == ids
        assert add_patient(db, PatientFacts("4711", "hospital", "DOE JANE")) == jane


def test_a_study_is_kept_once(store: Store) -> None:
    with store.write() as db:
        study = add_study(db, JANE, StudyFacts("1.2.3", "2026-11-21"))
        assert add_study(db, JANE, StudyFacts("1.2.3", "2026-11-21", "again")) == study
        mixed = add_study(db, PatientFacts("other"), StudyFacts("1.2.3"))
    with store.read() as db:
        assert [row.id for row in studies_with_uid(db, "1.2.3")] == [study.id, mixed.id]
        assert list(studies_of_patient(db, study.patient.id)) == [study] and find_study(db, study.id) == study
        with pytest.raises(NotInRecords):
            find_study(db, "x")


def test_a_study_stays_with_its_patient_when_a_part_names_no_issuer(store: Store) -> None:
    here, there = PatientFacts("1", "here"), PatientFacts("1", "there")
    with store.write() as db:
        study = add_study(db, PatientFacts("1"), StudyFacts("1.2.3"))
        assert add_study(db, here, StudyFacts("1.2.3")) == study
        others = [add_study(db, facts, StudyFacts(f"1.2.{facts.issuer}")) for facts in (here, there)]
        assert len({one.patient.id for one in (study, *others)}) == 3
        assert add_study(db, PatientFacts("1"), StudyFacts("1.2.there")) == others[1]


def test_a_study_without_a_patient_id_is_kept_once(store: Store) -> None:
    """As files are whose names were taken out; another person's of this StudyInstanceUID is another study."""
    nobody = PatientFacts("", birth_date="1970-12-31")
    with store.write() as db:
        study = add_study(db, nobody, StudyFacts("1.2.3"))
        assert (
            add_study(db, nobody, StudyFacts("1.2.3")) == add_study(db, PatientFacts(""), StudyFacts("1.2.3")) == study
        )
        others = [
            add_study(db, PatientFacts("", birth_date="1950-01-02"), StudyFacts("1.2.3")),
            add_study(db, PatientFacts("4711"), StudyFacts("1.2.3")),
            add_study(db, nobody, StudyFacts("1.2.4")),
        ]
        assert len({one.patient.id for one in (study, *others)}) == 4, "a person is known by the study alone"


def test_a_study_of_nobody_that_may_be_of_two_is_kept_once(store: Store) -> None:
    """Else each upload of one that is kept twice makes another study."""
    told = [PatientFacts("", birth_date="1970-12-31"), PatientFacts("", birth_date="1950-01-02"), PatientFacts("")]
    with store.write() as db:
        first = [add_study(db, facts, StudyFacts("1.2.3")) for facts in told]
        assert len({study.id for study in first}) == 3
        assert [add_study(db, facts, StudyFacts("1.2.3")) for facts in told] == first


def test_a_study_without_a_date_is_as_old_as_its_receiving(store: Store) -> None:
    with store.write() as db:
        rows = [add_study(db, JANE, StudyFacts(uid, date)) for uid, date in (("1", "2020-01-02"), ("2", ""), ("3", ""))]
        later = add_study(db, JANE, StudyFacts("4", "2999-01-02"))
        found = studies_of_patient(db, later.patient.id)
    assert [study.id for study in found] == [*(study.id for study in rows), later.id]


def test_times_know_their_zone(store: Store) -> None:
    with store.write() as db:
        study = add_study(db, JANE, StudyFacts("1.2.3"))
    assert study.received_at.utcoffset() == timedelta(0) and abs(now() - study.received_at) < timedelta(minutes=5)


def test_nothing_is_kept_of_a_block_that_raises(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as db:
        add_study(db, JANE, StudyFacts("1.2.3"))
        _ = 1 / 0
    with store.read() as db:
        assert studies_with_uid(db, "1.2.3") == []


def test_what_reads_does_not_write(store: Store, url: str) -> None:
    if url.startswith("postgresql"):
        with pytest.raises(Exception, match="read-only"), store.read() as db:
            add_patient(db, JANE)


def test_references_lead_somewhere(store: Store) -> None:
    with pytest.raises(IntegrityError), store.write() as db:
        add_job(db, "analyze", "no such study")


def test_every_version_of_the_findings_is_kept(store: Store) -> None:
    study = add_whole_study(store, JANE, "1.2.3")
    with store.read() as db:
        newest, machine = newest_findings(db, study.id), machine_findings(db, study.id)
        assert newest is not None and machine is not None
        assert (newest.version, machine.version) == (2, 1) and newest.made_by != machine.made_by == "machine"
        assert [row.version for row in findings_of_study(db, study.id)] == [2, 1]
        assert machine.findings == findings(graded("severe", SURE)) and machine.manifest == {"seconds": 1.5}
        found = find_study(db, study.id)
        assert (found.severity, found.uncertainty) == (0.5, 0.0), "the worklist goes by the newest"
        (review,) = reviews_of_study(db, study.id)
        assert review.findings_id == machine.id and review.payload == {"grade": "moderate"}
        assert series_of(db, study.id)[0].role == "sagittal_t2"


def test_what_there_is_no_word_for_is_refused(store: Store) -> None:
    study = add_whole_study(store, JANE, "1.2.3")
    with store.write() as db:
        for state in STATES:
            set_state(db, study.id, state, "because")  # type: ignore[arg-type]
        with pytest.raises(Exception, match=r"state|Literal"):
            set_state(db, study.id, "lost")  # type: ignore[arg-type]
        with pytest.raises(Exception, match=r"kind|Literal"):
            add_review(db, (study.id, study.id), someone(db).id, Remark("shout", *PLACE))  # type: ignore[arg-type]


# worklist


@pytest.fixture
def listed(store: Store) -> Store:
    rows = [
        ("Doe^Jane", "2026-01-01", graded("severe", SURE)),
        ("Ångström^Li", "2026-02-01", graded("normal_mild", {"normal_mild": 0.4, "moderate": 0.3, "severe": 0.3})),
        ("Doe^John", "2026-03-01", graded("moderate", {"normal_mild": 0.1, "moderate": 0.9, "severe": 0.0})),
        ("Roe^100%_x", "", None),
    ]
    with store.write() as db:
        for number, (name, date, finding) in enumerate(rows):
            facts = StudyFacts(f"1.2.{number}", date, "LUMBAR SPINE", f"A{number}")
            study = add_study(db, PatientFacts(f"P{number}", name=name), facts)
            if finding is not None:
                add_findings(db, study.id, findings(finding), {})
                set_state(db, study.id, "analyzed")
    return store


def found(store: Store, **query: object) -> list[str]:
    with store.read() as db:
        page = worklist(db, WorklistQuery(**query))  # type: ignore[arg-type]
        assert page.total == len(page.studies) or "limit" in query
        return [study.patient.patient_id for study in page.studies]


SEARCHES = {
    "doe": {"P0", "P2"}, "DOE jane": {"P0"}, "jane doe": {"P0"}, "ÅNGSTRÖM": {"P1"}, "p3": {"P3"}, "1.2.2": {"P2"},
    "a1": {"P1"}, "lumbar": {"P0", "P1", "P2", "P3"}, "100%": {"P3"}, "%": {"P3"}, "_": {"P3"}, "nobody": set(),
    "' or 1=1 --": set(), "": {"P0", "P1", "P2", "P3"}, "doe^john": {"P2"},
}  # fmt: skip


@pytest.mark.parametrize("words", SEARCHES)
def test_search(listed: Store, words: str) -> None:
    assert set(found(listed, search=words)) == SEARCHES[words]


def test_order(listed: Store) -> None:
    wanted = {
        "severity": ["P0", "P2", "P1"], "uncertainty": ["P1", "P2", "P0"], "received": ["P3", "P2", "P1", "P0"],
        "date": ["P2", "P1", "P0", "P3"], "name": ["P0", "P2", "P3", "P1"],
    }  # fmt: skip
    assert set(wanted) == set(ORDERS)
    for order, patients in wanted.items():
        assert found(listed, order=order)[: len(patients)] == patients, order
    assert found(listed, order="severity")[-1] == found(listed, order="severity", reverse=True)[-1] == "P3"
    assert found(listed, order="severity", reverse=True)[:3] == ["P1", "P2", "P0"]


def test_a_text_that_the_database_cannot_hold_is_told_in_one_sentence(store: Store) -> None:
    """As addresses bring it from anybody; SQLite holds it."""
    for do in (lambda: found(store, search="\0"), lambda: add_whole_study(store, replace(JANE, name="\0"), "1.2.3")):
        try:
            do()
        except UsageError as error:
            assert "cannot keep" in str(error)
        else:
            assert store.engine.dialect.name == "sqlite"


def test_filters(listed: Store) -> None:
    assert set(found(listed, states=("analyzed",))) == {"P0", "P1", "P2"}
    assert set(found(listed, first_date="2026-02-01")) == {"P1", "P2"}
    assert set(found(listed, last_date="2026-02-01")) == {"P0", "P1"}
    assert set(found(listed, least_severity=0.5)) == {"P0", "P2"}
    assert found(listed, order="date", limit=2, offset=1) == ["P1", "P0"]
    with listed.read() as db:
        assert counts_by_state(db) == {"analyzed": 3, "received": 1}
        assert worklist(db, WorklistQuery(limit=2)).total == 4


def test_abstained_findings_are_unsure(store: Store) -> None:
    with store.write() as db:
        study = add_study(db, JANE, StudyFacts("1.2.3"))
        add_findings(db, study.id, findings(graded(None, MILD), graded("severe", SURE)), {})
        assert find_study(db, study.id).uncertainty == 0.5
        add_findings(db, study.id, findings(), {})
        assert find_study(db, study.id).severity is None is find_study(db, study.id).uncertainty


# queue


def test_jobs_go_out_in_order_and_once(store: Store) -> None:
    with store.write() as db:
        add_job(db, "b")
        add_job(db, "c")
        add_job(db, "a", priority=1)
    taken = []
    for worker in "xyzw":
        with store.write() as db:
            taken.append(take_job(db, worker, 60.0))
    assert [job.kind for job in taken if job] == ["a", "b", "c"] and taken[3] is None


def test_a_lease_that_runs_out_gives_the_job_to_the_next(store: Store) -> None:
    with store.write() as db:
        add_job(db, "analyze")
        first = take_job(db, "x", 60.0)
        assert first is not None
        renew_job(db, first, 60.0, 0.5, "half")
        assert take_job(db, "y", 60.0) is None and find_job(db, first.id).progress == 0.5
        db.execute(update(JOBS).values(lease_until=now() - timedelta(seconds=1)))
        second = take_job(db, "y", 60.0)
        assert second is not None and (second.id, second.attempts) == (first.id, 2)
        with pytest.raises(NotInRecords):
            finish_job(db, first)
        finish_job(db, second)
        assert find_job(db, first.id).state == "done"


def test_a_job_that_kills_its_worker_is_parked(store: Store) -> None:
    with store.write() as db:
        job = add_job(db, "poison")
        for worker in "xyz":
            assert take_job(db, worker, 60.0) is not None
            db.execute(update(JOBS).values(lease_until=now() - timedelta(seconds=1)))
        assert take_job(db, "w", 60.0) is None and find_job(db, job.id).state == "failed"


def test_a_job_that_fails_is_tried_again_or_parked(store: Store) -> None:
    with store.write() as db:
        job = add_job(db, "analyze")
        for number in range(3):
            taken = take_job(db, "x", 60.0)
            assert taken is not None and taken.attempts == number + 1
            fail_job(db, taken, "no", retry=True)
        assert find_job(db, job.id).state == "failed" and take_job(db, "x", 60.0) is None
        add_job(db, "other")
        taken = take_job(db, "x", 60.0)
        assert taken is not None
        fail_job(db, taken, "never", retry=False)
        assert find_job(db, taken.id).error == "never" and take_job(db, "x", 60.0) is None


def test_writers_wait_for_each_other(store: Store) -> None:
    def work(name: str) -> None:
        for _ in range(10):
            with store.write() as db:
                append_line(db, Actor(name), Deed(Event.QUERY, "search"))
                add_job(db, name)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, "abcdef"))
    with store.read() as db:
        assert verify_audit(db).number == 60 and len(db.execute(select(JOBS)).all()) == 60


# files


def test_the_same_bytes_are_kept_once(store: Store) -> None:
    one, two = store.blobs.keep([b"ab", b"c"]), store.blobs.keep([b"abc"])
    assert one == two and len(list(store.blobs)) == 1 and store.blobs.read(one.sha256) == b"abc"
    study = add_whole_study(store, JANE, "1.2.3")
    with store.write() as db:
        first = add_file(db, one, "volume", "v", study.id)
        assert add_file(db, two, "volume", "v", study.id).id == first.id
        add_file(db, one, "feature", "f")
        assert bytes_kept(db) == 3 + len(b"a zip") + len(b"picture of 1.2.3")
        assert [file.kind for file in files_of_study(db, study.id, ["volume"])] == ["volume"]
        assert add_file(db, one, "volume", "v", None).id == add_file(db, one, "volume", "v", None).id


def test_bytes_said_again_are_the_newest(store: Store) -> None:
    study = add_whole_study(store, JANE, "1.2.3")
    with store.write() as db:
        for content in (b"one", b"two", b"one"):
            last = add_file(db, store.blobs.keep([content]), "heat_map", "again.png", study.id)
        maps = [file for file in files_of_study(db, study.id, ["heat_map"]) if file.name == "again.png"]
    assert len(maps) == 2 and maps[-1] == last and store.blobs.read(last.sha256) == b"one"


def test_what_can_be_made_again_goes_first(store: Store) -> None:
    with store.write() as db:
        kept = add_file(db, store.blobs.keep([b"r" * 50]), "received", "r")
        old = add_file(db, store.blobs.keep([b"o" * 30]), "volume", "o")
        young = add_file(db, store.blobs.keep([b"y" * 20]), "feature", "y")
        touch_file(db, old.id)
        assert make_room(db, 100) == 0 and make_room(db, 100, 10) == 1
        assert bytes_kept(db) == 80, "the one that was longest unused is gone"
        drop_file(db, young.id)
        with pytest.raises(RecordsFull, match="quota"):
            make_room(db, 49)
        assert kept.sha256


def test_a_file_named_twice_makes_no_room(store: Store) -> None:
    blob = store.blobs.keep([b"v" * 50])
    with store.write() as db:
        add_file(db, blob, "received", "r")
        add_file(db, blob, "volume", "v")
        with pytest.raises(RecordsFull):
            make_room(db, 49)
    with pytest.raises(RecordsFull, match="LUMBAGO_QUOTA_GB"):
        refuse_when_full(store, Settings(quota_gb=1), 10**9)
    refuse_when_full(store, Settings(quota_gb=1), 10**9 - 50)


def test_tidying_ends_sessions_and_sweeps(store: Store) -> None:
    with store.write() as db:
        user = someone(db)
        for hours in (0, 1, 13):
            session = add_session(db, user.id, f"secret {hours}", "")
            moment = session.seen_at - timedelta(hours=hours)
            db.execute(update(SESSIONS).where(SESSIONS.c.hash == session.hash).values(seen_at=moment))
        old = store.blobs.place(store.blobs.keep([b"nobody's"]).sha256)
        young = store.blobs.place(store.blobs.keep([b"on its way"]).sha256)
    os.utime(old, (0, 0))
    tidy(store, Settings())
    with store.read() as db:
        assert [find_session(db, f"secret {hours}") is not None for hours in (0, 1, 13)] == [True, False, False]
    assert young.is_file() and not old.exists()


def test_what_nothing_names_is_swept_away_after_a_while(store: Store) -> None:
    study = add_whole_study(store, JANE, "1.2.3")
    store.blobs.keep([b"nobody's"])
    (store.blobs.folder / "incoming" / "half").write_bytes(b"never came to its end")
    with store.write() as db:
        assert sweep(db, store.blobs) == 0 and sweep(db, store.blobs, 0.0) == 2
        assert damaged_files(db, store.blobs) == [] and len(files_of_study(db, study.id)) == 2


@pytest.mark.parametrize("harm", ["flip", "cut", "gone"])
def test_a_damaged_file_is_told_of(store: Store, harm: str) -> None:
    study = add_whole_study(store, JANE, "1.2.3")
    with store.read() as db:
        file, other = files_of_study(db, study.id)
    place = store.blobs.place(file.sha256)
    place.write_bytes({"flip": b"b zip", "cut": b"a z", "gone": b""}[harm])
    if harm == "gone":
        place.unlink()
    for look in (store.blobs.read, store.blobs.checked):
        with pytest.raises(RecordsDamaged, match=file.sha256[:12]):
            look(file.sha256)
    with store.read() as db:
        assert damaged_files(db, store.blobs) == [file]
    assert store.blobs.read(other.sha256)
    store.blobs.keep([b"a zip"])  # received again: whole again
    assert store.blobs.read(file.sha256) == b"a zip"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_no_path_is_made_of_what_is_no_checksum(store: Store, name: str) -> None:
    with pytest.raises(NotInRecords):
        store.blobs.read(name)


def test_a_full_disk_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RecordsFull, match="No space left"):
            store.blobs.keep([b"abc"])
    monkeypatch.setattr("lumbago.records.blobs.LEAVE_FREE", 1 << 62)
    with pytest.raises(RecordsFull, match="full"):
        store.blobs.keep([b"abc"])
    assert list(store.blobs) == []


# SQLite alone


def sqlite_store(folder: Path) -> Store:
    return open_store(f"sqlite:///{folder / 'home' / 'records.db'}", folder / "home" / "files")


def test_only_the_owner_reads(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        home = tmp_path / "home"
        home.mkdir()
        (home / "records.db").touch(0o666)
        store = sqlite_store(tmp_path)
        blob = store.blobs.keep([b"abc"])
    finally:
        os.umask(previous)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home / "records.db", home / "files")}
    place = store.blobs.place(blob.sha256)
    assert modes == {"records.db": 0o600, "files": 0o700}
    assert stat.S_IMODE(place.stat().st_mode) == 0o600 and stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_what_is_said_to_be_kept_is_synced(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    with store.read() as db:
        answers = {name: db.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")}
        answers |= {name: db.execute(text(f"PRAGMA {name}")).scalar() for name in ("foreign_keys", "secure_delete")}
    assert answers == {"journal_mode": "truncate", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_a_write_ahead_log_is_taken_off_or_refused(tmp_path: Path) -> None:
    import sqlite3

    store = sqlite_store(tmp_path)
    store.close()
    other = sqlite3.connect(tmp_path / "home" / "records.db")
    assert other.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
    other.close()
    with sqlite_store(tmp_path).read() as db:
        assert db.execute(text("PRAGMA journal_mode")).scalar() == "truncate"
    first, last = WAL_RESET_BUG
    for version in (first, (3, 40, 1), last):
        with pytest.raises(RecordsRefused, match="write-ahead"):
            refuse_journal("wal", version)
    refuse_journal("wal", (3, 51, 3))
    refuse_journal("truncate", (3, 40, 1))


@pytest.mark.parametrize("url", ["", "records.db", "mysql://host/name", "sqlite://", "sqlite:///:memory:"])
def test_addresses_that_cannot_be_used(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="LUMBAGO_DATABASE"):
        open_store(url, tmp_path / "files")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "records.db").write_text("no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(RecordsRefused, match="not a database"):
        open_store(f"sqlite:///{tmp_path / 'records.db'}", tmp_path / "files")
    with pytest.raises(RecordsRefused, match="cannot be written"):
        open_store(f"sqlite:///{tmp_path / 'records.db' / 'x'}", tmp_path / "files")
    with pytest.raises(RecordsRefused, match="cannot be written"):
        Blobs.at(tmp_path / "records.db" / "files")
    with pytest.raises(RecordsRefused, match="cannot be opened"):
        open_store("postgresql://nobody@127.0.0.1:1/nothing", tmp_path / "files")


def test_a_deleted_row_is_overwritten(tmp_path: Path) -> None:
    store = sqlite_store(tmp_path)
    with store.write() as db:
        study = add_study(db, PatientFacts("1", name="Unforgettable"), StudyFacts("1.2.3"))
    assert b"Unforgettable" in (tmp_path / "home" / "records.db").read_bytes()
    with store.write() as db:
        db.execute(STUDIES.delete().where(STUDIES.c.id == study.id))
        db.execute(text("DELETE FROM patients"))
    assert b"Unforgettable" not in (tmp_path / "home" / "records.db").read_bytes()


def test_usage_errors_are_ours(listed: Store) -> None:
    with listed.read() as db, pytest.raises(Exception, match=r"order|Literal"):
        worklist(db, WorklistQuery(order="colour"))  # type: ignore[arg-type]

"""The audit trail: every kind of tampering is found."""

import random

import pytest
from sqlalchemy import text

from lumbago.errors import RecordsDamaged
from lumbago.records.audit import Actor, AuditQuery, Deed, Event, Head, append_line, audit_lines, verify_audit
from lumbago.records.store import Store


@pytest.fixture
def trail(store: Store) -> Store:
    with store.write() as db:
        for number in range(20):
            actor = Actor(f"u{number % 3}", f"user {number % 3}", "10.0.0.1")
            append_line(
                db, actor, Deed(Event.QUERY, "search", "success", "s" * 32, "p" * 32, {"found": number, "ä": 0.1})
            )
    return store


def tamper(store: Store, *statements: str) -> None:
    with store.write() as db:
        for statement in statements:
            db.execute(text(statement))


def test_the_chain_holds(trail: Store) -> None:
    with trail.read() as db:
        head = verify_audit(db)
        assert head.number == 20 and verify_audit(db, head) == head
        assert [line.number for line in audit_lines(db, AuditQuery(limit=3))] == [20, 19, 18]
        assert [line.number for line in audit_lines(db, AuditQuery(user_id="u1", before=10))] == [8, 5, 2]
        assert list(audit_lines(db, AuditQuery(patient_id="q"))) == []


COLUMNS = ("at", "event", "action", "outcome", "user_id", "user_name", "address", "study_id", "patient_id", "detail",
           "previous", "hash")  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_line_is_found(trail: Store, column: str) -> None:
    number = random.Random(column).randint(1, 20)
    value = {"at": "'2020-01-01 00:00:00'", "event": "110105", "detail": "'{\"found\": 99}'"}.get(column, "'other'")
    tamper(trail, f"UPDATE audit SET {column} = {value} WHERE number = {number}")
    with trail.read() as db, pytest.raises(RecordsDamaged, match=f"line {number}"):
        verify_audit(db)


@pytest.mark.parametrize("number", [1, 7, 19])
def test_a_line_taken_out_is_found(trail: Store, number: int) -> None:
    tamper(trail, f"DELETE FROM audit WHERE number = {number}")
    with trail.read() as db, pytest.raises(RecordsDamaged, match=f"line {number}"):
        verify_audit(db)
    tamper(trail, f"UPDATE audit SET number = -number WHERE number > {number}",
           f"UPDATE audit SET number = -number - 1 WHERE number < -{number}")  # fmt: skip
    with trail.read() as db, pytest.raises(RecordsDamaged, match=f"line {number}"):
        verify_audit(db)


def test_lines_that_change_places_are_found(trail: Store) -> None:
    tamper(trail, "UPDATE audit SET number = 99 WHERE number = 4", "UPDATE audit SET number = 4 WHERE number = 5",
           "UPDATE audit SET number = 5 WHERE number = 99")  # fmt: skip
    with trail.read() as db, pytest.raises(RecordsDamaged, match="line 4"):
        verify_audit(db)


def test_a_tail_cut_off_is_found_against_a_head_written_down(trail: Store) -> None:
    with trail.read() as db:
        head = verify_audit(db)
    tamper(trail, "DELETE FROM audit WHERE number > 15")
    with trail.read() as db:
        assert verify_audit(db).number == 15
        with pytest.raises(RecordsDamaged, match="ends at line 15"):
            verify_audit(db, head)
    with trail.write() as db:
        for _ in range(5):
            append_line(db, Actor(), Deed(Event.QUERY, "made up later"))
    with trail.read() as db, pytest.raises(RecordsDamaged, match="line 20"):
        verify_audit(db, head)
    with trail.read() as db:
        assert verify_audit(db, Head(0, "")).number == 20

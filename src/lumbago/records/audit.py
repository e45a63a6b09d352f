"""The audit trail: who did what to whose study, each line chained to the one before by its hash.

Events are those of DICOM PS3.15 A.5. Lines name studies and patients by our random ids alone, so that they mean nothing
once the patient is deleted. A line changed, moved or cut out of the middle breaks the chain; that the end was cut off
shows against a head written down elsewhere (`lumbago records verify --head`).
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final

from sqlalchemy import Connection, select

from lumbago.errors import RecordsDamaged
from lumbago.records.rows import built, checksum
from lumbago.records.tables import AUDIT, now

_BEFORE_ALL: Final = "0" * 64


class Event(IntEnum):
    """What happened: event ids of DICOM PS3.15 A.5 (DCM code values)."""

    APPLICATION_ACTIVITY = 110100
    AUDIT_LOG_USED = 110101
    TRANSFER_BEGINS = 110102
    INSTANCES_ACCESSED = 110103
    INSTANCES_TRANSFERRED = 110104
    STUDY_DELETED = 110105
    EXPORT = 110106
    IMPORT = 110107
    NETWORK_ENTRY = 110108
    ORDER_RECORD = 110109
    PATIENT_RECORD = 110110
    PROCEDURE_RECORD = 110111
    QUERY = 110112
    SECURITY_ALERT = 110113
    USER_AUTHENTICATION = 110114


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and from which address. The default is the program itself."""

    user_id: str = ""
    user_name: str = "lumbago"
    address: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """What is done: a word for it (`login`, `open study`), how it ended (`success`, `refused`, `failure`), to which
    study and patient of ours, and what else is to be known. Put no name of a patient into `detail`."""

    event: Event
    action: str
    outcome: str = "success"
    study_id: str = ""
    patient_id: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A line of the trail; `number` counts from 1 without a gap."""

    number: int
    at: datetime
    event: int
    action: str
    outcome: str
    user_id: str
    user_name: str
    address: str
    study_id: str
    patient_id: str
    detail: Mapping[str, Any]
    previous: str
    hash: str


def append_line(db: Connection, actor: Actor, deed: Deed) -> AuditLine:
    """Adds a line to the trail, in the writer's transaction: what it tells of and the line are kept together."""
    last = db.execute(select(AUDIT.c.number, AUDIT.c.hash).order_by(AUDIT.c.number.desc()).limit(1)).first()
    number, previous = (last.number + 1, last.hash) if last else (1, _BEFORE_ALL)
    who = (actor.user_id, actor.user_name, actor.address)
    what = (int(deed.event), deed.action, deed.outcome)
    whose = (deed.study_id, deed.patient_id, dict(deed.detail))
    line = AuditLine(number, now(), *what, *who, *whose, previous, "")
    values = {name: getattr(line, name) for name in AuditLine.__slots__} | {"hash": line_hash(line)}
    db.execute(AUDIT.insert().values(**values))
    return AuditLine(**values)


def line_hash(line: AuditLine) -> str:
    """The hash of a line and of the hash before it."""
    values = {name: getattr(line, name) for name in AuditLine.__slots__ if name not in {"hash", "at"}}
    return checksum(values | {"at": line.at.isoformat(timespec="microseconds")})


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which lines: of a study, a patient, a user (ids, empty for all), before a number; how many."""

    study_id: str = ""
    patient_id: str = ""
    user_id: str = ""
    before: int | None = None
    limit: int = 100


def audit_lines(db: Connection, query: AuditQuery) -> Sequence[AuditLine]:
    """Lines of the trail, the newest first."""
    found = select(AUDIT).order_by(AUDIT.c.number.desc()).limit(query.limit)
    for name in ("study_id", "patient_id", "user_id"):
        if getattr(query, name):
            found = found.where(AUDIT.c[name] == getattr(query, name))
    if query.before is not None:
        found = found.where(AUDIT.c.number < query.before)
    return [built(AuditLine, row) for row in db.execute(found)]


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the trail: number and hash of its last line. Written down elsewhere, it shows later whether the end
    was cut off."""

    number: int
    hash: str


def verify_audit(db: Connection, known: Head | None = None) -> Head:
    """Follows the chain from its first line to its last; gives its head.

    Raises:
        RecordsDamaged: a line was changed, moved or taken out, or the known head is no longer in the chain.
    """
    rows = db.execution_options(yield_per=1000).execute(select(AUDIT).order_by(AUDIT.c.number))
    with closing(rows):
        head = _followed((built(AuditLine, row) for row in rows), known)
    if known is not None and known.number > head.number:
        raise RecordsDamaged(f"the audit trail ends at line {head.number}", f"{known.number} lines at least")
    return head


def _followed(lines: Iterable[AuditLine], known: Head | None) -> Head:
    head = Head(0, _BEFORE_ALL)
    for line in lines:
        if (line.number, line.previous) != (head.number + 1, head.hash) or line.hash != line_hash(line):
            raise RecordsDamaged(
                f"the audit trail does not hold together at line {head.number + 1}", "the chain unbroken"
            )
        head = Head(line.number, line.hash)
        if known is not None and known.number == head.number and known.hash != head.hash:
            raise RecordsDamaged(f"line {head.number} of the audit trail is another than the one written down")
    return head

"""The tables, as the newest migration leaves them; a test holds the two together.

Ids are uuid4 as 32 hex digits. Days are text, `2026-11-21` or empty; times are UTC. Nothing here is overwritten but the
state of a study, a job, a user or a session; findings and reviews are rows added.
"""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)  # fmt: skip

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
ID: Final = String(32)


class Utc(TypeDecorator[datetime]):
    """A time that knows its zone going in and coming out, also from SQLite, which keeps none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def new_id() -> str:
    """An id that no one can guess."""
    return uuid4().hex


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _id() -> Column[str]:
    return Column("id", ID, primary_key=True)


def _reference(name: str, table: str, *, nullable: bool = False) -> Column[str]:
    """A column that names a row of another table, and goes when that row goes."""
    return Column(name, ID, ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable, index=True)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _time(name: str, *, nullable: bool = False, index: bool = False) -> Column[datetime]:
    return Column(name, Utc, nullable=nullable, index=index)


def _json(name: str) -> Column[Any]:
    return Column(name, JSON, nullable=False)


PATIENTS: Final = Table(
    "patients",
    METADATA,
    _id(),
    Column(
        "key", Text, nullable=False, unique=True
    ),  # PatientID and issuer; and something random where that names nobody, or somebody else
    _text("patient_id"),
    _text("issuer"),
    _text("name"),
    _text("sex"),
    _text("birth_date"),
    _time("created_at"),
)
STUDIES: Final = Table(
    "studies",
    METADATA,
    _id(),
    _reference("patient_id", "patients"),
    _text("study_instance_uid"),
    _text("accession_number"),
    Column("date", String(10), nullable=False, index=True),
    _text("description"),
    _time("received_at", index=True),
    _text("received_from"),
    Column("state", String(16), nullable=False, index=True),
    _text("reason"),
    Column("severity", Float, index=True),  # of the newest findings; empty before the first
    Column("uncertainty", Float, index=True),
    _text("search"),  # what the worklist's search looks into, case folded
    UniqueConstraint("patient_id", "study_instance_uid"),
)
SERIES: Final = Table(
    "series",
    METADATA,
    _id(),
    _reference("study_id", "studies"),
    _text("series_instance_uid"),
    _text("description"),
    _text("role"),
    _text("plane"),
    _text("weighting"),
    Column("slices", Integer, nullable=False),
    _text("reason"),
    UniqueConstraint("study_id", "series_instance_uid"),
)
FINDINGS: Final = Table(
    "findings",
    METADATA,
    _id(),
    _reference("study_id", "studies"),
    Column("version", Integer, nullable=False),
    _text("made_by"),  # "machine", or a user's id
    _time("made_at"),
    _json("content"),
    _json("manifest"),
    Column("sha256", String(64), nullable=False),
    UniqueConstraint("study_id", "version"),
)
USERS: Final = Table(
    "users",
    METADATA,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _text("shown_name"),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text),  # empty for service accounts and those who come by OpenID Connect
    Column("oidc_subject", Text, unique=True),
    _time("created_at"),
    _time("disabled_at", nullable=True),
)
REVIEWS: Final = Table(
    "reviews",
    METADATA,
    _id(),
    _reference("study_id", "studies"),
    _reference("findings_id", "findings"),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False, index=True),
    _time("made_at", index=True),
    Column("kind", String(16), nullable=False),
    _text("condition"),
    _text("level"),
    _text("side"),
    _json("payload"),
    Column("sha256", String(64), nullable=False),
)
SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("hash", String(64), primary_key=True),  # sha256 of what the cookie holds
    _reference("user_id", "users"),
    _time("created_at"),
    _time("seen_at"),
    _text("address"),
)
TOKENS: Final = Table(
    "tokens",
    METADATA,
    _id(),
    _reference("user_id", "users"),
    _text("name"),
    Column("hash", String(64), nullable=False, unique=True),
    _json("scopes"),
    _time("created_at"),
    _time("expires_at"),
    _time("used_at", nullable=True),
    _time("revoked_at", nullable=True),
)
AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    _time("at", index=True),
    Column("event", Integer, nullable=False),  # DICOM PS3.15 A.5, event id
    _text("action"),
    _text("outcome"),
    _text("user_id"),
    _text("user_name"),
    _text("address"),
    Column(
        "study_id", String(32), nullable=False, index=True
    ),  # bare ids: a deleted patient leaves them meaning nothing
    Column("patient_id", String(32), nullable=False, index=True),
    _json("detail"),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
JOBS: Final = Table(
    "jobs",
    METADATA,
    _id(),
    Column("kind", String(32), nullable=False),
    _reference("study_id", "studies", nullable=True),
    _json("payload"),
    Column("state", String(16), nullable=False),
    Column("progress", Float, nullable=False),
    _text("message"),
    _text("error"),
    Column("attempts", Integer, nullable=False),
    Column("priority", Integer, nullable=False),
    _time("created_at"),
    _time("started_at", nullable=True),
    _time("finished_at", nullable=True),
    _time("lease_until", nullable=True),
    _text("worker"),
    Index(None, "state", "priority", "created_at"),
)
MODELS: Final = Table(
    "models",
    METADATA,
    _id(),
    _text("name"),
    _text("version"),
    Column("sha256", String(64), nullable=False),
    _text("trained_on"),
    _json("card"),
    _time("seen_at"),
    UniqueConstraint("name", "sha256"),
)
FILES: Final = Table(
    "files",
    METADATA,
    _id(),
    Column("sha256", String(64), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    _reference("study_id", "studies", nullable=True),
    _text("name"),
    _time("created_at"),
    _time("used_at"),
)

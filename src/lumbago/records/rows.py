"""Rows as frozen dataclasses: what every area of the records needs to read and write its own."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, Table, select

from lumbago.errors import NotInRecords

T = TypeVar("T")


def built(kind: type[T], row: Row[Any], **parts: Any) -> T:
    """A dataclass of the columns that its fields are named after."""
    found = row._mapping
    return kind(**{item.name: found[item.name] for item in fields(kind) if item.name not in parts}, **parts)  # type: ignore[arg-type]


def only(db: Connection, query: Select[Any], what: str) -> Row[Any]:
    """The one row of a query.

    Raises:
        NotInRecords: there is none.
    """
    row = db.execute(query).first()
    if row is None:
        raise NotInRecords(f"no {what} of that id is kept")
    return row


def row_of(db: Connection, table: Table, row_id: str, what: str) -> Row[Any]:
    """The row of an id.

    Raises:
        NotInRecords: there is none.
    """
    return only(db, select(table).where(table.c.id == row_id), what)


def checksum(content: Mapping[str, Any]) -> str:
    """sha256 of the one way to write this as JSON."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf8", "surrogatepass")).hexdigest()

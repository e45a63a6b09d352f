"""The worklist: studies searched, filtered, ordered, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import ColumnElement, Connection, and_, func, select

from lumbago.errors import UsageError
from lumbago.records.studies import Study, folded, select_studies, study_of
from lumbago.records.tables import PATIENTS, STUDIES

Order = Literal["severity", "uncertainty", "received", "date", "name"]
ORDERS: Final[tuple[str, ...]] = get_args(Order)
_COLUMNS: Final[dict[str, ColumnElement[Any]]] = {
    "severity": STUDIES.c.severity,
    "uncertainty": STUDIES.c.uncertainty,
    "received": STUDIES.c.received_at,
    "date": STUDIES.c.date,
    "name": PATIENTS.c.name,
}


@dataclass(frozen=True, slots=True)
class WorklistQuery:
    """Which studies, in which order.

    Attributes:
        search: words that all stand in the patient's name or id, the description, the accession number or the UID.
        states: one of these; empty for all. first_date, last_date: `2026-11-21`, both inclusive; empty for any.
        least_severity: 0 to 1; studies without findings have none.
        order: by name ascending, by anything else the highest or newest first, unless `reverse`.
    """

    search: str = ""
    states: tuple[str, ...] = ()
    first_date: str = ""
    last_date: str = ""
    least_severity: float | None = None
    order: Order = "received"
    reverse: bool = False
    limit: int = 50
    offset: int = 0


@dataclass(frozen=True, slots=True)
class WorklistPage:
    """Studies of one page, and how many there are on all of them."""

    studies: Sequence[Study]
    total: int


def worklist(db: Connection, query: WorklistQuery) -> WorklistPage:
    """A page of the worklist.

    Raises:
        UsageError: there is no such order.
    """
    if query.order not in ORDERS:
        raise UsageError(f"the worklist has no order {query.order}", f"one of {', '.join(ORDERS)}")
    condition = and_(True, *_conditions(query))
    total = db.execute(select(func.count()).select_from(STUDIES).where(condition)).scalar_one()
    column = _COLUMNS[query.order]
    ascending = (query.order == "name") != query.reverse
    ordered = (column.asc() if ascending else column.desc()).nulls_last()
    ids = select(STUDIES.c.id).where(condition).order_by(ordered, STUDIES.c.id).limit(query.limit).offset(query.offset)
    if query.order == "name":
        ids = ids.join(PATIENTS, STUDIES.c.patient_id == PATIENTS.c.id)
    places = {study: place for place, (study,) in enumerate(db.execute(ids))}  # ids alone are sorted, not whole rows
    found = [study_of(row) for row in db.execute(select_studies().where(STUDIES.c.id.in_(places)))]
    return WorklistPage(sorted(found, key=lambda study: places[study.id]), total)


def _conditions(query: WorklistQuery) -> list[ColumnElement[bool]]:
    found = [STUDIES.c.search.contains(word, autoescape=True) for word in folded(query.search).split()]
    if query.states:
        found.append(STUDIES.c.state.in_(query.states))
    if query.first_date:
        found.append(STUDIES.c.date >= query.first_date)
    if query.last_date:
        found.append((STUDIES.c.date <= query.last_date) & (STUDIES.c.date != ""))
    if query.least_severity is not None:
        found.append(STUDIES.c.severity >= query.least_severity)
    return found


def counts_by_state(db: Connection) -> dict[str, int]:
    """How many studies are in each state."""
    query = select(STUDIES.c.state, func.count().label("count_")).group_by(STUDIES.c.state)
    return {row.state: row.count_ for row in db.execute(query)}

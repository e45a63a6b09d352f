"""Reviews: what a person said about findings, one row a saying; none is ever changed. A later one of the same person on
the same place takes an earlier one's place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, select

from lumbago.errors import UsageError
from lumbago.records.moments import time_to_say
from lumbago.records.rows import built, checksum
from lumbago.records.tables import REVIEWS, new_id

Kind = Literal["accept", "grade", "move", "add", "numbering", "comment", "sign", "adjudicate", "teaching"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said: `kind`, the place it is about (empty for the whole study), and what goes with that kind (a grade, a
    point, a text)."""

    kind: Kind
    condition: str = ""
    level: str = ""
    side: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Review:
    """A remark that is kept: about which version of the findings, by whom, when."""

    id: str
    study_id: str
    findings_id: str
    user_id: str
    made_at: datetime
    kind: str
    condition: str
    level: str
    side: str
    payload: Mapping[str, Any]


def add_review(db: Connection, about: tuple[str, str], user: str, remark: Remark) -> Review:
    """Keeps a remark about (study id, findings id).

    Raises:
        UsageError: there is no such kind.
    """
    if remark.kind not in KINDS:
        raise UsageError(f"there is no review of the kind {remark.kind}", f"one of {', '.join(KINDS)}")
    place = (remark.condition, remark.level, remark.side)
    made_at = time_to_say(db, about[0])
    review = Review(new_id(), *about, user, made_at, remark.kind, *place, dict(remark.payload))
    values = {name: getattr(review, name) for name in Review.__slots__}
    db.execute(REVIEWS.insert().values(**values, sha256=review_checksum(review)))
    return review


def review_checksum(review: Review) -> str:
    """What stands beside a review, so that damage is seen."""
    names = ("findings_id", "user_id", "kind", "condition", "level", "side", "payload")
    return checksum({name: getattr(review, name) for name in names})


def reviews_of_study(db: Connection, study: str) -> Sequence[Review]:
    """All that was said about a study, oldest first."""
    query = select(REVIEWS).where(REVIEWS.c.study_id == study).order_by(REVIEWS.c.made_at, REVIEWS.c.id)
    return [built(Review, row) for row in db.execute(query)]


def reviewed_studies(db: Connection) -> Sequence[str]:
    """Ids of the studies about which anybody said anything."""
    return list(db.execute(select(REVIEWS.c.study_id).distinct().order_by(REVIEWS.c.study_id)).scalars())


def studies_graded_blind(db: Connection, user: str) -> Sequence[str]:
    """Ids of the studies that a user graded to learn."""
    query = select(REVIEWS.c.study_id).where((REVIEWS.c.user_id == user) & (REVIEWS.c.kind == "teaching")).distinct()
    return list(db.execute(query).scalars())

"""Which version of a study's findings holds, and what a new analysis changes about it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from lumbago.records.findings import MACHINE, FindingsVersion, findings_of_study
from lumbago.records.reviews import Review, reviews_of_study
from lumbago.records.studies import State, set_state

_CHANGES_NOTHING: Final = frozenset({"comment", "sign", "teaching"})
_UNSIGNED: Final = "A reader had signed what an earlier analysis found: this is a new one, and is not signed."


def standing_version(versions: Sequence[FindingsVersion], reviews: Sequence[Review]) -> FindingsVersion | None:
    """The newest version, unless it was signed and somebody changed something afterwards: then the machine's.

    Args:
        versions: of one study, the newest first; reviews: all of it.
    """
    newest = next(iter(versions), None)
    if newest is None or newest.made_by == MACHINE:
        return newest
    changes = [review for review in reviews if review.kind not in _CHANGES_NOTHING]
    if not any(change.made_at > newest.made_at for change in changes):
        return newest
    return next((one for one in versions if one.made_by == MACHINE), None)


def set_analyzed(db: Connection, study: str) -> None:
    """Says that a study has new findings by the machine, and when a reader had signed what held until then."""
    before = standing_version(findings_of_study(db, study)[1:], reviews_of_study(db, study))
    was_signed = before is not None and before.made_by != MACHINE
    set_state(db, study, "analyzed", _UNSIGNED if was_signed else "")


def set_failed(db: Connection, study: str, state: State, reason: str) -> None:
    """Says that a study's analysis failed: its state is `state`, unless findings of an earlier one are there, which
    hold as before."""
    before = _state_of_findings(db, study)
    if before is None:
        set_state(db, study, state, reason)
    else:
        set_state(db, study, before, f"The newest analysis failed, and what was found before still holds: {reason}")


def _state_of_findings(db: Connection, study: str) -> State | None:
    versions, reviews = findings_of_study(db, study), reviews_of_study(db, study)
    standing = standing_version(versions, reviews)
    if standing is None:
        return None
    if standing.made_by != MACHINE:
        return "signed"
    is_changed = any(one.findings_id == standing.id and one.kind not in _CHANGES_NOTHING for one in reviews)
    return "reviewed" if is_changed else "analyzed"

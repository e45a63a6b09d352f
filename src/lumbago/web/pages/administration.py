"""Users and the audit trail, for admins."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from lumbago.errors import RecordsDamaged
from lumbago.records.audit import AuditQuery, Event, audit_lines, verify_audit
from lumbago.records.snapshot import snapshot
from lumbago.records.store import Store
from lumbago.records.users import ROLES, all_users
from lumbago.web.access import Visitor, audited
from lumbago.web.rendering import page
from lumbago.web.visitors import Admin, Here

router = APIRouter(include_in_schema=False)
_LINES = 100
Auditing = Annotated[Visitor, Depends(audited("admin", Event.AUDIT_LOG_USED, "read audit", every_seconds=60.0))]


@router.get("/users")
def users_page(request: Request, visitor: Admin, site: Here) -> Response:
    """Everyone who may come in."""
    with site.store.read() as records:
        users = all_users(records)
    return page(request, "users.html", visitor, users=users, roles=ROLES)


class WantedLines(BaseModel):
    """Which lines the address asks for."""

    user_id: str = ""
    study_id: str = ""
    before: Annotated[int, Field(ge=0, le=1 << 53)] | None = None
    verify: bool = False


def _chain(store: Store) -> tuple[bool, str]:
    """Whether the chain holds, in words; it is followed from its first line, while others go on writing."""
    try:
        with snapshot(store) as records:
            head = verify_audit(records)
    except RecordsDamaged as error:
        return False, str(error)
    return True, f"The chain of {head.number} lines holds together; its head is {head.hash[:16]}."


@router.get("/audit")
def audit_page(request: Request, visitor: Auditing, site: Here, wanted: Annotated[WantedLines, Query()]) -> Response:
    """Who did what, newest first, and whether the chain holds."""
    query = AuditQuery(study_id=wanted.study_id, user_id=wanted.user_id, before=wanted.before, limit=_LINES)
    with site.store.read() as records:
        lines, users = audit_lines(records, query), all_users(records)
    whole, chain = _chain(site.store) if wanted.verify else (True, "")
    kept = {name: value for name, value in wanted.model_dump().items() if value and name not in {"before", "verify"}}
    older = "/audit?" + urlencode(kept | {"before": lines[-1].number}) if len(lines) == _LINES else ""
    return page(request, "audit.html", visitor, lines=lines, users=users, query=wanted, whole=whole, chain=chain,
                following=older)  # fmt: skip

"""One's own account, users, and the audit trail."""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from lumbago.errors import NotInRecords
from lumbago.records import users
from lumbago.records.audit import AuditLine, AuditQuery, Deed, Event, append_line, audit_lines
from lumbago.records.users import Role, TokenPlan, User
from lumbago.web.access import SCOPES_FOR, Visitor, audited
from lumbago.web.passwords import hash_password
from lumbago.web.sign_in import change_password, make_token, set_cookie
from lumbago.web.site import Site
from lumbago.web.visitors import Admin, Here, Viewer

router = APIRouter(prefix="/api/v1", tags=["accounts"])
Name = Annotated[str, Field(min_length=1, max_length=80)]
Secret = Annotated[str, Field(max_length=1024)]


class PasswordChange(BaseModel):
    """The present password and the one to come."""

    old: Secret
    new: Secret


@router.get("/me")
def me(visitor: Viewer) -> dict[str, Any]:
    """Who asks."""
    return asdict(visitor.user)


@router.post("/me/password")
def own_password(request: Request, response: Response, wanted: PasswordChange, visitor: Viewer) -> dict[str, str]:
    """Changes one's password; all one's sessions end but this one, which begins anew."""
    set_cookie(request, response, change_password(request, visitor, wanted.old, wanted.new))
    return {"id": visitor.user.id}


class TokenWanted(BaseModel):
    """A token for a program: its name, how many days it is good for, and what for (all that one may, unless given)."""

    name: Name
    days: Annotated[int, Field(ge=1, le=365)]
    scopes: list[str] | None = None
    user_id: str | None = None


@router.post("/me/tokens", status_code=201)
def new_token(request: Request, wanted: TokenWanted, visitor: Viewer, site: Here) -> dict[str, str]:
    """Makes a token, shown this once; an admin may make one for another user, such as a service."""
    owner = wanted.user_id or visitor.user.id
    with site.store.read() as records:
        role = users.find_user(records, owner).role
    scopes = wanted.scopes if wanted.scopes is not None else sorted(SCOPES_FOR[role])
    return {"token": make_token(request, visitor, TokenPlan(owner, wanted.name, scopes, wanted.days))}


@router.delete("/me/tokens/{token_id}")
def end_token(token_id: str, visitor: Viewer, site: Here) -> dict[str, str]:
    """Revokes a token of one's own."""
    with site.store.write() as records:
        if all(token.id != token_id for token in users.tokens_of(records, visitor.user.id)):
            raise NotInRecords("no token of that id is yours")
        users.revoke_token(records, token_id)
        deed = Deed(Event.USER_AUTHENTICATION, "revoke token", detail={"token": token_id})
        append_line(records, visitor.actor, deed)
    return {"id": token_id}


class UserWanted(BaseModel):
    """A new user; without a password one comes in by token, or by OpenID Connect."""

    name: Name
    shown_name: Annotated[str, Field(max_length=120)] = ""
    role: Role
    password: Secret = ""


@router.get("/users")
def all_users(visitor: Admin, site: Here) -> list[dict[str, Any]]:
    """Everyone."""
    with site.store.read() as records:
        return [asdict(user) for user in users.all_users(records)]


@router.post("/users", status_code=201)
def new_user(wanted: UserWanted, visitor: Admin, site: Here) -> dict[str, Any]:
    """Adds a user."""
    kept = hash_password(wanted.password, wanted.name) if wanted.password else None
    with site.store.write() as records:
        user = users.add_user(records, wanted.name, wanted.role, wanted.shown_name, password_hash=kept)
        _tell(records, visitor, "add user", user, wanted.role)
    return asdict(user)


class RoleWanted(BaseModel):
    """Another role."""

    role: Role


@router.post("/users/{user_id}/role")
def new_role(user_id: str, wanted: RoleWanted, visitor: Admin, site: Here) -> dict[str, Any]:
    """Gives a user another role."""
    with site.store.write() as records:
        user = users.find_user(records, user_id)
        users.set_role(records, user_id, wanted.role)
        _tell(records, visitor, "set role", user, wanted.role)
    return _user(site, user_id)


@router.post("/users/{user_id}/disable")
def shut_out(user_id: str, visitor: Admin, site: Here) -> dict[str, Any]:
    """Lets a user in no more; what the user did stays."""
    with site.store.write() as records:
        user = users.find_user(records, user_id)
        users.disable_user(records, user_id)
        _tell(records, visitor, "disable user", user)
    return _user(site, user_id)


@router.post("/users/{user_id}/enable")
def let_in(user_id: str, visitor: Admin, site: Here) -> dict[str, Any]:
    """Lets a user in again."""
    with site.store.write() as records:
        user = users.find_user(records, user_id)
        users.enable_user(records, user_id)
        _tell(records, visitor, "enable user", user)
    return _user(site, user_id)


class PasswordWanted(BaseModel):
    """A password given by an admin."""

    password: Secret


@router.post("/users/{user_id}/password")
def new_password(user_id: str, wanted: PasswordWanted, visitor: Admin, site: Here) -> dict[str, Any]:
    """Gives a user a new password; the user's sessions end."""
    with site.store.read() as records:
        user = users.find_user(records, user_id)
    kept = hash_password(wanted.password, user.name)
    with site.store.write() as records:
        users.set_password_hash(records, user_id, kept)
        _tell(records, visitor, "set password", user)
    return asdict(user)


def _user(site: Site, user_id: str) -> dict[str, Any]:
    with site.store.read() as records:
        return asdict(users.find_user(records, user_id))


def _tell(records: Any, visitor: Visitor, action: str, user: User, role: str = "") -> None:
    detail = {"user": user.id} | ({"role": role} if role else {})
    append_line(records, visitor.actor, Deed(Event.USER_AUTHENTICATION, action, detail=detail))


Auditing = Annotated[Visitor, Depends(audited("admin", Event.AUDIT_LOG_USED, "export audit"))]
_COLUMNS = (
    "number", "at", "event", "action", "outcome", "user_name", "address", "study_id", "patient_id", "detail", "hash",
)  # fmt: skip
_PAGE = 1000
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


@router.get("/audit.csv", response_class=StreamingResponse)
def audit_table(visitor: Auditing, site: Here) -> StreamingResponse:
    """All lines, newest first; no cell acts as a formula."""
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(_csv(site), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(site: Site) -> Iterator[str]:
    yield ",".join(_COLUMNS) + "\r\n"
    before: int | None = None
    while True:
        with site.store.read() as records:
            lines = audit_lines(records, AuditQuery(before=before, limit=_PAGE))
        if not lines:
            return
        yield "".join(map(_csv_line, lines))
        before = lines[-1].number


def _csv_line(line: AuditLine) -> str:
    cells = [str(getattr(line, name)) for name in _COLUMNS]
    text = io.StringIO()
    csv.writer(text).writerow([f"'{cell}" if cell.startswith(_FORMULAS) else cell for cell in cells])
    return text.getvalue()

"""Who may do what: the dependencies of every page and API call.

    @router.get("/studies/{study_id}")
    def study_page(visitor: Annotated[Visitor, Depends(audited("viewer", Event.INSTANCES_ACCESSED, "open study"))]): ...

    @router.post("/studies/{study_id}/reviews")
    def review(visitor: Annotated[Visitor, Depends(require("reader"))]): ...

A person comes with a session's cookie, a program with `Authorization: Bearer TOKEN`. What changes something and comes
with a cookie must show where it comes from (Origin) and the session's CSRF token, in the header `X-CSRF-Token` or the
form field `csrf_token`. Refusals are HTTPExceptions: 401 sign in, 403 not allowed, 429 wait.
"""

import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request
from sqlalchemy import Connection

from lumbago.errors import NotInRecords, SettingsRefused
from lumbago.records import audit, users
from lumbago.records.audit import Actor, Deed, Event
from lumbago.records.store import Store
from lumbago.records.studies import find_study
from lumbago.records.tables import now
from lumbago.records.users import Role, Session, User
from lumbago.settings import Settings
from lumbago.web.rate_limits import FailureLimit, RateLimit

Scope = Literal["read", "review", "upload", "admin"]
SCOPE_OF_ROLE: Final[dict[Role, Scope]] = {"viewer": "read", "reader": "review", "admin": "admin", "service": "read"}
SCOPES_FOR: Final[dict[str, frozenset[str]]] = {
    "viewer": frozenset({"read"}),
    "reader": frozenset({"read", "upload", "review"}),
    "admin": frozenset({"read", "upload", "review", "admin"}),
    "service": frozenset({"read", "upload"}),
}
"""What each role may do, and what a token of a user of that role may be for."""
COOKIE: Final = "lumbago"
CSRF_FIELD, CSRF_HEADER = "csrf_token", "X-CSRF-Token"
UNASKED_HEADER: Final = "X-Unasked"
"""Of what a page asks for by itself: it keeps nobody signed in who has left it open."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_SECONDS_BETWEEN_TOUCHES: Final = 60.0


@dataclass(frozen=True, slots=True)
class Access:
    """What access needs to know; the app keeps it as `app.state.access`.

    Attributes:
        sign_ins: wrong passwords by name and address; addresses: by address alone; requests: all, by user or address;
        told: deeds that were written down lately; first_secret: makes the first admin, empty when there is one.
    """

    store: Store
    settings: Settings
    requests: RateLimit
    first_secret: str = ""
    sign_ins: FailureLimit = field(default_factory=FailureLimit)
    addresses: FailureLimit = field(default_factory=lambda: FailureLimit(count=20))
    told: dict[tuple[str, str, str], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, and how they came: by a session (`secret` is what its cookie holds), or by a token with its scopes."""

    user: User
    address: str
    secret: str = ""
    scopes: frozenset[str] | None = None

    @property
    def actor(self) -> Actor:
        """For the audit trail."""
        return Actor(self.user.id, self.user.name, self.address)

    @property
    def csrf_token(self) -> str:
        """What this session's forms carry; useless without the session's cookie."""
        return hmac.digest(self.secret.encode(), b"csrf", "sha256").hex()

    def may(self, scope: str) -> bool:
        """Whether the user's role, and the token if they came by one, allow this."""
        return scope in SCOPES_FOR[self.user.role] and (self.scopes is None or scope in self.scopes)


def open_access(store: Store, settings: Settings, first_secret: str) -> Access:
    """Access to these records. While they have no admin, the secret lets one be made; print it, do not keep it."""
    with store.read() as db:
        secret = "" if users.count_admins(db) else first_secret
    return Access(store, settings, RateLimit(settings.requests_per_minute, 60.0), secret)


def refuse_open_door(store: Store, host: str) -> None:
    """Refuses to be reached from other machines before an admin has a password.

    Raises:
        SettingsRefused: the host is not this machine alone, and there is no admin.
    """
    with store.read() as db:
        if host not in LOOPBACK and not users.count_admins(db):
            raise SettingsRefused(
                f"{host} can be reached from other machines, and there is no admin yet",
                "an admin with a password first",
                "start without --host, open the address that is printed, and make one",
            )


def access_of(request: Request) -> Access:
    """The app's access."""
    access: Access = request.app.state.access
    return access


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else ""


def cookie_name(request: Request) -> str:
    """The session cookie's name: bound to this host and to TLS wherever there is TLS."""
    return f"__Host-{COOKIE}" if request.url.scheme == "https" else COOKIE


def current_user(request: Request) -> Visitor:
    """Who asks.

    Raises:
        HTTPException: 401 nobody that is known, 429 too many requests.
    """
    visitor = _by_token(request) if "authorization" in request.headers else _by_session(request)
    refuse_crowd(request, visitor.user.id if visitor else address_of(request))
    if visitor is None:
        raise HTTPException(401, "Sign in first.", {"WWW-Authenticate": "Bearer"})
    return visitor


def refuse_crowd(request: Request, key: str) -> None:
    """Counts a request of a user, or of an address.

    Raises:
        HTTPException: 429 too many a minute.
    """
    if wait := access_of(request).requests.wait_seconds(key):
        raise too_many(wait)


def too_many(wait: float) -> HTTPException:
    """The answer to one who has to wait for so many seconds."""
    return HTTPException(429, f"Too many attempts: wait {math.ceil(wait)} s.", {"Retry-After": str(math.ceil(wait))})


def _by_token(request: Request) -> Visitor | None:
    kind, _, secret = request.headers["authorization"].partition(" ")
    access = access_of(request)
    with access.store.read() as db:
        token = users.find_token(db, secret.strip()) if kind.casefold() == "bearer" else None
        user = users.find_user(db, token.user_id) if token else None
    if token is None or user is None or user.disabled_at is not None:
        return None
    if token.used_at is None or (now() - token.used_at).total_seconds() > _SECONDS_BETWEEN_TOUCHES:
        with access.store.write() as db:
            users.touch_token(db, token.id)
    return Visitor(user, address_of(request), scopes=frozenset(token.scopes))


def _by_session(request: Request) -> Visitor | None:
    access, secret = access_of(request), request.cookies.get(cookie_name(request), "")
    if not secret:
        return None
    with access.store.read() as db:
        session = users.find_session(db, secret)
        user = users.find_user(db, session.user_id) if session else None
    if session is None or user is None or not is_let_in(user):
        return None
    if is_over(session, access.settings):
        with access.store.write() as db:
            users.end_session(db, session)
        return None
    if not _is_unasked(request) and (now() - session.seen_at).total_seconds() > _SECONDS_BETWEEN_TOUCHES:
        with access.store.write() as db:
            users.touch_session(db, session)
    return Visitor(user, address_of(request), secret)


def _is_unasked(request: Request) -> bool:
    """Whether a page asks this by itself: browsers open streams of events again and again."""
    return UNASKED_HEADER in request.headers or request.headers.get("accept", "") == "text/event-stream"


def is_let_in(user: User) -> bool:
    """Whether a user may have a session: not one who is shut out, and no program, whatever password it was given."""
    return user.disabled_at is None and user.role != "service"


def is_over(session: Session, settings: Settings) -> bool:
    """Whether a session was left alone for too long, or went on for too long."""
    idle, whole = timedelta(minutes=settings.idle_minutes), timedelta(hours=settings.session_hours)
    return now() - session.seen_at > idle or now() - session.created_at > whole


def same_origin(request: Request) -> None:
    """Refuses what another site's page sent: for sign-in, where there is no session yet; part of `csrf`.

    Raises:
        HTTPException: 403 it changes something, and its Origin is not this server's.
    """
    origin = urlsplit(request.headers.get("origin", ""))
    here = (request.url.scheme, request.headers.get("host", ""))
    if request.method not in _SAFE and (origin.scheme, origin.netloc) != here:
        raise HTTPException(403, "This was sent from another page than ours.")


async def csrf(request: Request, visitor: Annotated[Visitor, Depends(current_user)]) -> Visitor:
    """Who asks; what changes something comes from our own page, when it comes with a cookie.

    Raises:
        HTTPException: 403 it does not.
    """
    if request.method in _SAFE or not visitor.secret:
        return visitor
    same_origin(request)
    if not hmac.compare_digest((await _sent_token(request)).encode(), visitor.csrf_token.encode()):
        raise HTTPException(403, "The page is out of date: load it again.")
    return visitor


async def _sent_token(request: Request) -> str:
    if CSRF_HEADER in request.headers:
        return request.headers[CSRF_HEADER]
    kind = request.headers.get("content-type", "").partition(";")[0]
    if kind not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return ""
    return str((await request.form()).get(CSRF_FIELD, ""))


@dataclass(frozen=True, slots=True)
class Require:
    """A dependency: who asks, and may. See `require`."""

    scope: Scope

    def __call__(self, request: Request, visitor: Annotated[Visitor, Depends(csrf)]) -> Visitor:
        """The visitor.

        Raises:
            HTTPException: 403 this is not for them; the audit trail tells of it.
        """
        if not visitor.may(self.scope):
            deed = Deed(Event.SECURITY_ALERT, f"{request.method} {_route_path(request)}", "refused")
            with access_of(request).store.write() as db:
                audit.append_line(db, visitor.actor, deed)
            raise HTTPException(403, "Your role does not allow this.")
        return visitor


def require(role: Role, scope: Scope | None = None) -> Require:
    """A dependency that lets in users of this role or a higher one (viewer < reader < admin), and tokens of theirs made
    for the scope: `read` for viewer, `review` for reader, `admin` for admin, unless given. Uploads: `require("reader",
    "upload")`, which a service's token may, too."""
    return Require(scope or SCOPE_OF_ROLE[role])


def audited(
    role: Role, event: Event, action: str, *, every_seconds: float = 0.0, scope: Scope | None = None
) -> Callable[..., Visitor]:
    """A dependency that lets in as `require` does and writes it down before anything is shown; `study_id` or
    `patient_id` in the path say whose it is. The same deed is written down again after `every_seconds` only: for the
    slices of a study."""
    requirement = require(role, scope)

    def written_down(request: Request, visitor: Annotated[Visitor, Depends(requirement)]) -> Visitor:
        access, whose = access_of(request), request.path_params
        study, patient = whose.get("study_id", ""), whose.get("patient_id", "")
        if _is_new(access, (visitor.user.id, action, study or patient), every_seconds):
            with access.store.write() as db:
                owner = patient or _owner(db, study)
                audit.append_line(db, visitor.actor, Deed(event, action, study_id=study, patient_id=owner))
        return visitor

    return written_down


def _is_new(access: Access, deed: tuple[str, str, str], seconds: float) -> bool:
    if not seconds:
        return True
    moment = access.requests.clock()
    for old in [key for key, until in list(access.told.items()) if until <= moment]:
        access.told.pop(old, None)
    is_new = deed not in access.told
    access.told.setdefault(deed, moment + seconds)
    return is_new


def _owner(db: Connection, study: str) -> str:
    try:
        return find_study(db, study).patient.id if study else ""
    except NotInRecords:
        return ""


def _route_path(request: Request) -> str:
    """The path as the route draws it, without what was filled in."""
    return str(getattr(request.scope.get("route"), "path", "?"))

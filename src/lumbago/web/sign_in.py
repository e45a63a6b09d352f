"""Signing in and out, the first admin, changing a password, making tokens. Pages call these; each is in the audit."""

import hmac
from secrets import token_urlsafe
from typing import Final

from fastapi import HTTPException, Request, Response

from lumbago.errors import UsageError
from lumbago.records import users
from lumbago.records.audit import Actor, Deed, Event, append_line
from lumbago.records.users import TokenPlan, User
from lumbago.web.access import (
    SCOPES_FOR,
    Visitor,
    access_of,
    address_of,
    cookie_name,
    is_let_in,
    refuse_crowd,
    same_origin,
    too_many,
)
from lumbago.web.passwords import hash_password, is_outdated, is_password

TOKEN_MARK: Final = "lumbago_"  # noqa: S105 - no secret, but how one begins
"""How tokens begin, so that scanners for lost secrets know them."""
MOST_DAYS: Final = 366


def new_secret() -> str:
    """256 random bits."""
    return token_urlsafe(32)


def sign_in(request: Request, name: str, password: str) -> str:
    """Begins a session; gives what the cookie is to hold (`set_cookie`).

    Raises:
        HTTPException: 401 name and password do not go together, 403 sent from another site, 429 too many attempts.
    """
    same_origin(request)
    access, keys = access_of(request), _begin_attempt(request, name)
    with access.store.read() as db:
        user = users.user_named(db, name)
        kept = users.password_hash_of(db, user.id) if user else None
    if not is_password(password, kept) or user is None or kept is None or not is_let_in(user):
        _tell(request, user, "sign in", "failure")
        raise HTTPException(401, "Name and password do not go together.")
    access.sign_ins.succeeded(keys[0])
    access.addresses.forgive(keys[1])
    if is_outdated(kept):
        renewed = hash_password(password)
        with access.store.write() as db:
            users.set_password_hash(db, user.id, renewed)
    return begin_session(request, user)


def begin_session(request: Request, user: User) -> str:
    """Begins a session of a user who has shown who they are; the one that the browser came with ends."""
    access, secret = access_of(request), new_secret()
    with access.store.write() as db:
        before = users.find_session(db, request.cookies.get(cookie_name(request), ""))
        if before is not None:
            users.end_session(db, before)
        users.add_session(db, user.id, secret, address_of(request))
        append_line(db, _actor(request, user), Deed(Event.USER_AUTHENTICATION, "sign in"))
    return secret


def sign_out(request: Request, visitor: Visitor) -> None:
    """Ends the visitor's session."""
    with access_of(request).store.write() as db:
        session = users.find_session(db, visitor.secret)
        if session is not None:
            users.end_session(db, session)
        append_line(db, visitor.actor, Deed(Event.USER_AUTHENTICATION, "sign out"))


def set_cookie(request: Request, response: Response, secret: str) -> None:
    """Gives the browser its session: gone when the browser closes, unreadable to scripts, not sent from other sites."""
    is_tls = request.url.scheme == "https"
    response.set_cookie(cookie_name(request), secret, path="/", secure=is_tls, httponly=True, samesite="lax")


def clear_cookie(request: Request, response: Response) -> None:
    """Takes the session's cookie away."""
    is_tls = request.url.scheme == "https"
    response.delete_cookie(cookie_name(request), path="/", secure=is_tls, httponly=True, samesite="lax")


def make_first_admin(request: Request, secret: str, name: str, password: str) -> str:
    """Makes the admin with the secret that the server has printed, and begins a session.

    Raises:
        HTTPException: 403 another secret, or there is an admin already; 429 too many attempts.
        UsageError: the name or the password is refused.
    """
    same_origin(request)
    access = access_of(request)
    _begin_attempt(request, "the first admin")
    if not access.first_secret or not hmac.compare_digest(secret.strip().encode(), access.first_secret.encode()):
        raise HTTPException(403, "This is not the secret that the server has printed.")
    kept = hash_password(password, name)
    with access.store.write() as db:
        if users.count_admins(db):
            raise HTTPException(403, "There is an admin already: sign in.")
        user = users.add_user(db, name, "admin", password_hash=kept)
        append_line(db, _actor(request, user), Deed(Event.USER_AUTHENTICATION, "make the first admin"))
    return begin_session(request, user)


def change_password(request: Request, visitor: Visitor, old: str, new: str) -> str:
    """Gives the visitor another password, ends all their sessions and begins a new one.

    Raises:
        HTTPException: 401 the old one is another; 429 too many attempts.
        UsageError: the new one is refused.
    """
    access, keys = access_of(request), _begin_attempt(request, visitor.user.name)
    with access.store.read() as db:
        kept = users.password_hash_of(db, visitor.user.id)
    if not is_password(old, kept):
        _tell(request, visitor.user, "change password", "failure")
        raise HTTPException(401, "The old password is another.")
    access.sign_ins.succeeded(keys[0])
    access.addresses.forgive(keys[1])
    renewed = hash_password(new, visitor.user.name)
    with access.store.write() as db:
        users.set_password_hash(db, visitor.user.id, renewed)
        append_line(db, visitor.actor, Deed(Event.USER_AUTHENTICATION, "change password"))
    return begin_session(request, visitor.user)


def make_token(request: Request, visitor: Visitor, plan: TokenPlan) -> str:
    """Makes a token and gives it, this once. An admin may make them for others; a token makes none that may more.

    Raises:
        HTTPException: 403 for another user, and the visitor is no admin; for more than the token they came by is for.
        UsageError: a scope that the user's role has not, or a number of days out of range.
    """
    if plan.user_id != visitor.user.id and not visitor.may("admin"):
        raise HTTPException(403, "Only an admin makes tokens for others.")
    if visitor.scopes is not None and not visitor.may("admin") and not visitor.scopes.issuperset(plan.scopes):
        raise HTTPException(403, f"This token is for {', '.join(sorted(visitor.scopes))} alone.")
    if not 1 <= plan.days <= MOST_DAYS:
        raise UsageError(f"a token for {plan.days} days", f"1 to {MOST_DAYS} days")
    secret = TOKEN_MARK + new_secret()
    with access_of(request).store.write() as db:
        owner = users.find_user(db, plan.user_id)
        if not plan.scopes or not set(plan.scopes) <= SCOPES_FOR[owner.role]:
            raise UsageError(
                f"a token for {', '.join(plan.scopes) or 'nothing'}",
                f"some of {', '.join(sorted(SCOPES_FOR[owner.role]))}",
            )
        token = users.add_token(db, secret, plan)
        detail = {"token": token.id, "user": owner.id, "scopes": list(plan.scopes), "days": plan.days}
        append_line(db, visitor.actor, Deed(Event.USER_AUTHENTICATION, "make token", detail=detail))
    return secret


def _begin_attempt(request: Request, name: str) -> tuple[str, str]:
    """Counts an attempt, by name and address, and by address; gives both keys.

    By the name alone nothing is counted: a stranger could lock a user out.
    """
    access, address = access_of(request), address_of(request)
    refuse_crowd(request, address)
    keys = (f"{name.strip().casefold()}\n{address}", address)
    wait = access.sign_ins.wait_seconds(keys[0]) or access.addresses.wait_seconds(keys[1])
    if wait:
        raise too_many(wait)
    return keys


def _actor(request: Request, user: User | None) -> Actor:
    """An unknown name is not written down: it may be a password typed into the wrong field."""
    return Actor(user.id, user.name, address_of(request)) if user else Actor("", "unknown", address_of(request))


def _tell(request: Request, user: User | None, action: str, outcome: str) -> None:
    with access_of(request).store.write() as db:
        append_line(db, _actor(request, user), Deed(Event.USER_AUTHENTICATION, action, outcome))

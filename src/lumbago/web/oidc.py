"""Signing in by OpenID Connect: code flow with PKCE, state and nonce, by authlib.

A newcomer becomes a user who waits for an admin, or one of the role that `LUMBAGO_OIDC_ROLE` names. A person is known
by issuer and `sub` alone, never by a name or an address that can be given to another.
"""

from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final

from authlib.integrations.base_client import OAuthError
from authlib.integrations.starlette_client import OAuth
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response
from httpx2 import HTTPError
from joserfc.errors import JoseError
from sqlalchemy import Connection
from starlette.middleware.sessions import SessionMiddleware

from lumbago.errors import SettingsRefused
from lumbago.records import users
from lumbago.records.audit import Actor, Deed, Event, append_line
from lumbago.records.users import Role, User
from lumbago.settings import Settings
from lumbago.web.access import LOOPBACK, access_of, address_of, is_let_in, refuse_crowd
from lumbago.web.sign_in import begin_session, set_cookie

BEGIN, BACK = "/sign-in/oidc", "/sign-in/oidc/back"
_SECONDS_TO_SIGN_IN: Final = 600
_NEWCOMERS: Final[dict[str, Role]] = {"": "viewer", "viewer": "viewer", "reader": "reader", "admin": "admin"}


def add_oidc(app: FastAPI, settings: Settings) -> bool:
    """Adds the two addresses of OpenID Connect to the app, when the settings name a provider; says whether they do.

    Raises:
        SettingsRefused: the provider, the secret's file or the role make no sense.
    """
    if not settings.oidc_issuer:
        return False
    client = _client(settings)

    async def begin(request: Request) -> Response:
        refuse_crowd(request, address_of(request))
        try:
            answer: Response = await client.authorize_redirect(request, str(request.url_for("oidc_back")))
        except HTTPError as error:
            raise HTTPException(503, "The sign-in service cannot be reached.") from error
        return answer

    async def back(request: Request) -> Response:
        refuse_crowd(request, address_of(request))
        try:
            claims = (await client.authorize_access_token(request)).get("userinfo")
        except (OAuthError, JoseError, HTTPError) as error:
            await run_in_threadpool(_tell_failure, request)
            raise HTTPException(401, "The sign-in service did not vouch for you: try again.") from error
        secret = await run_in_threadpool(_session_of, request, dict(claims or {}))
        answer = RedirectResponse("/", 303)
        set_cookie(request, answer, secret)
        return answer

    app.add_api_route(BEGIN, begin, methods=["GET"], include_in_schema=False, response_model=None)
    app.add_api_route(BACK, back, methods=["GET"], include_in_schema=False, response_model=None, name="oidc_back")
    app.add_middleware(  # holds state, nonce and PKCE verifier of a sign-in that is on its way; nothing of ours
        SessionMiddleware, secret_key=token_urlsafe(32), session_cookie="lumbago-oidc", max_age=_SECONDS_TO_SIGN_IN,
        path=BEGIN, same_site="lax",
    )  # fmt: skip
    return True


def _client(settings: Settings) -> Any:
    issuer = settings.oidc_issuer.rstrip("/")
    scheme, _, rest = issuer.partition("://")
    if scheme != "https" and rest.partition("/")[0].rpartition(":")[0] not in LOOPBACK:
        raise SettingsRefused(f"LUMBAGO_OIDC_ISSUER is {issuer}", "an https:// address")
    if settings.oidc_role not in _NEWCOMERS:
        raise SettingsRefused(f"LUMBAGO_OIDC_ROLE is {settings.oidc_role}", "empty, viewer, reader or admin")
    try:
        secret = Path(settings.oidc_secret_file).read_text(encoding="utf8").strip()
    except OSError as error:
        raise SettingsRefused(
            f"LUMBAGO_OIDC_SECRET_FILE cannot be read ({error.strerror})", "a file with the client's secret"
        ) from error
    return OAuth().register(
        "provider", client_id=settings.oidc_client, client_secret=secret,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid profile", "code_challenge_method": "S256"},
    )  # fmt: skip


def _session_of(request: Request, claims: dict[str, Any]) -> str:
    """Begins a session of the person that the claims are about.

    Raises:
        HTTPException: 401 they are about nobody, 403 an admin has to let them in first.
    """
    access = access_of(request)
    issuer, subject = str(claims.get("iss") or ""), str(claims.get("sub") or "")
    if not issuer or not subject:
        raise HTTPException(401, "The sign-in service did not say who you are.")
    with access.store.write() as db:
        if not users.count_admins(db):
            raise HTTPException(403, "There is no admin yet.")
        known = users.user_of_subject(db, f"{issuer} {subject}")
        user = known or _newcomer(db, access.settings, claims, f"{issuer} {subject}")
    if not is_let_in(user):
        raise HTTPException(403, "An admin has to let you in first.")
    return begin_session(request, user)


def _newcomer(db: Connection, settings: Settings, claims: dict[str, Any], subject: str) -> User:
    wanted = str(claims.get("preferred_username") or claims.get("name") or claims["sub"])[:100]
    name = wanted if users.user_named(db, wanted) is None else f"{wanted} ({subject})"
    user = users.add_user(db, name, _NEWCOMERS[settings.oidc_role], wanted, oidc_subject=subject)
    if not settings.oidc_role:
        users.disable_user(db, user.id)
    append_line(db, Actor(user.id, user.name), Deed(Event.USER_AUTHENTICATION, "first came by OpenID Connect"))
    return users.find_user(db, user.id)


def _tell_failure(request: Request) -> None:
    actor = Actor("", "unknown", address_of(request))
    with access_of(request).store.write() as db:
        append_line(db, actor, Deed(Event.USER_AUTHENTICATION, "sign in by OpenID Connect", "failure"))

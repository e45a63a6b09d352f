"""Signing in and out, and the first start."""

from dataclasses import replace
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from lumbago.errors import UsageError
from lumbago.web.access import Visitor, access_of, csrf
from lumbago.web.rendering import page
from lumbago.web.sign_in import clear_cookie, make_first_admin, set_cookie, sign_in, sign_out

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form()]


def _inside(path: str) -> str:
    """A path of this server, never another address."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


@router.get("/sign-in")
def sign_in_page(request: Request, following: Annotated[str, Query(alias="next")] = "/") -> Response:
    """The form, or the first start while there is nobody to sign in."""
    if access_of(request).first_secret:
        return RedirectResponse("/first-start", 303)
    return _form(request, "", _inside(following))


def _form(request: Request, name: str, following: str, problem: str = "", status: int = 200) -> Response:
    oidc = getattr(request.app.state, "oidc_title", "")
    return page(request, "sign_in.html", status=status, name=name, next=following, problem=problem, oidc=oidc)


@router.post("/sign-in")
def enter(
    request: Request, name: Text, password: Text, following: Annotated[str, Form(alias="next")] = "/"
) -> Response:
    """Begins a session."""
    try:
        secret = sign_in(request, name, password)
    except HTTPException as error:
        return _form(request, name, _inside(following), str(error.detail), error.status_code)
    response = RedirectResponse(quote(_inside(following), safe="/?=&%"), 303)
    set_cookie(request, response, secret)
    return response


@router.post("/sign-out")
def leave(request: Request, visitor: Annotated[Visitor, Depends(csrf)]) -> Response:
    """Ends the session."""
    sign_out(request, visitor)
    response = RedirectResponse("/sign-in", 303)
    clear_cookie(request, response)
    return response


@router.get("/first-start")
def first_start_page(request: Request, secret: str = "") -> Response:
    """The form that makes the first admin; gone once there is one."""
    if not access_of(request).first_secret:
        return RedirectResponse("/sign-in", 303)
    return page(request, "first_start.html", problem="", name="", secret=secret)


@router.post("/first-start")
def first_start(request: Request, secret: Text, name: Text, password: Text) -> Response:
    """Makes the first admin, who is then signed in."""
    try:
        session = make_first_admin(request, secret, name, password)
    except (HTTPException, UsageError) as error:
        problem, known = (str(error.detail), "") if isinstance(error, HTTPException) else (str(error), secret)
        return page(request, "first_start.html", status=400, problem=problem, name=name, secret=known)
    request.app.state.access = replace(access_of(request), first_secret="")
    response = RedirectResponse("/", 303)
    set_cookie(request, response, session)
    return response

"""What goes wrong, told in one sentence: as a page to people, as JSON to programs."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

from lumbago.errors import InputError, LumbagoError, NotInRecords, RecordsFull, Refused, UsageError
from lumbago.web.access import access_of, current_user
from lumbago.web.rendering import page

_STATUS: Final[Mapping[type[LumbagoError], int]] = {
    NotInRecords: 404, RecordsFull: 507, UsageError: 400, InputError: 422, Refused: 503,
}  # fmt: skip
_TITLES: Final[Mapping[int, str]] = {
    400: "That cannot be done", 401: "Sign in first", 403: "Not allowed", 404: "Not found", 429: "Too many attempts",
    507: "No room left",
}  # fmt: skip


def add_problem_handlers(app: FastAPI) -> None:
    """Every known failure gets its answer; an unknown one is ours, and the log has it."""
    app.add_exception_handler(StarletteHTTPException, _http_problem)
    app.add_exception_handler(LumbagoError, _own_problem)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    app.add_exception_handler(ClientDisconnect, _gone)


async def _http_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if error.status_code == 401 and not _is_program(request) and request.method == "GET":
        if access_of(request).first_secret:
            return RedirectResponse("/first-start", 303)
        return RedirectResponse(f"/sign-in?next={quote(str(request.url.path))}", 303)
    return _answer(request, error.status_code, str(error.detail), dict(error.headers or {}))


async def _own_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, LumbagoError)
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
    return _answer(request, status, str(error), {})


async def _wrong_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return _answer(request, 422, f"{place or 'request'}: {first['msg']}.", {})


async def _gone(_request: Request, _error: Exception) -> Response:
    """Nobody hears it: an upload that broke off goes on when its reader comes back."""
    return Response(status_code=400)


def _is_program(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _answer(request: Request, status: int, sentence: str, headers: dict[str, str]) -> Response:
    if _is_program(request):
        return JSONResponse({"detail": sentence}, status, headers)
    try:
        visitor = current_user(request)
    except HTTPException:
        visitor = None
    title = _TITLES.get(status, "Something went wrong")
    response = page(request, "problem.html", visitor, status, title=title, sentence=sentence)
    response.headers.update(headers)
    return response

"""What stands before every handler: how large a request may be, and what browsers are told to refuse."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lumbago.web.uploads import LARGEST_CHUNK

LARGEST_BODY: Final = 2 << 20
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; worker-src 'self' blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_TOLD: Final = {
    "Content-Security-Policy": _CSP, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY", "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin", "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}  # fmt: skip


class TellBrowsers:
    """Adds the headers that keep a page to itself; nothing is cached that does not say so itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _TOLD.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, told if scope["type"] == "http" else send)


class LimitBodies:
    """Refuses requests larger than they need be: 2 MiB, for a piece of an upload 16 MiB."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_piece = scope["method"] == "PUT" and scope["path"].startswith("/api/v1/uploads/")
        limit = LARGEST_CHUNK if is_piece else LARGEST_BODY
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            await _too_large(limit, scope["path"])(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                return {"type": "http.disconnect"}
            return message

        await self._app(scope, counted, send)


def _too_large(limit: int, path: str) -> JSONResponse:
    is_list = path == "/api/v1/uploads"
    found = "The list of the files' names is" if is_list else "The request is"
    advice = "send them in parts, or as a zip" if is_list else "files go as an upload, in pieces"
    return JSONResponse({"detail": f"{found} larger than the {limit >> 20} MiB allowed; {advice}."}, 413)

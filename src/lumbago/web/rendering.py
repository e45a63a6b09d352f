"""Pages from templates. Whatever comes from files or people is escaped by Jinja; no page holds a script or a style."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lumbago import __version__
from lumbago.report.visible_text import person_name, visible
from lumbago.web.access import Visitor
from lumbago.web.plots import plot

FOLDER: Final = Path(__file__).parent
STATIC: Final = FOLDER / "static"
_THEMES: Final = frozenset({"light", "dark"})


@dataclass(frozen=True, slots=True)
class Link:
    """A link of the navigation, for those whose rights hold `scope`."""

    href: str
    title: str
    scope: str


_LINKS: Final = (
    Link("/", "Worklist", "read"), Link("/upload", "Upload", "upload"), Link("/teaching", "Teaching", "read"),
    Link("/labels", "Labels", "review"), Link("/models", "Models", "read"), Link("/evaluation", "Evaluation", "read"),
    Link("/settings", "Settings", "read"), Link("/users", "Users", "admin"), Link("/audit", "Audit", "admin"),
)  # fmt: skip


def _build() -> str:
    """Changes when a static file does, so that browsers fetch it anew."""
    files = sorted(path for path in STATIC.iterdir() if path.is_file())
    return sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def when(moment: datetime) -> str:
    """A time as people read it, in UTC, and saying so: readers sit elsewhere."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def shown_detail(detail: Mapping[str, Any]) -> str:
    """What else an audit line says."""
    return visible("; ".join(f"{name} {value}" for name, value in detail.items()), 200)


_PAGES: Final = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
_PAGES.globals |= {
    "version": __version__, "build": _build(), "when": when, "shown_detail": shown_detail, "plot": plot,
}  # fmt: skip
_PAGES.filters |= {"person": person_name, "visible": visible}


def page(
    request: Request, template: str, visitor: Visitor | None = None, /, status: int = 200, **context: Any
) -> Response:
    """A page by the name of its template."""
    theme = request.cookies.get("theme", "")
    frame = {
        "user": _shown_user(visitor), "csrf_token": visitor.csrf_token if visitor and visitor.secret else "",
        "theme": theme if theme in _THEMES else "", "here": request.url.path,
        "navigation": [link for link in _LINKS if visitor is not None and visitor.may(link.scope)],
        "may_read": visitor is not None and visitor.may("review"),
    }  # fmt: skip
    return HTMLResponse(_PAGES.get_template(template).render(frame | context), status)


def _shown_user(visitor: Visitor | None) -> Mapping[str, str] | None:
    if visitor is None:
        return None
    return {"name": visitor.user.shown_name, "role": visitor.user.role}

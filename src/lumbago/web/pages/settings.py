"""One's own settings, and the server's as they are."""

from dataclasses import fields

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lumbago.records.files import bytes_kept
from lumbago.records.users import tokens_of
from lumbago.settings import ENVIRONMENT_PREFIX, Settings
from lumbago.web.rendering import page
from lumbago.web.visitors import Here, Viewer

router = APIRouter(include_in_schema=False)
_SECRET = frozenset({"database"})


def server_settings(settings: Settings) -> list[dict[str, str]]:
    """Every setting with its help; addresses that may hold a password are not shown."""
    return [
        {"name": item.name, "help": str(item.metadata["help"]), "variable": ENVIRONMENT_PREFIX + item.name.upper(),
         "value": "set" if item.name in _SECRET and getattr(settings, item.name) else str(getattr(settings, item.name))}
        for item in fields(settings)
    ]  # fmt: skip


@router.get("/settings")
def settings_page(request: Request, visitor: Viewer, site: Here) -> Response:
    """Password, tokens, and what the server was started with."""
    with site.store.read() as records:
        tokens, kept = tokens_of(records, visitor.user.id), bytes_kept(records)
    return page(
        request, "settings.html", visitor, tokens=tokens, kept_mb=round(kept / 1e6), is_admin=visitor.may("admin"),
        server=server_settings(site.settings),
    )  # fmt: skip

"""The dashboard's table of contents: what it is made of, and where each address leads."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from lumbago import __version__
from lumbago.web import grade_colours, static_files, viewer_access
from lumbago.web.access import Access
from lumbago.web.api import accounts, api_pages, jobs, labels, patients, studies, uploads
from lumbago.web.api import teaching as teaching_api
from lumbago.web.oidc import add_oidc
from lumbago.web.pages import (
    administration,
    annotation,
    entrance,
    history,
    models,
    settings,
    study,
    teaching,
    upload,
    worklist,
)
from lumbago.web.problems import add_problem_handlers
from lumbago.web.shields import LimitBodies, TellBrowsers
from lumbago.web.site import Site

OPEN: Final[tuple[APIRouter, ...]] = (entrance.router, grade_colours.router)
"""What is shown before signing in; static files besides."""
PAGES: Final[tuple[APIRouter, ...]] = (
    worklist.router, upload.router, study.router, history.router, teaching.router, models.router, settings.router,
    administration.router, annotation.router,
)  # fmt: skip
API: Final[tuple[APIRouter, ...]] = (
    studies.router, uploads.router, jobs.router, patients.router, teaching_api.router, accounts.router, labels.router,
    api_pages.router,
)  # fmt: skip


def create_app(site: Site, access: Access, hosts: Sequence[str] = ("*",)) -> FastAPI:
    """The app; `hosts` are the names by which it answers.

    Raises:
        SettingsRefused: the settings of OpenID Connect make no sense.
    """
    middleware = [
        Middleware(TellBrowsers), Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(LimitBodies),
    ]  # fmt: skip
    app = FastAPI(
        title="Lumbago", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, middleware=middleware,
        lifespan=_lifespan, description="Research use, not a diagnosis: every result is to be read by a professional.",
    )  # fmt: skip
    app.state.site, app.state.access = site, access
    for router in (*OPEN, *PAGES, *API, viewer_access.router_of(site)):
        app.include_router(router)
    app.mount("/static", static_files.static_files())
    add_problem_handlers(app)
    if add_oidc(app, site.settings):
        app.state.oidc_title = urlsplit(site.settings.oidc_issuer).hostname
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    site: Site = app.state.site
    site.images.close()
    site.store.close()

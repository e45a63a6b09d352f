"""A site with a page of each kind, behind the real access control: what the tests of access knock at."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request, Response, UploadFile
from fastapi.testclient import TestClient

from lumbago.records.audit import AuditLine, AuditQuery, Event, audit_lines
from lumbago.records.store import Store, open_store
from lumbago.records.users import Role, TokenPlan, User, add_user
from lumbago.settings import Settings
from lumbago.web import sign_in as pages
from lumbago.web.access import Access, Visitor, audited, current_user, open_access, require
from lumbago.web.passwords import hash_password

HERE = "http://testserver"
ORIGIN = {"Origin": HERE}
PASSWORD = "seven vertebrae walk by"
HASH = hash_password(PASSWORD)
FIRST = "printed by the server"


@dataclass
class Now:
    """A clock that a test moves."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True)
class Site:
    """The site, its records, its clock."""

    app: FastAPI
    store: Store
    access: Access
    clock: Now = field(default_factory=Now)

    def client(self, address: str = "10.0.0.1", base: str = HERE) -> TestClient:
        """A browser of its own."""
        return TestClient(self.app, base_url=base, client=(address, 50000), headers={"Origin": base})

    def user(self, name: str, role: Role) -> User:
        with self.store.write() as db:
            return add_user(db, name, role, password_hash=HASH)

    def signed_in(self, name: str, role: Role) -> TestClient:
        """A browser in which a new user has signed in; it sends the CSRF token with everything."""
        self.user(name, role)
        client = self.client()
        assert client.post("/sign-in", params={"name": name, "password": PASSWORD}).status_code == 200
        client.headers["X-CSRF-Token"] = client.get("/csrf").text.strip('"')
        return client

    def audit(self) -> list[AuditLine]:
        """The trail, the newest first."""
        with self.store.read() as db:
            return list(audit_lines(db, AuditQuery()))


def open_site(folder: Path, url: str = "", **settings: Any) -> Site:
    """The site over new records."""
    store = open_store(url or f"sqlite:///{folder / 'records.db'}", folder / "files")
    access = open_access(store, Settings(**settings), FIRST)
    clock = Now()
    for limit in (access.requests, access.sign_ins, access.addresses):
        object.__setattr__(limit, "clock", clock)
    app = FastAPI()
    app.state.access = access
    _add_routes(app)
    return Site(app, store, access, clock)


def _add_routes(app: FastAPI) -> None:
    @app.post("/sign-in")
    def sign_in(request: Request, response: Response, name: str, password: str) -> str:
        pages.set_cookie(request, response, pages.sign_in(request, name, password))
        return "in"

    @app.post("/first-admin")
    def first_admin(request: Request, response: Response, secret: str, name: str, password: str) -> str:
        pages.set_cookie(request, response, pages.make_first_admin(request, secret, name, password))
        return "in"

    @app.post("/sign-out")
    def sign_out(request: Request, visitor: Annotated[Visitor, Depends(require("viewer"))]) -> str:
        pages.sign_out(request, visitor)
        return "out"

    @app.post("/password")
    def password(
        request: Request,
        response: Response,
        old: str,
        new: str,
        visitor: Annotated[Visitor, Depends(require("viewer"))],
    ) -> str:
        pages.set_cookie(request, response, pages.change_password(request, visitor, old, new))
        return "changed"

    @app.post("/tokens")
    def token(request: Request, plan: TokenPlan, visitor: Annotated[Visitor, Depends(require("viewer"))]) -> str:
        return pages.make_token(request, visitor, plan)

    @app.get("/csrf")
    def csrf_token(visitor: Annotated[Visitor, Depends(current_user)]) -> str:
        return visitor.csrf_token

    for role in ("viewer", "reader", "admin"):
        app.add_api_route(f"/{role}", _answer(require(role)), methods=["GET", "POST"])

    @app.post("/form")
    def form(file: UploadFile, visitor: Annotated[Visitor, Depends(require("reader"))]) -> int:
        return len(file.file.read())

    app.add_api_route("/upload", _answer(require("reader", "upload")), methods=["POST"])
    opened = audited("viewer", Event.INSTANCES_ACCESSED, "open study")
    app.add_api_route("/studies/{study_id}", _answer(opened))
    sliced = audited("viewer", Event.INSTANCES_ACCESSED, "read slices", every_seconds=900.0)
    app.add_api_route("/studies/{study_id}/slices", _answer(sliced))


def _answer(dependency: object):
    def answer(visitor: Annotated[Visitor, Depends(dependency)]) -> str:
        return visitor.user.name

    return answer

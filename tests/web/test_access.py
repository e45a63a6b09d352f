"""Sign-in, sessions, roles, CSRF, tokens, limits: each door is knocked at over HTTP."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from small_site import FIRST, HASH, PASSWORD, Now, Site, open_site
from sqlalchemy import select, update

from lumbago.errors import SettingsRefused, UsageError
from lumbago.records.patients import PatientFacts
from lumbago.records.studies import StudyFacts, add_study
from lumbago.records.tables import METADATA, SESSIONS, TOKENS, now
from lumbago.records.users import add_user, disable_user, find_session, find_user, set_role, user_named
from lumbago.web.access import SCOPES_FOR, refuse_open_door
from lumbago.web.passwords import hash_password, is_outdated, is_password
from lumbago.web.rate_limits import FailureLimit, RateLimit
from postgres_server import new_database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A site over each kind of database."""
    url = "" if request.param == "sqlite" else new_database(request.getfixturevalue("postgres"))
    opened = open_site(tmp_path, url)
    yield opened
    opened.store.close()


def all_that_is_kept(site: Site) -> str:
    with site.store.read() as db:
        return repr([list(db.execute(select(table))) for table in METADATA.sorted_tables])


def sign_in(client: TestClient, name: str, password: str = PASSWORD) -> int:
    return client.post("/sign-in", params={"name": name, "password": password}).status_code


def age(site: Site, column: str, by: timedelta) -> None:
    with site.store.write() as db:
        db.execute(update(SESSIONS).values({column: now() - by}))


# passwords


@pytest.mark.parametrize("password", ["short", "password1", "Password1", "x" * 1025, "anna-maria"])
def test_bad_passwords_are_refused(password: str) -> None:
    with pytest.raises(UsageError):
        hash_password(password, "Anna-Maria")


def test_a_password_is_known_by_its_hash_alone() -> None:
    assert HASH.startswith("$argon2id$") and PASSWORD not in HASH
    assert is_password(PASSWORD, HASH)
    assert not is_password(PASSWORD + " ", HASH) and not is_password(PASSWORD, None) and not is_password("x", "no hash")
    assert not is_outdated(HASH)


# signing in


def test_nobody_gets_in_without_signing_in(site: Site) -> None:
    for method, path in [("GET", "/viewer"), ("POST", "/viewer"), ("GET", "/studies/x"), ("POST", "/upload")]:
        assert site.client().request(method, path).status_code == 401


def test_a_session_has_a_new_id_at_every_sign_in_and_the_old_one_ends(site: Site) -> None:
    client = site.signed_in("anna", "reader")
    first = client.cookies["lumbago"]
    assert client.get("/reader").json() == "anna"
    assert sign_in(client, "anna") == 200
    assert client.cookies["lumbago"] != first
    stolen = site.client()
    stolen.cookies.set("lumbago", first)
    assert stolen.get("/reader").status_code == 401


def test_no_session_can_be_planted(site: Site) -> None:
    site.user("anna", "reader")
    client = site.client()
    client.cookies.set("lumbago", "planted")
    assert sign_in(client, "anna") == 200
    planted = site.client()
    planted.cookies.set("lumbago", "planted")
    assert planted.get("/reader").status_code == 401


def test_cookies_hold_no_secret_that_is_kept(site: Site) -> None:
    client = site.signed_in("anna", "reader")
    kept = all_that_is_kept(site)
    assert "anna" in kept and client.cookies["lumbago"] not in kept and PASSWORD not in kept


def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    site.user("anna", "reader")
    answer = site.client(base="https://testserver").post("/sign-in", params={"name": "anna", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-lumbago=")
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/")) and "Domain" not in cookie


def test_a_session_ends_when_left_alone_and_in_any_case(site: Site) -> None:
    client = site.signed_in("anna", "reader")
    age(site, "seen_at", timedelta(minutes=14))
    assert client.get("/reader").status_code == 200  # and is in use again
    age(site, "created_at", timedelta(hours=11))
    assert client.get("/reader").status_code == 200
    age(site, "seen_at", timedelta(minutes=16))
    assert client.get("/reader").status_code == 401
    assert sign_in(client, "anna") == 200
    age(site, "created_at", timedelta(hours=13))
    assert client.get("/reader").status_code == 401


@pytest.mark.parametrize("headers", [{"X-Unasked": "1"}, {"Accept": "text/event-stream"}])
def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(site: Site, headers: dict[str, str]) -> None:
    client = site.signed_in("anna", "reader")
    age(site, "seen_at", timedelta(minutes=14))
    assert client.get("/reader", headers=headers).status_code == 200
    with site.store.read() as db:
        session = find_session(db, client.cookies["lumbago"])
    assert session is not None and now() - session.seen_at > timedelta(minutes=13)
    age(site, "seen_at", timedelta(minutes=16))
    assert client.get("/reader", headers=headers).status_code == 401


def test_signing_out_ends_the_session(site: Site) -> None:
    client = site.signed_in("anna", "reader")
    secret = client.cookies["lumbago"]
    assert client.post("/sign-out").status_code == 200
    client.cookies.set("lumbago", secret)
    assert client.get("/reader").status_code == 401


def test_a_disabled_user_is_out_at_once(site: Site) -> None:
    site.user("boss", "admin")
    client = site.signed_in("anna", "reader")
    with site.store.write() as db:
        user = user_named(db, "anna")
        assert user is not None
        disable_user(db, user.id)
    assert client.get("/reader").status_code == 401
    assert sign_in(site.client(), "anna") == 401


def test_changing_the_password_ends_other_sessions(site: Site) -> None:
    client = site.signed_in("anna", "viewer")
    other = site.client()
    assert sign_in(other, "anna") == 200
    assert client.post("/password", params={"old": "wrong", "new": "x" * 20}).status_code == 401
    assert client.post("/password", params={"old": PASSWORD, "new": "a longer one by far"}).status_code == 200
    assert other.get("/viewer").status_code == 401 and client.get("/viewer").status_code == 200
    assert sign_in(site.client(), "anna") == 401 and sign_in(site.client(), "anna", "a longer one by far") == 200


# limits


def test_wrong_passwords_are_slowed_down_by_name_and_address(site: Site) -> None:
    site.user("anna", "reader")
    guesser, owner = site.client("10.6.6.6"), site.client("10.0.0.7")
    assert [sign_in(guesser, "Anna ", "guess") for _ in range(5)] == [401] * 5
    refused = guesser.post("/sign-in", params={"name": "anna", "password": PASSWORD})
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) == 900
    assert sign_in(owner, "anna") == 200, "a stranger locks nobody out"
    site.clock.seconds += 901
    assert sign_in(guesser, "anna", "guess") == 401
    assert int(guesser.post("/sign-in", params={"name": "anna", "password": "x"}).headers["Retry-After"]) == 1800
    site.clock.seconds += 1801
    assert sign_in(guesser, "anna") == 200


def test_one_address_tries_no_long_list_of_names(site: Site) -> None:
    guesser = site.client("10.6.6.6")
    assert [sign_in(guesser, f"user{number}") for number in range(20)] == [401] * 20
    assert sign_in(guesser, "user20") == 429


def test_own_sign_ins_do_not_wash_an_address(site: Site) -> None:
    site.user("mallory", "viewer")
    guesser = site.client("10.6.6.6")
    codes = [code for number in range(25) for code in (sign_in(guesser, f"u{number}"), sign_in(guesser, "mallory"))]
    assert codes.count(401) <= 20 and codes[-1] == 429


def test_requests_a_minute_are_limited(tmp_path: Path) -> None:
    site = open_site(tmp_path, requests_per_minute=60)
    client = site.signed_in("anna", "viewer")
    codes = [client.get("/viewer").status_code for _ in range(61)]
    assert codes[:50] == [200] * 50 and codes[-1] == 429
    site.clock.seconds += 1.1
    assert client.get("/viewer").status_code == 200
    assert client.get("/viewer").status_code == 429


def test_limits_forget_those_who_no_longer_matter() -> None:
    clock = Now()
    requests, failures = RateLimit(10, 60.0, clock), FailureLimit(clock=clock)
    for number in range(10_001):
        assert requests.wait_seconds(str(number)) == failures.wait_seconds(str(number)) == 0
    clock.seconds += 901
    assert requests.wait_seconds("x") == failures.wait_seconds("x") == 0
    assert len(requests._levels) == len(failures._failures) == 1


def test_failures_wait_a_day_at_most() -> None:
    clock = Now()
    failures = FailureLimit(clock=clock)
    waits = []
    for _ in range(20):
        clock.seconds += (wait := failures.wait_seconds("x"))
        waits.append(wait)
        if wait:
            assert failures.wait_seconds("x") == 0
    assert max(waits) == 86_400


# roles, scopes, CSRF

MATRIX = {
    "viewer": {"/viewer": 200, "/reader": 403, "/admin": 403},
    "reader": {"/viewer": 200, "/reader": 200, "/admin": 403},
    "admin": {"/viewer": 200, "/reader": 200, "/admin": 200},
}


@pytest.mark.parametrize("role", MATRIX)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_roles(site: Site, role: str, method: str) -> None:
    client = site.signed_in("anna", role)  # type: ignore[arg-type]
    assert {path: client.request(method, path).status_code for path in MATRIX[role]} == MATRIX[role]


def test_a_refusal_is_in_the_audit(site: Site) -> None:
    site.signed_in("anna", "viewer").get("/admin")
    line = site.audit()[0]
    assert (line.event, line.action, line.outcome, line.user_name) == (110113, "GET /admin", "refused", "anna")


FORGED = {
    "no token": ({}, {"X-CSRF-Token": ""}),
    "another session's token": ({}, {"X-CSRF-Token": "0" * 64}),
    "another site": ({}, {"Origin": "http://evil.example"}),
    "another scheme": ({}, {"Origin": "https://testserver"}),
    "no origin": ({}, {"Origin": ""}),
    "null origin": ({}, {"Origin": "null"}),
    "wrong field": ({"csrf_token": "0" * 64}, {"X-CSRF-Token": None}),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_another_site_sends_is_refused(site: Site, case: str) -> None:
    client = site.signed_in("anna", "reader")
    form, headers = FORGED[case]
    for name, value in headers.items():
        if value is None:
            del client.headers[name]
        else:
            client.headers[name] = value
    assert client.post("/reader", data=form).status_code == 403
    assert client.get("/reader").status_code == 200


def test_a_form_carries_the_token(site: Site) -> None:
    client = site.signed_in("anna", "reader")
    token = client.headers.pop("X-CSRF-Token")
    assert client.post("/reader", data={"csrf_token": token}).status_code == 200
    assert client.post("/form", data={"csrf_token": token}, files={"file": b"abc"}).json() == 3
    assert client.post("/form", data={"csrf_token": "0"}, files={"file": b"abc"}).status_code == 403
    assert client.post("/reader", content=json.dumps({"csrf_token": token})).status_code == 403


def test_signing_in_from_another_site_is_refused(site: Site) -> None:
    site.user("anna", "reader")
    client = site.client()
    client.headers["Origin"] = "http://evil.example"
    assert sign_in(client, "anna") == 403


# tokens


def make_token(client: TestClient, user: str, scopes: list[str], days: int = 30) -> str:
    answer = client.post("/tokens", json={"user_id": user, "name": "script", "scopes": scopes, "days": days})
    assert answer.status_code == 200, answer.text
    return str(answer.json())


def by_token(site: Site, token: str) -> TestClient:
    client = site.client()
    client.headers["Authorization"] = f"Bearer {token}"
    del client.headers["Origin"]
    return client


def id_of(site: Site, name: str) -> str:
    with site.store.read() as db:
        user = user_named(db, name)
        assert user is not None
        return user.id


def test_a_token_does_what_its_scopes_say(site: Site) -> None:
    client = site.signed_in("anna", "reader")
    token = make_token(client, id_of(site, "anna"), ["read"])
    program = by_token(site, token)
    assert program.get("/viewer").json() == "anna"
    assert program.post("/viewer").status_code == 200, "no cookie, nothing to forge"
    assert program.post("/reader").status_code == program.post("/upload").status_code == 403
    assert token.startswith("lumbago_") and token not in all_that_is_kept(site)


def test_a_token_s_scopes_do_not_outlive_the_role(site: Site) -> None:
    site.user("boss", "admin")
    client = site.signed_in("anna", "reader")
    program = by_token(site, make_token(client, id_of(site, "anna"), ["read", "review"]))
    assert program.post("/reader").status_code == 200
    with site.store.write() as db:
        set_role(db, id_of(site, "anna"), "viewer")
    assert program.post("/reader").status_code == 403 and program.get("/viewer").status_code == 200


def test_a_token_ends(site: Site) -> None:
    client = site.signed_in("anna", "reader")
    program = by_token(site, make_token(client, id_of(site, "anna"), ["read"]))
    assert program.get("/viewer").status_code == 200
    with site.store.write() as db:
        db.execute(update(TOKENS).values(expires_at=now() - timedelta(seconds=1)))
    assert program.get("/viewer").status_code == 401
    with site.store.write() as db:
        db.execute(update(TOKENS).values(expires_at=now() + timedelta(days=1), revoked_at=now()))
    assert program.get("/viewer").status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Basic YTpi", "x" * 4000, "Bearer lumbago_\x7f"])
def test_a_made_up_token_is_refused_even_beside_a_session(site: Site, header: str) -> None:
    client = site.signed_in("anna", "admin")
    client.headers["Authorization"] = header
    assert client.get("/viewer").status_code == 401


def test_a_service_uploads_by_token_and_nothing_else(site: Site) -> None:
    admin = site.signed_in("boss", "admin")
    with site.store.write() as db:
        service = add_user(db, "pacs", "service")
    program = by_token(site, make_token(admin, service.id, ["read", "upload"]))
    assert program.post("/upload").status_code == program.get("/viewer").status_code == 200
    assert program.post("/reader").status_code == program.get("/admin").status_code == 403
    assert sign_in(site.client(), "pacs", "") == 401
    site.user("sender", "service")
    person = site.signed_in("anna", "reader")
    with site.store.write() as db:
        set_role(db, id_of(site, "anna"), "service")
    assert sign_in(site.client(), "sender") == sign_in(site.client(), "anna") == 401, "whatever its password"
    assert person.get("/viewer").status_code == 401


def test_tokens_that_may_not_be_made(site: Site) -> None:
    admin, viewer = site.signed_in("boss", "admin"), site.signed_in("anna", "viewer")
    plan = {"user_id": id_of(site, "boss"), "name": "script", "scopes": ["read"], "days": 3}
    assert viewer.post("/tokens", json=plan).status_code == 403
    for wrong in ({"scopes": []}, {"scopes": ["everything"]}, {"days": 0}, {"days": 10_000}):
        with pytest.raises(UsageError):
            admin.post("/tokens", json=plan | wrong)
    own = {"user_id": id_of(site, "anna"), "scopes": ["admin"]}
    with pytest.raises(UsageError):
        viewer.post("/tokens", json=plan | own)


def test_a_token_makes_none_that_may_more(site: Site) -> None:
    boss = site.signed_in("boss", "admin")
    own, plan = id_of(site, "boss"), {"user_id": id_of(site, "boss"), "name": "script", "days": 3}
    program = by_token(site, make_token(boss, own, ["read", "upload"]))
    for scopes in (["admin"], ["read", "review"]):
        assert program.post("/tokens", json=plan | {"scopes": scopes}).status_code == 403
    assert program.post("/tokens", json=plan | {"scopes": ["read"]}).status_code == 200
    steward = by_token(site, make_token(boss, own, ["read", "admin"]))
    assert steward.post("/tokens", json=plan | {"scopes": ["review"]}).status_code == 200


def test_no_role_may_more_than_the_next() -> None:
    assert SCOPES_FOR["viewer"] < SCOPES_FOR["reader"] < SCOPES_FOR["admin"]
    assert "review" not in SCOPES_FOR["service"], "a review is a person's"


# audit, first start


def test_an_access_is_written_down_before_it_is_given(site: Site) -> None:
    with site.store.write() as db:
        study = add_study(db, PatientFacts("4711", name="Doe^Jane"), StudyFacts("1.2.3"))
    client = site.signed_in("anna", "viewer")
    assert client.get(f"/studies/{study.id}").status_code == 200
    line = site.audit()[0]
    assert (line.event, line.action, line.outcome) == (110103, "open study", "success")
    assert (line.user_name, line.address) == ("anna", "10.0.0.1")
    assert (line.study_id, line.patient_id) == (study.id, study.patient.id)
    assert client.get("/studies/unknown").status_code == 200 and site.audit()[0].patient_id == ""


def test_slices_are_written_down_once_in_a_while(site: Site) -> None:
    client = site.signed_in("anna", "viewer")

    def told() -> int:
        return sum(line.action == "read slices" for line in site.audit())

    for study in ("a", "a", "b", "a"):
        client.get(f"/studies/{study}/slices")
    assert told() == 2
    site.clock.seconds += 901
    client.get("/studies/a/slices")
    assert told() == 3


def test_the_first_admin_is_made_once_with_the_secret(site: Site) -> None:
    client = site.client()

    def make(secret: str, name: str, password: str = PASSWORD) -> int:
        return client.post("/first-admin", params={"secret": secret, "name": name, "password": password}).status_code

    assert make("guess", "boss") == 403
    assert make(FIRST, "boss") == 200
    assert client.get("/admin").json() == "boss"
    assert make(FIRST, "second") == 403
    with site.store.read() as db:
        assert user_named(db, "second") is None


def test_the_secret_is_not_guessed(site: Site) -> None:
    client = site.client()
    codes = [
        client.post("/first-admin", params={"secret": str(n), "name": "x", "password": PASSWORD}).status_code
        for n in range(6)
    ]
    assert codes == [403] * 5 + [429]


def test_no_other_machine_gets_in_before_there_is_an_admin(site: Site) -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        refuse_open_door(site.store, host)
    for host in ("0.0.0.0", "::", "192.168.0.4", "lumbago.example"):
        with pytest.raises(SettingsRefused, match="no admin"):
            refuse_open_door(site.store, host)
    boss = site.user("boss", "admin")
    refuse_open_door(site.store, "0.0.0.0")
    with site.store.write() as db:
        assert find_user(db, boss.id) == boss
        with pytest.raises(UsageError, match="no admin would be left"):
            disable_user(db, boss.id)

"""Every page and every call of the API refuses: without sign-in, with too low a role, from another site's page.

The table below says what each needs; a new route without its line fails.
"""

from typing import Final

import pytest
from dashboard import FIRST, Dashboard
from fastapi.routing import APIRoute

from lumbago.anatomy.findings import StudyFindings
from lumbago.records.patients import PatientFacts
from lumbago.records.studies import StudyFacts, add_study
from lumbago.web.app import API, OPEN, PAGES
from lumbago.web.viewer_access import router_of

NEEDS: Final[dict[str, str]] = {
    "GET /sign-in": "", "POST /sign-in": "", "GET /first-start": "", "POST /first-start": "",
    "GET /static/grades.css": "",
    "POST /sign-out": "viewer",
    "GET /": "viewer", "GET /upload": "reader", "GET /studies/{study_id}": "viewer",
    "GET /studies/{study_id}/beside/{other_id}": "viewer", "GET /patients/{patient_id}": "viewer",
    "GET /teaching": "viewer", "GET /teaching/{study_id}": "viewer", "GET /models": "viewer",
    "GET /evaluation": "viewer", "GET /settings": "viewer", "GET /users": "admin", "GET /audit": "admin",
    "GET /api/v1/studies": "viewer", "GET /api/v1/studies/{study_id}": "viewer",
    "GET /api/v1/studies/{study_id}/findings.json": "viewer", "GET /api/v1/studies/{study_id}/report.pdf": "viewer",
    "GET /api/v1/studies/{study_id}/places": "viewer", "GET /api/v1/studies/{study_id}/reviews": "viewer",
    "POST /api/v1/studies/{study_id}/reviews": "reader", "POST /api/v1/studies/{study_id}/analyze": "reader",
    "POST /api/v1/studies/{study_id}/teaching": "viewer", "GET /api/v1/conditions": "viewer",
    "GET /api/v1/studies/{study_id}/viewer": "viewer",
    "GET /api/v1/studies/{study_id}/frames/{series}/{index}": "viewer",
    "GET /api/v1/studies/{study_id}/heat-maps/{name}": "viewer",
    "POST /api/v1/uploads": "reader", "GET /api/v1/uploads/{upload_id}": "reader",
    "PUT /api/v1/uploads/{upload_id}": "reader", "DELETE /api/v1/uploads/{upload_id}": "reader",
    "POST /api/v1/uploads/{upload_id}/finish": "reader",
    "GET /api/v1/jobs": "viewer", "GET /api/v1/jobs/{job_id}": "viewer", "GET /api/v1/jobs/{job_id}/events": "viewer",
    "GET /api/v1/events": "viewer", "GET /api/v1/patients/{patient_id}": "viewer", "GET /api/v1/models": "viewer",
    "GET /api/v1/evaluation": "viewer", "GET /api/v1/me": "viewer", "POST /api/v1/me/password": "viewer",
    "POST /api/v1/me/tokens": "viewer", "DELETE /api/v1/me/tokens/{token_id}": "viewer",
    "GET /api/v1/users": "admin", "POST /api/v1/users": "admin", "POST /api/v1/users/{user_id}/role": "admin",
    "POST /api/v1/users/{user_id}/disable": "admin", "POST /api/v1/users/{user_id}/enable": "admin",
    "POST /api/v1/users/{user_id}/password": "admin", "GET /api/v1/audit.csv": "admin",
    "GET /labels": "reader", "POST /api/v1/labels/export": "reader", "GET /api/v1/labels/exports/{file_id}": "reader",
    "POST /api/v1/labels/import": "reader",
    "GET /api/v1/openapi.json": "viewer", "GET /api/v1/docs": "viewer",
}  # fmt: skip
"""Operation -> the lowest role that may; "" for nobody signed in."""
RANK: Final = {"": 0, "viewer": 1, "reader": 2, "admin": 3}
CLOSED: Final = [operation for operation, role in NEEDS.items() if role]


def routes(dashboard: Dashboard) -> set[str]:
    routers = (*OPEN, *PAGES, *API, router_of(dashboard.site))
    found = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {f"{method} {route.path}" for route in found for method in route.methods}


def asked(operation: str) -> tuple[str, str]:
    """Method and path, with ids that nothing has."""
    method, path = operation.split(" ")
    for name in ("study_id", "other_id", "patient_id", "upload_id", "job_id", "token_id", "user_id", "file_id"):
        path = path.replace(f"{{{name}}}", "0" * 32)
    return method, path.replace("{series}/{index}", "0/0").replace("{name}", "x.png")


def test_every_route_says_what_it_needs(dashboard: Dashboard) -> None:
    assert routes(dashboard) == set(NEEDS)


def test_nobody_sees_anything_without_signing_in(dashboard: Dashboard) -> None:
    dashboard.signed_in("admin")
    for operation in CLOSED:
        method, path = asked(operation)
        answer = dashboard.browser().request(method, path)
        is_page = method == "GET" and not path.startswith("/api/")
        assert answer.status_code == 401 or (is_page and answer.headers["location"].startswith("/first-start")), (
            operation
        )


def test_a_role_that_is_too_low_is_refused(dashboard: Dashboard) -> None:
    for role in ("viewer", "reader"):
        client = dashboard.signed_in(role)
        for operation in CLOSED:
            if RANK[NEEDS[operation]] > RANK[role]:
                assert client.request(*asked(operation)).status_code == 403, (operation, role)


def test_what_changes_something_needs_the_pages_own_token(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("admin")
    del client.headers["X-CSRF-Token"]
    for operation in CLOSED:
        if not operation.startswith("GET"):
            assert client.request(*asked(operation)).status_code == 403, operation


def test_what_changes_something_comes_from_our_own_page(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("admin")
    for operation in CLOSED:
        if not operation.startswith("GET"):
            answer = client.request(*asked(operation), headers={"Origin": "http://evil.example"})
            assert answer.status_code == 403, operation


OPENED: Final = (
    "/", "/upload", "/labels", "/teaching", "/models", "/evaluation", "/settings", "/users", "/audit",
    "/audit?verify=1", "/api/v1/docs", "/api/v1/openapi.json", "/api/v1/audit.csv", "/api/v1/models",
    "/api/v1/evaluation", "/api/v1/me",
)  # fmt: skip


@pytest.mark.parametrize("path", OPENED)
def test_pages_open_and_keep_to_themselves(dashboard: Dashboard, found: StudyFindings, path: str) -> None:
    dashboard.add_study(found)
    answer = dashboard.signed_in("admin").get(path)
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff" and answer.headers["cache-control"] == "no-store"
    if answer.headers["content-type"].startswith("text/html"):
        assert "Not a diagnosis" in answer.text
        assert "<style" not in answer.text and " style=" not in answer.text and "onclick" not in answer.text


def test_no_two_patients_stand_under_one_name(dashboard: Dashboard, found: StudyFindings) -> None:
    client = dashboard.signed_in("viewer")
    first, later = dashboard.add_study(found), dashboard.add_study(found, date="2026-02-03")
    with dashboard.store.write() as records:
        other = add_study(records, PatientFacts("PAT-2", name="Roe^Richard"), StudyFacts("2.25.2"))
    assert client.get(f"/studies/{first}/beside/{later}").status_code == 200
    mixed = client.get(f"/studies/{first}/beside/{other.id}")
    assert mixed.status_code == 400 and "of two patients" in mixed.text


def test_first_start_makes_one_admin_with_the_printed_secret(dashboard: Dashboard) -> None:
    client = dashboard.browser()
    assert client.get("/").headers["location"] == "/first-start"
    wrong = client.post("/first-start", data={"secret": "no", "name": "anna", "password": "seven vertebrae walk"})
    assert wrong.status_code == 400 and "not the secret" in wrong.text and 'value="no"' not in wrong.text
    weak = client.post("/first-start", data={"secret": FIRST, "name": "anna", "password": "password"})
    assert weak.status_code == 400 and "tried first" in weak.text and f'value="{FIRST}"' in weak.text
    made = client.post("/first-start", data={"secret": FIRST, "name": "anna", "password": "seven vertebrae walk"})
    assert made.status_code == 303 and client.get("/users").status_code == 200
    again = dashboard.browser().post("/first-start", data={"secret": FIRST, "name": "b", "password": "seven vertebrae"})
    assert again.status_code == 400
    assert dashboard.browser().get("/first-start").headers["location"] == "/sign-in"


def test_sign_in_leads_to_the_page_that_was_asked_for_and_nowhere_else(dashboard: Dashboard) -> None:
    dashboard.signed_in("viewer")
    fields = {"name": "viewer", "password": "seven vertebrae walk by"}
    for wanted, reached in (("/models", "/models"), ("//evil.example", "/"), ("https://evil.example", "/")):
        answer = dashboard.browser().post("/sign-in", data=fields | {"next": wanted})
        assert answer.headers["location"] == reached
    wrong = dashboard.browser().post("/sign-in", data=fields | {"password": "another one"})
    assert wrong.status_code == 401 and "do not go together" in wrong.text


def test_a_program_comes_by_token(dashboard: Dashboard) -> None:
    admin = dashboard.signed_in("admin")
    robot = admin.post("/api/v1/users", json={"name": "robot", "role": "service"}).json()["id"]
    wanted = {"name": "sender", "days": 3, "scopes": ["upload"], "user_id": robot}
    secret = admin.post("/api/v1/me/tokens", json=wanted).json()["token"]
    program = dashboard.browser()
    program.headers = {"Authorization": f"Bearer {secret}"}
    files = {"name": "a.zip", "files": [{"name": "a.zip", "bytes": 10}]}
    assert program.post("/api/v1/uploads", json=files).status_code == 201
    assert program.get("/api/v1/studies").status_code == 403
    assert program.get("/users").status_code == 403


def test_an_unknown_address_is_told_in_one_sentence(dashboard: Dashboard) -> None:
    client = dashboard.signed_in("viewer")
    page, call = client.get("/studies/unknown"), client.get("/api/v1/studies/unknown")
    assert page.status_code == call.status_code == 404
    assert "Traceback" not in page.text and call.json()["detail"].endswith(".")


@pytest.mark.parametrize("path", ["/?start=", "/api/v1/studies?start=", "/audit?before="])
def test_a_number_beyond_all_numbers_is_told_in_one_sentence(dashboard: Dashboard, path: str) -> None:
    assert dashboard.signed_in("admin").get(f"{path}{10**20}").status_code == 422

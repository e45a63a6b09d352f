"""Signing in by OpenID Connect, against a provider that runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import RSAKey
from small_provider import SECRET, Provider, small_provider
from small_site import Site, open_site

from lumbago.errors import SettingsRefused
from lumbago.records.users import enable_user, user_named
from lumbago.settings import Settings
from lumbago.web.oidc import add_oidc


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with small_provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.claims, running.shown = {"sub": "u-1", "preferred_username": "Anna"}, None
    return running


def site_for(provider: Provider, folder: Path, role: str) -> Site:
    (folder / "secret").write_text(f"{SECRET}\n")
    site = open_site(folder, oidc_role=role)
    settings = Settings(oidc_issuer=provider.issuer, oidc_secret_file=str(folder / "secret"), oidc_role=role)
    assert add_oidc(site.app, settings)
    site.user("boss", "admin")
    return site


@pytest.fixture
def site(provider: Provider, tmp_path: Path) -> Site:
    return site_for(provider, tmp_path, "reader")


def way_back(client: TestClient) -> str:
    """Where the provider sends the browser back to, once the person has signed in there."""
    begun = client.get("/sign-in/oidc", follow_redirects=False)
    assert begun.status_code == 302
    return str(httpx2.get(begun.headers["location"]).headers["location"])


def sign_in(client: TestClient) -> int:
    return client.get(way_back(client), follow_redirects=False).status_code


def test_a_person_signs_in_at_the_provider(site: Site) -> None:
    client = site.client()
    assert sign_in(client) == 303
    assert client.get("/reader").json() == "anna" and client.get("/admin").status_code == 403
    assert [line.action for line in site.audit()[:3]] == ["GET /admin", "sign in", "first came by OpenID Connect"]
    assert sign_in(site.client()) == 303
    with site.store.read() as db:
        user = user_named(db, "anna")
        assert user is not None and user.role == "reader" and user.disabled_at is None


def test_a_newcomer_waits_for_an_admin(provider: Provider, tmp_path: Path) -> None:
    site = site_for(provider, tmp_path, "")
    assert sign_in(site.client()) == sign_in(site.client()) == 403
    with site.store.write() as db:
        user = user_named(db, "anna")
        assert user is not None
        enable_user(db, user.id)
    assert sign_in(site.client()) == 303


def test_a_name_takes_no_one_else_s_place(site: Site, provider: Provider) -> None:
    provider.claims = {"sub": "u-2", "preferred_username": "Boss"}
    client = site.client()
    assert sign_in(client) == 303
    assert client.get("/viewer").json().startswith("boss (") and client.get("/admin").status_code == 403


LIES: dict[str, dict[str, Any]] = {
    "another nonce": {"nonce": "other"},
    "for another client": {"aud": "other"},
    "of another issuer": {"iss": "https://evil.example"},
    "long over": {"exp": 1},
    "about nobody": {"sub": ""},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_not_believed(site: Site, provider: Provider, lie: str) -> None:
    provider.claims |= LIES[lie]
    client = site.client()
    assert sign_in(client) == 401 and client.get("/viewer").status_code == 401


def test_another_s_signature_is_not_believed(site: Site, provider: Provider) -> None:
    provider.shown = RSAKey.generate_key(2048, {"kid": "1"}, private=True)
    assert sign_in(site.client()) == 401
    assert site.audit()[0].outcome == "failure"


def test_only_the_browser_that_began_comes_back_and_once(site: Site) -> None:
    client = site.client()
    address = way_back(client)
    assert site.client().get(address, follow_redirects=False).status_code == 401, "a planted sign-in"
    assert client.get(address.replace("state=", "state=x"), follow_redirects=False).status_code == 401
    assert client.get(address, follow_redirects=False).status_code == 303
    assert client.get(address, follow_redirects=False).status_code == 401, "a code is good once"


def test_settings_that_make_no_sense(site: Site, tmp_path: Path) -> None:
    secret = str(tmp_path / "secret")
    assert not add_oidc(site.app, Settings())
    for wrong in (
        {"oidc_issuer": "http://provider.example", "oidc_secret_file": secret},
        {"oidc_issuer": "https://provider.example", "oidc_secret_file": str(tmp_path / "nothing")},
        {"oidc_issuer": "https://provider.example", "oidc_secret_file": secret, "oidc_role": "service"},
    ):
        with pytest.raises(SettingsRefused, match="LUMBAGO_OIDC"):
            add_oidc(site.app, Settings(**wrong))

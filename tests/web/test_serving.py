"""What `lumbago serve` opens: the app with what its settings ask for, and the housekeeping beside it."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from dashboard import open_dashboard
from fastapi.testclient import TestClient
from small_provider import SECRET, small_provider

from lumbago.errors import RecordsRefused
from lumbago.settings import Settings
from lumbago.web import housekeeping
from lumbago.web.housekeeping import Housekeeping
from lumbago.web.serving import Address, opened


def unnamed_file(folder: Path, content: bytes) -> Path:
    """A kept file that no row names, of yesterday."""
    path = folder / "files" / "ab" / ("ab" + content.hex().zfill(62))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (time.time() - 86400,) * 2)
    return path


def goes(path: Path) -> bool:
    """Whether a file is gone before long."""
    end = time.monotonic() + 10
    while path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return not path.exists()


def test_the_server_tidies_at_the_start(tmp_path: Path) -> None:
    old = unnamed_file(tmp_path, b"1")
    upload = tmp_path / "uploads" / ("0" * 32)
    upload.mkdir(parents=True)
    (upload / "data").touch()
    os.utime(upload / "data", (time.time() - 8 * 86400,) * 2)
    with opened(Settings(home=str(tmp_path), workers=0), Address("127.0.0.1", 0)) as served:
        assert goes(old) and goes(upload)
        served.app.state.site.images.close()
        served.app.state.site.store.close()


def test_it_tidies_again_and_outlives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dashboard, tidy, failures = open_dashboard(tmp_path), housekeeping.tidy, iter([RecordsRefused("no records")])

    def failing_first(*given: object) -> None:
        for failure in failures:
            raise failure
        tidy(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(housekeeping, "_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(housekeeping, "tidy", failing_first)
    with Housekeeping(dashboard.site):
        assert goes(unnamed_file(tmp_path, b"1")) and goes(unnamed_file(tmp_path, b"2"))
    dashboard.site.images.close()
    dashboard.store.close()


def test_openid_connect_is_there_when_it_is_set(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    with small_provider() as provider:
        dashboard = open_dashboard(
            tmp_path, oidc_issuer=provider.issuer, oidc_secret_file=str(tmp_path / "secret"), oidc_role="reader"
        )
        dashboard.signed_in("admin")
        dashboard.app.state.access = replace(dashboard.app.state.access, first_secret="")
        client: TestClient = dashboard.browser()
        assert '<a class="button" href="/sign-in/oidc">Sign in with 127.0.0.1</a>' in client.get("/sign-in").text
        begun = client.get("/sign-in/oidc")
        assert begun.status_code == 302 and begun.headers["location"].startswith(provider.issuer)
    dashboard.site.images.close()
    dashboard.store.close()


def test_openid_connect_is_not_there_when_it_is_not_set(tmp_path: Path) -> None:
    dashboard = open_dashboard(tmp_path)
    assert dashboard.browser().get("/sign-in/oidc").status_code == 404
    dashboard.site.images.close()
    dashboard.store.close()


def test_scripts_come_compressed_to_those_who_take_it(tmp_path: Path) -> None:
    dashboard = open_dashboard(tmp_path)
    client = dashboard.browser()
    plain = client.get("/static/viewer-stage.js", headers={"Accept-Encoding": "identity"})
    zipped = client.get("/static/viewer-stage.js", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers and zipped.headers["content-encoding"] == "gzip"
    assert zipped.content == plain.content and int(zipped.headers["content-length"]) < len(plain.content) / 3
    assert {answer.headers["vary"] for answer in (plain, zipped)} == {"Accept-Encoding"}
    assert zipped.headers["content-type"] == plain.headers["content-type"]
    assert "max-age" in zipped.headers["cache-control"]
    again = client.get("/static/viewer-stage.js", headers={"If-None-Match": zipped.headers["etag"]})
    assert again.status_code == 304 and not again.content
    part = client.get("/static/viewer-stage.js", headers={"Range": "bytes=0-9", "Accept-Encoding": "gzip"})
    assert part.status_code == 206 and part.content == plain.content[:10]
    dashboard.site.images.close()
    dashboard.store.close()

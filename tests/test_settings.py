"""Settings: defaults, then the environment, then what was given; what makes no sense is refused with one sentence."""

import os
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import pytest

from lumbago.errors import SettingsRefused
from lumbago.settings import ENVIRONMENT_PREFIX, FORMATS, Settings
from lumbago.terminal import user_name


def test_defaults() -> None:
    assert Settings.read({}) == Settings()
    given = Settings(threads=2, models="", home="", cache="", formats=FORMATS, idle_minutes=15, session_hours=12)
    assert given == Settings()


def test_every_setting_says_what_it_is_for() -> None:
    assert all(len(item.metadata["help"]) > 10 for item in fields(Settings))


def test_the_environment_sets(tmp_path: Path) -> None:
    read = Settings.read({"LUMBAGO_THREADS": "5", "LUMBAGO_MODELS": str(tmp_path), "LUMBAGO_FORMATS": "json, png,"})
    assert read == Settings(threads=5, models=str(tmp_path), formats=("json", "png"))


def test_every_setting_can_come_from_the_environment(tmp_path: Path) -> None:
    values = {"threads": "3", "models": str(tmp_path), "home": str(tmp_path), "cache": "kept", "formats": "json"}
    values |= {"database": "postgresql://here/lumbago", "quota_gb": "7", "idle_minutes": "8", "session_hours": "9"}
    values |= {"requests_per_minute": "600", "workers": "0", "job_seconds": "60", "upload_gb": "2"}
    values |= {"oidc_issuer": "https://x", "oidc_client": "y", "oidc_secret_file": "z", "oidc_role": "viewer"}
    assert set(values) == {item.name for item in fields(Settings)}
    for name, value in values.items():
        changed = Settings.read({ENVIRONMENT_PREFIX + name.upper(): value})
        assert getattr(changed, name) != getattr(Settings(), name)


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account by number alone, as `docker run --user 12345` gives: without a name, here without a home, too."""

    def unknown(uid: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("name", ["home", "cache"])
def test_without_a_home_folder_one_has_to_be_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=f"no home folder; name a folder in LUMBAGO_{name.upper()}"):
        getattr(Settings(), f"{name}_folder")
    assert getattr(Settings(home=str(tmp_path), cache=str(tmp_path)), f"{name}_folder") == tmp_path


@pytest.mark.usefixtures("nobody")
def test_an_account_without_a_name_has_a_number() -> None:
    assert user_name() == f"user {os.getuid()}"


def test_a_command_line_option_overrides_the_environment() -> None:
    assert Settings.read({"LUMBAGO_THREADS": "5"}, threads=7).threads == 7
    assert Settings.read({"LUMBAGO_THREADS": "5"}, threads=None).threads == 5


def test_the_machine_s_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMBAGO_THREADS", "9")
    assert Settings.read().threads == 9


def test_other_variables_do_not_matter() -> None:
    assert Settings.read({"THREADS": "5", "LUMBAGO_SOMETHING": "x"}) == Settings()


REFUSED: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "too few threads": ({"LUMBAGO_THREADS": "0"}, {}, "threads is 0; expected 1 to 64"),
    "too many threads": ({}, {"threads": 65}, "threads is 65; expected 1 to 64"),
    "too short an evening": (
        {"LUMBAGO_IDLE_MINUTES": "0"},
        {},
        "idle_minutes is 0; expected 1 to 1440; change LUMBAGO_IDLE",
    ),
    "too long a session": ({"LUMBAGO_SESSION_HOURS": "169"}, {}, "session_hours is 169; expected 1 to 168"),
    "no quota": ({"LUMBAGO_QUOTA_GB": "0"}, {}, "quota_gb is 0; expected 1 to"),
    "no number": ({"LUMBAGO_THREADS": "many"}, {}, "LUMBAGO_THREADS is 'many'; expected a whole number"),
    "nothing": ({"LUMBAGO_THREADS": ""}, {}, "LUMBAGO_THREADS is ''"),
    "unknown formats": ({}, {"formats": ("json", "docx", "bmp")}, "unknown format bmp, docx; expected some of json"),
    "unknown formats by environment": (
        {"LUMBAGO_FORMATS": "docx"},
        {},
        "unknown format docx; expected some of json, png, pdf; change --format or LUMBAGO_FORMATS",
    ),
    "too many workers": ({"LUMBAGO_WORKERS": "99"}, {}, "workers is 99; expected 0 to 64"),
    "no time to work": ({"LUMBAGO_JOB_SECONDS": "1"}, {}, "job_seconds is 1; expected 10 to 86400"),
    "no such folder": ({"LUMBAGO_MODELS": "/nowhere/at/all"}, {}, "no folder /nowhere/at/all"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused(case: str) -> None:
    environment, given, start = REFUSED[case]
    with pytest.raises(SettingsRefused) as refused:
        Settings.read(environment, **given)
    assert str(refused.value).startswith(start) and str(refused.value).endswith(".")
    assert refused.value.exit_code == 6


def test_no_password_is_shown() -> None:
    settings = Settings(database="postgresql://lumbago:pa:ss@host/name")
    assert settings.shown("database") == "postgresql://lumbago:***@host/name"
    plain = ("postgresql://lumbago@host:5432/name", "sqlite:////home/a:b@c/records.db")
    assert [Settings(database=url).shown("database") for url in plain] == list(plain)
    assert settings.shown("threads") == 2


def test_an_empty_environment_overrides_no_option() -> None:
    assert Settings.read({"LUMBAGO_THREADS": "8"}, formats=("png",)) == Settings(threads=8, formats=("png",))


def test_a_file_is_no_folder_with_models(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")
    with pytest.raises(SettingsRefused, match="no folder"):
        Settings.read({"LUMBAGO_MODELS": str(tmp_path / "models")})

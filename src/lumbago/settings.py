"""Settings of an analysis: one field each, with its help, its default, and its name in the environment."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_data_path

from lumbago.errors import SettingsRefused

FORMATS = ("json", "png", "pdf")
ENVIRONMENT_PREFIX = "LUMBAGO_"


_RANGES = {"workers": (0, 64), "job_seconds": (10, 86_400), "upload_gb": (1, 64)}


def _setting(default: Any, explanation: str) -> Any:
    return field(default=default, metadata={"help": explanation})


def _number(default: int, least: int, most: int, explanation: str) -> Any:
    """A setting from `least` to `most`."""
    metadata = {"help": f"{explanation}, {least} to {most}", "least": least, "most": most}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set; `LUMBAGO_<FIELD>` in the environment sets a field, a command-line option overrides it."""

    threads: int = _number(2, 1, 64, "processor threads for the networks")
    models: str = _setting("", "folder with models to use instead of the shipped ones")
    home: str = _setting("", "folder of deployed models, records and files; by default in the user's data folder")
    cache: str = _setting("", "folder of what training prepared; by default in the user's cache folder")
    formats: tuple[str, ...] = _setting(
        FORMATS, f"what is written, some of {', '.join(FORMATS)}; findings.json always is"
    )

    database: str = _setting("", "records: sqlite:///FILE or postgresql://HOST/NAME; by default records.db in the home")
    quota_gb: int = _number(200, 1, 1_000_000, "gigabytes that kept files may take")
    idle_minutes: int = _number(15, 1, 1440, "minutes without a request after which a person is signed out")
    requests_per_minute: int = _number(3000, 60, 100000, "requests that one user may make in a minute")
    session_hours: int = _number(12, 1, 168, "hours after which a person signs in again in any case")

    oidc_issuer: str = _setting("", "OpenID Connect: address of the provider; people sign in there, too")
    oidc_client: str = _setting("lumbago", "OpenID Connect: the client's name there")
    oidc_secret_file: str = _setting("", "OpenID Connect: file with the client's secret")
    oidc_role: str = _setting("", "OpenID Connect: role of a newcomer; when empty, an admin lets each one in")
    workers: int = _number(1, 0, 64, "processes that analyze beside `lumbago serve`")
    job_seconds: int = _number(1800, 10, 86400, "seconds after which an analysis is ended")
    upload_gb: int = _number(4, 1, 64, "gigabytes that one upload may have")

    def __post_init__(self) -> None:
        """Refuses what makes no sense.

        Raises:
            SettingsRefused: a value out of range.
        """
        for item in fields(self):
            value, limits = getattr(self, item.name), item.metadata
            if "least" in limits and not limits["least"] <= value <= limits["most"]:
                variable = ENVIRONMENT_PREFIX + item.name.upper()
                raise SettingsRefused(
                    f"{item.name} is {value}", f"{limits['least']} to {limits['most']}",
                    f"change --{item.name} or {variable}" if item.name == "threads" else f"change {variable}",
                )  # fmt: skip
        self._refuse_outside()
        unknown = sorted(set(self.formats) - set(FORMATS))
        if unknown:
            raise SettingsRefused(
                f"unknown format {', '.join(unknown)}",
                f"some of {', '.join(FORMATS)}",
                "change --format or LUMBAGO_FORMATS",
            )
        if self.models and not Path(self.models).is_dir():
            raise SettingsRefused(f"no folder {self.models}", "a folder with models", "change LUMBAGO_MODELS")

    def _refuse_outside(self) -> None:
        """Refuses numbers out of their ranges."""
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if not least <= value <= most:
                variable = ENVIRONMENT_PREFIX + name.upper()
                raise SettingsRefused(f"{name} is {value}", f"{least} to {most}", f"change {variable}")

    def shown(self, name: str) -> Any:
        """A setting as it may be shown: a password in the database's address is left out."""
        value = getattr(self, name)
        return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", value) if name == "database" else value

    @property
    def home_folder(self) -> Path:
        """Where what was made here is kept.

        Raises:
            SettingsRefused: none is set, and the account has no home folder.
        """
        return Path(self.home) if self.home else _own_folder(user_data_path, "home")

    @property
    def cache_folder(self) -> Path:
        """Where training keeps what is slow to make; it can be deleted at any time between runs.

        Raises:
            SettingsRefused: none is set, and the account has no home folder.
        """
        return Path(self.cache) if self.cache else _own_folder(user_cache_path, "cache")

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> "Settings":
        """Defaults, then the environment, then what was given (None means not given).

        Raises:
            SettingsRefused: a value that cannot be understood or makes no sense.
        """
        values: dict[str, Any] = {}
        for item in fields(cls):
            text = environment.get(ENVIRONMENT_PREFIX + item.name.upper())
            if text is not None:
                values[item.name] = _parsed(item.name, item.default, text)
        return cls(**{**values, **{name: value for name, value in given.items() if value is not None}})


def _own_folder(place: Callable[[str], Path], name: str) -> Path:
    """A folder of the user's own, where the system keeps such."""
    try:
        return place("lumbago")
    except RuntimeError as error:
        advice = f"name a folder in {ENVIRONMENT_PREFIX}{name.upper()}"
        raise SettingsRefused("this account has no home folder", advice=advice) from error


def _parsed(name: str, default: Any, text: str) -> Any:
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if not isinstance(default, int):
        return text
    try:
        return int(text)
    except ValueError as error:
        raise SettingsRefused(f"{ENVIRONMENT_PREFIX}{name.upper()} is {text!r}", "a whole number") from error

"""What every request needs: records, settings, and what is kept open while the server runs."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fastapi import Request

from lumbago.records.store import Store
from lumbago.settings import Settings
from lumbago.web.live import Live
from lumbago.web.viewer_frames import StudyImages


@dataclass(frozen=True, eq=False)
class Site:
    """One server: its records, settings, opened images, and what changes while people look."""

    store: Store
    settings: Settings
    images: StudyImages
    live: Live = field(default_factory=Live)

    @cached_property
    def uploads(self) -> Path:
        """Where uploads lie until they are received."""
        folder = self.settings.home_folder / "uploads"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    @property
    def reviewed(self) -> Path:
        """Where reviews lie as training labels."""
        return self.settings.home_folder / "reviewed"


def site_of(request: Request) -> Site:
    """The site that a request came to."""
    site: Site = request.app.state.site
    return site

"""Files that are the same for everybody."""

from typing import Any, Final

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response

from lumbago.web.rendering import STATIC

_KEEP: Final = "public, max-age=86400"


class _KeptFiles(StaticFiles):
    """Static files that browsers keep for a day; addresses change with their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file."""
        response = super().file_response(*args, **kwargs)
        response.headers.setdefault("Cache-Control", _KEEP)
        return response


def static_files() -> StaticFiles:
    """What lies in `static/`."""
    return _KeptFiles(directory=STATIC)

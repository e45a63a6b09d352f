"""Files that are the same for everybody."""

import gzip
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.types import Scope

from lumbago.web.rendering import STATIC

_KEEP: Final = "public, max-age=86400"
_TEXTS: Final = frozenset({".js", ".css", ".svg", ".txt"})


class _KeptFiles(StaticFiles):
    """Static files that browsers keep for a day, texts compressed; addresses change with their content."""

    def file_response(self, full_path: Any, stat_result: Any, scope: Scope, *rest: Any) -> Response:
        """The file."""
        response = super().file_response(full_path, stat_result, scope, *rest)
        path, asked = Path(full_path), Headers(scope=scope)
        if path.suffix in _TEXTS:
            response.headers["Vary"] = "Accept-Encoding"
            is_whole = scope["method"] == "GET" and "range" not in asked and isinstance(response, FileResponse)
            if is_whole and "gzip" in asked.get("accept-encoding", ""):
                response = _compressed(response, _zipped(path, stat_result.st_mtime_ns))
        response.headers.setdefault("Cache-Control", _KEEP)
        return response


def _compressed(response: Response, content: bytes) -> Response:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    headers |= {"content-encoding": "gzip", "etag": f"W/{headers['etag']}"}
    headers.pop("accept-ranges", None)
    return Response(content, headers=headers)


@cache
def _zipped(path: Path, changed_ns: int) -> bytes:
    """A file, compressed once for each time that it was `changed_ns`."""
    return gzip.compress(path.read_bytes(), 6, mtime=0)


def static_files() -> StaticFiles:
    """What lies in `static/`."""
    return _KeptFiles(directory=STATIC)

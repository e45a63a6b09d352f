"""The description of the API: as OpenAPI for programs, as a page for people."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lumbago.web.rendering import page
from lumbago.web.visitors import Viewer

router = APIRouter(prefix="/api/v1", include_in_schema=False)


@router.get("/openapi.json")
def openapi(request: Request, visitor: Viewer) -> dict[str, Any]:
    """The OpenAPI description."""
    described: dict[str, Any] = request.app.openapi()
    return described


@router.get("/docs")
def docs(request: Request, visitor: Viewer) -> Response:
    """Every operation, one after the other."""
    described = request.app.openapi()
    operations = [
        {"method": method.upper(), "path": path, "title": row.get("summary", ""), "text": row.get("description", ""),
         "tag": (row.get("tags") or [""])[0],
         "parameters": [f"{one['name']} ({one['in']})" for one in row.get("parameters", [])],
         "body": _body(row)}
        for path, methods in described["paths"].items()
        for method, row in methods.items()
    ]  # fmt: skip
    return page(request, "api.html", visitor, operations=operations, schemas=described["components"]["schemas"])


def _body(row: dict[str, Any]) -> str:
    content = row.get("requestBody", {}).get("content", {})
    named = [one.get("schema", {}).get("$ref", "") for one in content.values()]
    return ", ".join(name.rpartition("/")[2] for name in named if name)

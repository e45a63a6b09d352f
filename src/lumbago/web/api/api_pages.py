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
    """Every operation, by what it is about."""
    described = request.app.openapi()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in described["paths"].items():
        for method, row in methods.items():
            groups.setdefault((row.get("tags") or ["others"])[0], []).append(_operation(method, path, row))
    bodies = [_schema(name, row) for name, row in described["components"]["schemas"].items() if "Error" not in name]
    return page(request, "api.html", visitor, groups=groups, bodies=bodies)


def _operation(method: str, path: str, row: dict[str, Any]) -> dict[str, Any]:
    text = (row.get("description") or row.get("summary", "")).replace("`", "")
    return {
        "method": method.upper(), "path": path, "text": text,
        "parameters": [one["name"] for one in row.get("parameters", []) if one["in"] == "query"], "body": _body(row),
    }  # fmt: skip


def _body(row: dict[str, Any]) -> str:
    content = row.get("requestBody", {}).get("content", {})
    named = [one.get("schema", {}).get("$ref", "") for one in content.values()]
    return ", ".join(name.rpartition("/")[2] for name in named if name)


def _schema(name: str, row: dict[str, Any]) -> dict[str, Any]:
    required = row.get("required", [])
    fields = [
        {"name": field, "kind": _kind(about), "required": field in required}
        for field, about in row.get("properties", {}).items()
    ]
    return {"name": name, "about": row.get("description", ""), "fields": fields}


def _kind(about: dict[str, Any]) -> str:
    """What a field holds, in words of JSON."""
    if "enum" in about:
        return " | ".join(str(one) or '""' for one in about["enum"])
    if "anyOf" in about:
        return " | ".join(_kind(one) for one in about["anyOf"])
    if "items" in about:
        return f"array of {_kind(about['items'])}"
    return str(about.get("type") or about.get("$ref", "").rpartition("/")[2])

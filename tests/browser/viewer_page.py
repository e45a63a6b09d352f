"""A page with nothing but the viewer, and the server behind it: the router as the dashboard mounts it, no accounts."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles

import lumbago.web
from lumbago.anatomy.findings import StudyFindings
from lumbago.web.viewer_data import Reading
from lumbago.web.viewer_frames import StudyImages
from lumbago.web.viewer_routes import ImagesOf, viewer_router

STATIC = Path(lumbago.web.__file__).parent / "static"
CSP = "default-src 'self'; frame-ancestors 'none'"
"""As strict as it can be: no inline script, no inline style, no data addresses."""

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Viewer</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/viewer.css"><script type="module" src="/static/viewer.js"></script></head>
<body><main><h1>Study</h1><div id="viewer" {attributes}></div></main></body></html>"""


def make_app(studies: Mapping[str, tuple[ImagesOf, Reading]]) -> FastAPI:
    """The page is at /?study=ID, its other attributes (`beside`, `review`, `drawing`) from the address as well."""
    app = FastAPI()

    def known(study_id: str) -> tuple[ImagesOf, Reading]:
        if study_id not in studies:
            raise HTTPException(404, "no such study")
        return studies[study_id]

    def images_of(study_id: str) -> ImagesOf:
        return known(study_id)[0]

    def reading_of(study_id: str) -> Reading:
        return known(study_id)[1]

    images = StudyImages()
    images.warm_up()
    app.include_router(viewer_router(images, images_of, reading_of))
    app.mount("/static", StaticFiles(directory=STATIC))

    @app.get("/")
    def page(study: str, beside: str = "", blind: str = "", review: str = "", drawing: str = "") -> Response:
        given = {"study": study, "beside": beside, "blind": blind, "review": review, "drawing": drawing}
        attributes = " ".join(f'data-{name}="{value}"' for name, value in given.items() if value)
        return HTMLResponse(PAGE.format(attributes=attributes), headers={"Content-Security-Policy": CSP})

    return app


def read_result(folder: Path) -> Reading:
    """What `lumbago analyze` left in a folder."""
    findings = StudyFindings.from_json((folder / "findings.json").read_text(encoding="utf8"))
    return Reading(findings, heat_maps={path.name: path for path in folder.glob("heat_*.png")})


def main() -> None:
    """`python tests/browser/viewer_page.py STUDY RESULT [STUDY RESULT ...]`: studies 0, 1, ... to look at."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--port", type=int, default=8040)
    arguments = parser.parse_args()
    studies = {}
    for number, (images, result) in enumerate(zip(arguments.folders[::2], arguments.folders[1::2], strict=True)):
        reading = read_result(result)
        assert reading.findings is not None
        studies[str(number)] = ImagesOf(images, reading.findings.study.study_instance_uid), reading
    uvicorn.run(make_app(studies), port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()

"""What ran: every output can be traced to weights, settings and inputs."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from lumbago import __version__
from lumbago.anatomy.findings import RESEARCH_USE, ModelUse
from lumbago.dicom.study import SkippedFile, Study
from lumbago.settings import Settings

_SETTINGS: Final = ("threads", "models", "home", "cache", "formats")
"""Those that an analysis depends on; a server's others, its database's password among them, are nobody's business."""

_LIBRARIES = ("numpy", "scipy", "onnxruntime", "pydicom", "pillow", "typst")


@dataclass(frozen=True, slots=True)
class Run:
    """One analysis of one study, for its manifest.

    Attributes:
        status: `whole` or `parts missing`; gaps: what is missing.
        seconds: wall time of each phase.
        started: time of the start, ISO 8601 with offset.
    """

    study: Study
    settings: Settings
    models: Sequence[ModelUse]
    skipped: Sequence[SkippedFile]
    gaps: Sequence[str]
    seconds: Mapping[str, float]
    started: str


def write_manifest(run: Run, folder: Path) -> Path:
    """Writes `manifest.json` beside the outputs that it lists; bytes of a path that are no text stand as `\\udc..`."""
    path = folder / "manifest.json"
    outputs = sorted(file.name for file in folder.iterdir() if file.is_file() and file != path)
    text = json.dumps(_content(run, outputs), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf8", errors="backslashreplace")
    return path


def _content(run: Run, outputs: list[str]) -> dict[str, Any]:
    return {
        "schema": "lumbago/manifest/1",
        "lumbago": __version__,
        "started": run.started,
        "seconds": {name: round(value, 3) for name, value in run.seconds.items()},
        "status": "parts missing" if run.gaps or _damaged(run) else "whole",
        "gaps": list(run.gaps),
        "input": _inputs(run.study),
        "skipped": [asdict(file) for file in run.skipped],
        "settings": {name: getattr(run.settings, name) for name in _SETTINGS},
        "models": [asdict(model) for model in run.models],
        "python": platform.python_version(),
        "machine": platform.platform(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "outputs": outputs,
        "notice": RESEARCH_USE,
    }


def _damaged(run: Run) -> bool:
    return any(file.is_damage for file in run.skipped)


def _inputs(study: Study) -> dict[str, Any]:
    return {
        "path": str(study.source),
        "study_instance_uid": study.study_instance_uid,
        "series": [
            {
                "series_instance_uid": series.series_instance_uid,
                "description": series.first.series_description,
                "images": len(series.slices),
                "sop_instance_uids": sorted({header.sop_instance_uid for header in series.slices}),
            }
            for series in study.series
        ],
    }

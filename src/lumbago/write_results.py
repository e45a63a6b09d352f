"""From an input path to result folders: what the command line, and later the worker, do with every study."""

import json
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from lumbago.dicom.decoder import Decoder
from lumbago.dicom.study import Study
from lumbago.errors import LumbagoError, PartsMissing, UsageError
from lumbago.manifest import Run, write_manifest
from lumbago.pipeline.analyze_study import Analysis, Models, analyze_study
from lumbago.report.annotate_slices import write_pictures
from lumbago.report.pdf import write_pdf
from lumbago.settings import Settings


@dataclass(frozen=True, eq=False)
class Result:
    """What became of one study.

    Attributes:
        name: of the result; folder: where it lies, None when there is none.
        analysis: None when the study was refused; error: why.
    """

    name: str
    folder: Path | None
    analysis: Analysis | None
    error: LumbagoError | None

    @property
    def exit_code(self) -> int:
        """0 whole, 5 with parts missing, or the error's."""
        if self.error is not None:
            return self.error.exit_code
        assert self.analysis is not None
        has_damage = any(file.is_damage for file in self.analysis.skipped)
        return PartsMissing.exit_code if self.analysis.gaps or has_damage else 0


def analyze_into(
    study: Study, models: Models, decoder: Decoder, out: Path, settings: Settings, *, kept: Collection[Path] = ()
) -> Result:
    """Analyzes one study and writes `out/<name>/`; an error of ours becomes a result without a folder.

    The folders `kept` are those of other inputs, and not replaced, whatever study they are of.
    """
    started, start = datetime.now(UTC), time.perf_counter()
    try:
        analysis = analyze_study(study, models, decoder)
    except LumbagoError as error:
        return Result(study.name, None, None, error)
    analyzed = time.perf_counter()
    with _fresh_folder(out) as folder:
        _write_outputs(analysis, folder, settings)
        seconds = {"analyze": analyzed - start, "report": time.perf_counter() - analyzed}
        run = Run(
            study,
            settings,
            analysis.findings.models,
            analysis.skipped,
            analysis.gaps,
            seconds,
            started.isoformat(timespec="seconds"),
        )
        write_manifest(run, folder)
        target = _free_name(out, study, kept)
        _put_in_place(folder, target)
    return Result(target.name, target, analysis, None)


def _write_outputs(analysis: Analysis, folder: Path, settings: Settings) -> None:
    findings = analysis.findings
    (folder / "findings.json").write_text(findings.to_json(), encoding="utf8")
    for name, heat in analysis.heat_maps.items():
        Image.fromarray(heat).save(folder / name)
    if {"png", "pdf"} & set(settings.formats):
        write_pictures(findings, analysis.volumes, folder)
    if "pdf" in settings.formats:
        write_pdf(findings, folder)


@contextmanager
def _fresh_folder(out: Path) -> Iterator[Path]:
    """A new folder beside the results, so that an interrupted run leaves none half written.

    Raises:
        UsageError: the results cannot be written there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".part-", dir=out))
    except OSError as error:
        raise UsageError(
            f"{out} cannot be written ({error.strerror})", "a folder for the results", "choose another --out"
        ) from error
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_name(out: Path, study: Study, kept: Collection[Path]) -> Path:
    """`out/<name>`, or with `-2`, `-3` when another study's result has that name, or one that is `kept`; the same
    study's result is replaced, of several the one of the same input."""
    older: list[Path] = []
    target, number = out / study.name, 1
    while target.exists():
        uid = _stated(target, "findings.json", "study", "study_instance_uid")
        if uid == study.study_instance_uid and target not in kept:
            older.append(target)
        number += 1
        target = out / f"{study.name}-{number}"
    of_same_input = (one for one in older if _stated(one, "manifest.json", "input", "path") == str(study.source))
    return next(of_same_input, (*older, target)[0])


def _stated(folder: Path, file: str, part: str, key: str) -> str:
    """What a file of a result says; nothing where there is none, or none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads((folder / file).read_text(encoding="utf8"))[part][key])
    return ""


def _put_in_place(folder: Path, target: Path) -> None:
    """Renames the finished folder to its name, an older result of the same study going away only then."""
    if target.exists():
        old = target.with_name(f".old-{target.name}")
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        folder.rename(target)
        shutil.rmtree(old)
    else:
        folder.rename(target)

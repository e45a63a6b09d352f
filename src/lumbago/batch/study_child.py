"""One study's heavy work, in a process that may die: `python -m lumbago.batch.study_child TASK REQUEST`.

TASK is receive, join, analyze, report or export.

REQUEST is JSON. Every step is one line of JSON on stdout: `{"progress": 0.4, "message": "..."}`, at last
`{"result": {...}}`, or `{"error": "one sentence"}` for what the input is to blame for; the exit code
tells which kind of error it is. Standard input is a pipe that the parent holds open: at its end the process ends.
"""

import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from lumbago.anatomy.findings import StudyFindings
from lumbago.batch.end_with_input import end_with_input
from lumbago.batch.label_pictures import export_pictures
from lumbago.batch.pack_study import describe, pack_study
from lumbago.batch.split_upload import split_upload
from lumbago.batch.used_volumes import used_volumes
from lumbago.dicom.decoder import open_decoder
from lumbago.dicom.read_study import read_studies
from lumbago.dicom.study import Study
from lumbago.errors import LumbagoError, UnreadableInput
from lumbago.inference.deployed import models_of
from lumbago.pipeline.analyze_study import Models
from lumbago.report.added_places import with_added_places
from lumbago.report.annotate_slices import write_pictures
from lumbago.report.pdf import write_pdf
from lumbago.settings import Settings
from lumbago.systems import OURS, find_system
from lumbago.write_results import analyze_into

Request = Mapping[str, Any]
_READ_SHARE: Final = 0.3


def main() -> int:
    """Does what the arguments say; the exit code is the error's."""
    task = {"receive": receive, "join": join, "analyze": analyze, "report": report, "export": export}[sys.argv[1]]
    request = json.loads(sys.argv[2])
    end_with_input()
    try:
        _tell({"result": task(request)})
    except LumbagoError as error:
        _tell({"error": str(error)})
        return error.exit_code
    return 0


def receive(request: Request) -> Mapping[str, Any]:
    """Sorts an upload into studies, each a zip of its own below `out`.

    Args:
        request: `upload`, its folder; `out`.

    Raises:
        LumbagoError: nothing in it can be read, or it mixes patients.
    """
    out = Path(request["out"])
    with TemporaryDirectory(dir=out) as place, open_decoder() as decoder:
        upload = split_upload(Path(request["upload"]), Path(place))
        studies = read_studies(upload.path, _counting("reading", 0.9), decoder)
        packed = [pack_study(study, out / f"{number}.zip") for number, study in enumerate(studies, start=1)]
        truths = upload.truths()
        rows = [describe(study, path) | {"truth": truths.get(study.study_instance_uid, "")}
                for study, path in zip(studies, packed, strict=True)]  # fmt: skip
    return {"studies": rows}


def join(request: Request) -> Mapping[str, Any]:
    """The files of several zips of ours as one study, each image once.

    Args:
        request: `sources`, the zips, older first; `study_instance_uid`; `out`.
    """
    out = Path(request["out"])
    with TemporaryDirectory(dir=out) as place, open_decoder() as decoder:
        for number, source in enumerate(request["sources"]):
            with zipfile.ZipFile(source) as archive:
                archive.extractall(Path(place) / str(number))
        study = _chosen(read_studies(Path(place), _counting("joining", 0.9), decoder), request)
        return describe(study, pack_study(study, out / "joined.zip"))


def analyze(request: Request) -> Mapping[str, Any]:
    """Analyzes one study into `out/<name>`.

    Args:
        request: `source`, the zip; `study_instance_uid`; `name`, what its results are called; `out`.

    Raises:
        LumbagoError: it cannot be read or is no lumbar study, or a model is refused.
    """
    settings = Settings.read()
    with open_decoder() as decoder:
        studies = read_studies(Path(request["source"]), _counting("reading images", _READ_SHARE), decoder)
        study = _chosen(studies, request)
        with _step(_READ_SHARE, "loading models"):
            models = Models.load(models_of(find_system(OURS), settings), settings.threads)
        with _step(0.4, "looking at the images"):
            result = analyze_into(study, models, decoder, Path(request["out"]), settings)
    if result.error is not None:
        raise result.error
    return {"folder": str(result.folder)}


def report(request: Request) -> Mapping[str, Any]:
    """Draws the pictures and the PDF of findings that a reader signed.

    Args:
        request: `source`, the zip; `study_instance_uid`; `out`, where `findings.json` and heat maps lie already.
    """
    out = Path(request["out"])
    findings = StudyFindings.from_json((out / "findings.json").read_text(encoding="utf8"))
    with open_decoder() as decoder:
        study = _chosen(read_studies(Path(request["source"]), _counting("reading images", 0.5), decoder), request)
        with _step(0.5, "drawing the report"):
            volumes = used_volumes(study, findings, decoder)
            shown = with_added_places(findings, volumes)
            write_pictures(shown, volumes, out)
            write_pdf(shown, out)
    return {"folder": str(out)}


def export(request: Request) -> Mapping[str, Any]:
    """Writes the reviewed labels of `home` in `form` below `out`."""
    return export_pictures(Path(request["home"]), Path(request["out"]), request["form"])


def _chosen(studies: tuple[Study, ...], request: Request) -> Study:
    uid = request["study_instance_uid"]
    found = [study for study in studies if study.study_instance_uid == uid]
    if not found:
        raise UnreadableInput("the images of this study are no longer among its files", advice="upload it again")
    return replace(found[0], name=request.get("name", found[0].name))


def _counting(message: str, share: float) -> Any:
    """Tells of every twentieth of the files."""

    def progress(done: int, total: int) -> None:
        if total and done * 20 // total != (done - 1) * 20 // total:
            _tell({"progress": share * done / total, "message": f"{message}: {done} of {total}"})

    return progress


@contextmanager
def _step(progress: float, message: str) -> Iterator[None]:
    _tell({"progress": progress, "message": message})
    yield


def _tell(line: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

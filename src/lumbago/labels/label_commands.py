"""`lumbago labels check | import | export`: read, work, say what was found; each gives the exit code."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from lumbago.dicom.decoder import open_decoder
from lumbago.errors import UsageError
from lumbago.labels.check_labels import check_labels
from lumbago.labels.export_labels import export_labels
from lumbago.labels.import_labels import import_labels
from lumbago.labels.label_names import read_names
from lumbago.labels.labelled_study import LabelledStudy
from lumbago.labels.show_check import check_json, check_tables
from lumbago.labels.sources import read_source

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """Where labels are read from: a row of `SOURCES`, its folder, and a user's own table of names."""

    source: str
    folder: Path
    names: Path | None = None

    def read(self) -> Iterator[LabelledStudy]:
        """The labelled studies there."""
        return read_source(self.source, self.folder, read_names(self.names) if self.names is not None else None)


def run_check(place: LabelPlace, json_file: Path | None, console: Console) -> int:
    """Shows what is impossible or suspicious, and writes all of it to a JSON file when one is named.

    Raises:
        UnreadableInput: labels that cannot be read.
        UsageError: no such source; the file cannot be written.
    """
    with open_decoder() as decoder, console.status("reading labels") as status:
        report = check_labels(place.read(), decoder, lambda done: status.update(f"{done} studies"))
    if json_file is not None:
        try:
            json_file.write_text(check_json(report, place.source), encoding="utf8")
        except OSError as error:
            raise UsageError(f"{json_file} cannot be written: {error.strerror}", "a file", "choose another") from error
    console.print(check_tables(report))
    return report.exit_code


def run_import(place: LabelPlace, out: Path, console: Console) -> int:
    """Writes the labels in Lumbago's own form.

    Raises:
        UnreadableInput: labels that cannot be read.
        UsageError: no such source; `out` cannot be written to.
    """
    with console.status("reading labels") as status:
        report = import_labels(place.read(), out, lambda done: status.update(f"{done} studies"))
    console.print(f"{report.studies} studies with {report.labels} grades in {out}", markup=False)
    bad = [row for row in report.problems if row.weight != "note"]
    _say_left_out([f"{row.study} {row.place}: {row.found}; {row.advice}" for row in bad], console)
    return report.exit_code


def run_export(place: LabelPlace, out: Path, form: str, console: Console) -> int:
    """Writes the labels in a form of others.

    Raises:
        UnreadableInput: labels that cannot be read.
        UsageError: no such source or form; `out` cannot be written to.
    """
    with open_decoder() as decoder, console.status("writing labels"):
        report = export_labels(tuple(place.read()), out, form, decoder)
    console.print(f"{report.studies} studies with {report.shapes} shapes in {out}", markup=False)
    _say_left_out([f"{count} {what}" for what, count in report.left_out.items()], console)
    return report.exit_code


def _say_left_out(lines: Sequence[str], console: Console) -> None:
    for line in lines[:_SHOWN]:
        console.print(f"left out: {line}", markup=False)
    if len(lines) > _SHOWN:
        console.print(f"and {len(lines) - _SHOWN} more; lumbago labels check lists them")

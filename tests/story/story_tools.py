"""What the stories need besides a phantom: finding its files, changing them, running the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest

from lumbago.cli import main
from lumbago.pipeline.analyze_study import Analysis

Analyze = Callable[[Path], Analysis]


def files_of(folder: Path, role: str = "") -> list[Path]:
    """DICOM files of a role's series (their folders are named after it), or all."""
    return sorted(path for path in folder.rglob("*.dcm") if path.parent.name.startswith(role))


def edit(path: Path, change: Callable[[pydicom.Dataset], Any]) -> None:
    """Changes a DICOM file in place."""
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def run(*arguments: str | Path) -> int:
    """The command line in this process; gives its exit code."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as exit_of:
        patch.setattr("sys.argv", ["lumbago", *map(str, arguments)])
        main()
    return int(exit_of.value.code or 0)

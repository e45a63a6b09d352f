"""Times the analysis of a phantom study: `make bench`, or `python bench/analyze.py [--runs N] [--json FILE]`.

Cold is `lumbago analyze STUDY --out DIR`, from the start of the process to its end: findings, pictures, PDF, manifest.
Warm is the same work in a process that has its models loaded and has done it once before.
Memory is what the process and its children hold together (resident pages, so shared pages count more than once), read
every 10 ms. The machine's load is printed too: a figure taken while other work runs is an upper bound.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lumbago.dicom.decoder import open_decoder
from lumbago.dicom.read_study import read_study
from lumbago.pipeline.analyze_study import Models
from lumbago.settings import Settings
from lumbago.write_results import analyze_into

LUMBAGO = [sys.executable, "-m", "lumbago"]
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def make_study(out: Path) -> Path:
    """A phantom study of seed 5; its folder of DICOM files."""
    subprocess.run(
        [*LUMBAGO, "phantom", str(out), "--studies", "1", "--seed", "5"], check=True, stdout=subprocess.DEVNULL
    )
    (study,) = out.glob("*/dicom")
    return study


def family(pid: int) -> list[int]:
    """A process and all its children's children, as far as they still run (Linux)."""
    try:
        lists = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [pid, *(member for text in lists for child in text.split() for member in family(int(child)))]


def resident_bytes(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def cold_run(study: Path, out: Path) -> tuple[float, int]:
    """(seconds, peak bytes) of one command."""
    start, peak = time.perf_counter(), 0
    with subprocess.Popen([*LUMBAGO, "analyze", str(study), "--out", str(out)], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(resident_bytes, family(process.pid))))
            time.sleep(0.01)
        seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"bench: lumbago analyze ended with exit code {process.returncode}")
    return seconds, peak


def warm_runs(study: Path, out: Path, runs: int) -> list[float]:
    """Seconds of each analysis in this process, from the folder to the report; a first one is not counted."""
    settings, seconds = Settings.read(), []
    models = Models.load(threads=settings.threads)
    with open_decoder() as decoder:
        for _ in range(runs + 1):
            start = time.perf_counter()
            result = analyze_into(read_study(study, decoder=decoder), models, decoder, out, settings)
            seconds.append(time.perf_counter() - start)
            if result.error:
                sys.exit(f"bench: {result.error}")
    return seconds[1:]


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured, and on what. `load` is the machine's, over the minute before."""

    slices: int
    cold_seconds: list[float]
    warm_seconds: list[float]
    peak_mib: int
    load: float
    processors: int
    machine: str
    python: str


def measure(runs: int) -> Figures:
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder) / "phantom")
        slices = sum(path.is_file() for path in study.rglob("*"))
        cold = [cold_run(study, Path(folder) / f"out{number}") for number in range(runs)]
        warm = warm_runs(study, Path(folder) / "warm", runs)
    return Figures(
        slices=slices,
        cold_seconds=[round(seconds, 2) for seconds, _ in cold],
        warm_seconds=[round(seconds, 2) for seconds in warm],
        peak_mib=max(peak for _, peak in cold) >> 20,
        load=round(load, 1),
        processors=os.cpu_count() or 0,
        machine=platform.machine(),
        python=platform.python_version(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Times the analysis of a phantom study.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to a file as well")
    options = parser.parse_args()
    figures = measure(options.runs)
    print(f"phantom study of {figures.slices} slices, {figures.processors} processors, load {figures.load}")
    for kind, seconds in (("cold", figures.cold_seconds), ("warm", figures.warm_seconds)):
        print(f"{kind}: median {statistics.median(seconds):.2f} s of {seconds}")
    print(f"peak memory: {figures.peak_mib} MiB")
    if options.json:
        options.json.write_text(json.dumps(asdict(figures), indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()

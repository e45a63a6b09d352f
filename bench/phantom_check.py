"""Holds the phantoms against published statistics: `make phantom-check`, or
`python bench/phantom_check.py [--spines N] [--starts SEED ...] [--studies N] [--processes N] [--cache DIR]`.

Grades are measured, not drawn, so their shares have to be counted: on N spines from each of the starting seeds, none of
which served to set a cut value. What was counted is kept in the cache and taken up again after an interruption; a cache
belongs to one state of the code (a digest of the sources that draw and measure a phantom is its name). Ends with 1 when
a line fails.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from lumbago.learning.source_digest import source_digest
from lumbago.phantom.acceptance import (
    Check,
    check_grids,
    check_joint,
    check_mirror,
    check_pfirrmann,
    check_prevalences,
    check_voxels,
    count_spine,
)
from lumbago.phantom.acceptance_scans import check_points, check_series, check_signals, count_studies
from lumbago.phantom.measure_truth import FULL

STARTS = (1_000_000, 2_000_000, 3_000_000)
CHUNK = 100


def main() -> int:
    wanted = arguments()
    checks = [*titled("signals", check_signals()), *truth_checks(wanted)]
    counted = {f"spines from seed {start}": count(start, wanted) for start in wanted.starts}
    for title, spines in (counted | {"spines of all seeds": np.concatenate(list(counted.values()))}).items():
        checks += titled(
            f"{len(spines)} {title}", [*check_prevalences(spines), *check_joint(spines), *check_pfirrmann(spines)]
        )
    studies = count_studies(range(wanted.starts[0], wanted.starts[0] + wanted.studies))
    checks += titled(f"{wanted.studies} studies", [*check_points(studies), *check_series(studies)])
    return report(checks)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spines", type=int, default=5000, help="spines from each starting seed")
    parser.add_argument("--starts", type=int, nargs="+", default=STARTS, help="starting seeds")
    parser.add_argument("--studies", type=int, default=1600, help="studies whose series are planned")
    parser.add_argument("--compared", type=int, default=60, help="spines measured on both grids")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--cache", type=Path, default=Path("build/phantom-check"))
    return parser.parse_args()


def titled(title: str, checks: list[Check]) -> list[tuple[str, Check]]:
    return [(title, check) for check in checks]


def truth_checks(wanted: argparse.Namespace) -> list[tuple[str, Check]]:
    seeds = range(wanted.starts[0], wanted.starts[0] + wanted.compared)
    with ProcessPoolExecutor(wanted.processes) as pool:
        fine, coarse = np.array(list(pool.map(partial(count_spine, grid=FULL), seeds))), count_seeds(pool, seeds)
    again = check_voxels(seeds[: max(wanted.compared // 3, 1)])
    return titled(f"{wanted.compared} spines", [*check_grids(fine, coarse), *again, check_mirror(seeds[:8])])


def count_seeds(pool: ProcessPoolExecutor, seeds: range) -> np.ndarray:
    return np.array(list(pool.map(count_spine, seeds, chunksize=10)))


def count(start: int, wanted: argparse.Namespace) -> np.ndarray:
    """Grades of the spines from a seed on, chunk by chunk, from the cache where they are there."""
    folder = wanted.cache / source_digest("lumbago.phantom.sample_spine", "lumbago.phantom.measure_truth")
    folder.mkdir(parents=True, exist_ok=True)
    chunks = []
    with ProcessPoolExecutor(wanted.processes) as pool:
        for first in range(start, start + wanted.spines, CHUNK):
            kept = folder / f"{first}.npy"
            if not kept.exists():
                np.save(kept, count_seeds(pool, range(first, first + CHUNK)))
            chunks.append(np.load(kept))
            print(f"\r{start}: {first - start + CHUNK} of {wanted.spines}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return np.concatenate(chunks)[: wanted.spines]


def report(checks: list[tuple[str, Check]]) -> int:
    """Prints the table; 1 when a line fails."""
    title = ""
    for section, check in checks:
        if section != title:
            title = section
            print(f"\n{title}\n{'':4} {'check':54} {'wanted':38} found")
        print(f"{'ok' if check.passed else 'FAIL':4} {check.name:54} {check.wanted:38} {check.found}")
    failed = sum(not check.passed for _, check in checks)
    print(f"\n{len(checks) - failed} of {len(checks)} checks pass.")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

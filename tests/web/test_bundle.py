"""The committed bundle is what the source and the lock file make."""

import gzip
import re
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE, STATIC = ROOT / "viewer", ROOT / "src" / "lumbago" / "web" / "static"
FILES = ("viewer.js", "viewer-stage.js", "viewer.css", "viewer.licences.txt")
MAX_GZIPPED_BYTES = 1_500_000
FORBIDDEN = re.compile(r"\b(A?GPL|LGPL|SSPL|CC-BY-NC)")


def source_digest() -> str:
    """As `viewer/bundle.mjs` makes it."""
    names = sorted(["bundle.mjs", "package-lock.json", *(f"src/{path.name}" for path in (SOURCE / "src").iterdir())])
    digest = sha256()
    for name in names:
        digest.update(f"{name}\n".encode() + (SOURCE / name).read_bytes() + b"\n")
    return digest.hexdigest()


@pytest.mark.parametrize("name", ["viewer.js", "viewer-stage.js"])
def test_bundle_is_of_this_source(name: str) -> None:
    head = (STATIC / name).read_text(encoding="utf8")[:300]
    assert source_digest() in head, "viewer/ has changed: run `make bundle`"


def test_bundle_is_small() -> None:
    assert sum(len(gzip.compress((STATIC / name).read_bytes())) for name in FILES) < MAX_GZIPPED_BYTES
    assert (STATIC / "viewer.js").stat().st_size < 20_000, "the first image waits for this file alone"


def test_licences_allow_passing_the_bundle_on() -> None:
    heads = re.findall(r"^(?:@?[\w./-]+) [\d.]+\S*: (.+)$", (STATIC / "viewer.licences.txt").read_text("utf8"), re.M)
    assert len(heads) > 20
    assert [licence for licence in heads if FORBIDDEN.search(licence) or licence == "see below"] == []


def test_lock_names_no_address() -> None:
    lock = (SOURCE / "package-lock.json").read_text(encoding="utf8")
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 50


@pytest.mark.system
def test_bundle_is_rebuilt_the_same(tmp_path: Path) -> None:
    command = ["make", "bundle", f"BUNDLE={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (STATIC / name).read_bytes(), f"{name}: run `make bundle`"

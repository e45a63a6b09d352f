"""A digest of the code that makes something, for the names of files that must not outlive it."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_OURS: Final = "lumbago"
_LIBRARIES: Final = ("numpy", "scipy", "pillow", "onnxruntime")
"""Whose numbers may change with their version."""


@cache
def source_digest(*modules: str) -> str:
    """Of the text of these modules of ours, of all of ours that they import, and of the libraries they compute with."""
    total = hashlib.sha256(repr([version(name) for name in _LIBRARIES]).encode())
    for name, text in sorted(texts_of(modules).items()):
        total.update(f"{name} {len(text)} ".encode() + text)
    return total.hexdigest()[:32]


def texts_of(modules: tuple[str, ...]) -> dict[str, bytes]:
    """The text of these modules, and of all of ours that they import, by name."""
    texts: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name] = _text(name)
            waiting += _imported(texts[name])
    return texts


def _imported(text: bytes) -> Iterator[str]:
    """Modules and packages of ours that are imported, whatever way and wherever in the text."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if _is_ours(name.name))
        elif isinstance(node, ast.ImportFrom) and node.module is not None and _is_ours(node.module):
            yield node.module
            spec = find_spec(node.module)
            if spec is not None and spec.submodule_search_locations is not None:
                yield from (f"{node.module}.{name.name}" for name in node.names)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == _OURS


def _text(module: str) -> bytes:
    spec = find_spec(module)
    return Path(spec.origin).read_bytes() if spec is not None and spec.origin is not None else b""

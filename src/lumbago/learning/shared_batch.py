"""One batch over several processes, as if one process had it all: gathered outputs, shared statistics, shared dropout.

Every process computes the loss of the whole batch; what it sends back reaches only its own share. With the gradients
summed over processes, weights move as they would in one process, up to rounding.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _SumOverRanks(torch.autograd.Function):
    """Sum over processes, forward and backward."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        total = slope.contiguous()
        dist.all_reduce(total)
        return total


class _GatherRanks(torch.autograd.Function):
    """Shares of a batch put together in the order of processes; backward, each takes its own share."""

    @staticmethod
    def forward(ctx: Any, share: Tensor) -> Tensor:
        return gathered(share)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        return slope.chunk(dist.get_world_size())[dist.get_rank()]


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision widened; what is wider already stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def gathered(share: Tensor) -> Tensor:
    """The whole of a batch, of which every process holds a share of the same size; no gradient flows back."""
    share = share.detach().contiguous()
    parts = [torch.empty_like(share) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, share)
    return torch.cat(parts)


def gathered_outputs(share: Tensor) -> Tensor:
    """As `gathered`, for a network's outputs: the gradient of the whole flows back to each share."""
    whole: Tensor = _GatherRanks.apply(share)  # type: ignore[no-untyped-call]
    return whole


def _sum(value: Tensor) -> Tensor:
    total: Tensor = _SumOverRanks.apply(value)  # type: ignore[no-untyped-call]
    return total


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm by the mean and variance of the whole batch (torch's own does this on a GPU only), of whatever has
    samples on its first axis and features on its second."""

    def _check_input_dim(self, *_: Tensor) -> None:
        """Any number of axes."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = at_least_float32(x)
        others = [axis for axis in range(x.ndim) if axis != 1]
        count = wide.numel() // wide.shape[1] * dist.get_world_size()
        mean = _sum(wide.sum(others)) / count
        shape = (-1, *[1] * (x.ndim - 2))
        centered = wide - mean.reshape(shape)
        variance = _sum(centered.square().sum(others)) / count
        self._follow(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centered * scale.reshape(shape) + self.bias.reshape(shape)).to(x.dtype)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum or 0.0)
        self.running_var.lerp_(variance, self.momentum or 0.0)


class SharedDropout(nn.Dropout):
    """Dropout drawn for the whole batch by the seed that all processes share; each applies its own part."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        whole = torch.empty((x.shape[0] * dist.get_world_size(), *x.shape[1:]), dtype=x.dtype, device=x.device)
        kept = whole.bernoulli_(1 - self.p).div_(1 - self.p)
        return x * kept.chunk(dist.get_world_size())[dist.get_rank()]


def share_layers(network: nn.Module) -> None:
    """Puts the shared layers in the place of torch's own; parameters, buffers and their names stay as they are."""
    for name, layer in list(network.named_modules()):
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) and type(layer) is not SharedBatchNorm:
            shared = SharedBatchNorm(layer.num_features, layer.eps, layer.momentum)
            shared.weight, shared.bias = layer.weight, layer.bias
            for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                setattr(shared, buffer, getattr(layer, buffer))
            network.set_submodule(name, shared.train(layer.training))
        elif type(layer) is nn.Dropout:
            network.set_submodule(name, SharedDropout(layer.p).train(layer.training))

"""Where a training runs: the processor, one GPU, or several processes that torchrun started, and how precisely."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from lumbago.errors import SettingsRefused
from lumbago.learning.shared_batch import at_least_float32, gathered, gathered_outputs, share_layers

DEVICES: Final = ("auto", "cpu", "cuda")
PRECISIONS: Final = ("auto", "float32", "bfloat16")


CPU: Final = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a run computes on.

    Attributes:
        device: of this process.
        is_mixed: whether networks compute in bfloat16 where that is safe; weights and losses are float32 always.
        rank, ranks: number of this process, and how many there are.
    """

    device: torch.device = CPU
    is_mixed: bool = False
    rank: int = 0
    ranks: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes what all share: log, checkpoint, model."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision, if wished."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.is_mixed)

    def share(self, batch: int) -> range:
        """The samples of a batch that are this process's.

        Raises:
            SettingsRefused: the batch cannot be shared out evenly.
        """
        if batch % self.ranks:
            raise SettingsRefused(f"a batch of {batch} over {self.ranks} processes", "a multiple of the processes")
        size = batch // self.ranks
        return range(self.rank * size, (self.rank + 1) * size)

    def spread(self, network: nn.Module) -> nn.Module:
        """The network as it is to be called in training; its layers are changed to share a batch over processes."""
        if self.ranks == 1:
            return network
        share_layers(network)
        return DistributedDataParallel(network)

    def to_device(self, batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The batch on this process's device."""
        return tuple(part.to(self.device, non_blocking=True) for part in batch)

    def whole(self, outputs: Tensor, targets: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs (float32) and targets of the whole batch."""
        if self.ranks == 1:
            return at_least_float32(outputs), targets
        return gathered_outputs(at_least_float32(outputs)), tuple(gathered(part) for part in targets)

    def agreed(self, value: float) -> float:
        """The first process's value, in every process."""
        if self.ranks == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return float(shared)

    def wait_for_all(self) -> None:
        """Goes on when every process is here."""
        if self.ranks > 1:
            dist.barrier()


@contextmanager
def open_hardware(
    device: str = "auto", precision: str = "auto", environment: Mapping[str, str] = os.environ
) -> Iterator[Hardware]:
    """The hardware wished for; under torchrun (`RANK`, `WORLD_SIZE`, `LOCAL_RANK` are set) joins the other processes,
    by NCCL on GPUs and by gloo otherwise.

    Args:
        device: one of `DEVICES`; `auto` is a GPU when there is one.
        precision: one of `PRECISIONS`; `auto` is bfloat16 on a GPU, and float32 on the processor, where it is exact.

    Raises:
        SettingsRefused: a device or precision of another name, or a GPU that is not there.
    """
    for found, known in ((device, DEVICES), (precision, PRECISIONS)):
        if found not in known:
            raise SettingsRefused(f"{found!r} is no device or precision", f"one of {', '.join(known)}")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsRefused("this machine has no GPU that PyTorch can use", "one", "use --device cpu")
    on_gpu = device != "cpu" and torch.cuda.is_available()
    ranks, rank = int(environment.get("WORLD_SIZE", "1")), int(environment.get("RANK", "0"))
    place = torch.device("cuda", int(environment.get("LOCAL_RANK", "0"))) if on_gpu else torch.device("cpu")
    is_mixed = precision == "bfloat16" or (precision == "auto" and on_gpu)
    if ranks > 1:
        dist.init_process_group("nccl" if on_gpu else "gloo", rank=rank, world_size=ranks)
    try:
        yield Hardware(place, is_mixed, rank, ranks)
    finally:
        if ranks > 1:
            dist.destroy_process_group()

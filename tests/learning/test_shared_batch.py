"""Every kind of layer that looks at a whole batch is shared, and pre-training can be shared at all."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from made_up_patches import made_up_volume
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from lumbago.learning.experiment import Experiment
from lumbago.learning.pretrain_task import PretrainTask, Unlabelled
from lumbago.learning.shared_batch import SharedBatchNorm, share_layers
from lumbago.networks.spinenet import SpineNet

PRETRAIN = Experiment("x", "pretrain", patch=(32, 32), batch=2, pretrained=False)


@pytest.fixture
def one_of_one(tmp_path: Path) -> Iterator[None]:
    """A process that shares batches with nobody else."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize(
    ("network", "shape"),
    [(SpineNet({"x": 2}, width=2, dropout=0.0), (2, 3, 3, 32, 32)), (nn.Sequential(nn.BatchNorm1d(4)), (6, 4))],
    ids=["volumes", "numbers"],
)
def test_batch_norm_of_every_shape_is_shared(one_of_one: None, network: nn.Module, shape: tuple[int, ...]) -> None:
    given, shared = torch.randn(shape, generator=torch.Generator().manual_seed(1)), deepcopy(network)
    share_layers(shared)
    kinds = {type(layer) for layer in shared.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)}
    assert kinds == {SharedBatchNorm}
    for mode in (True, False):
        wanted, found = network.train(mode)(given), shared.train(mode)(given)
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(dict(shared.state_dict()), dict(network.state_dict()), rtol=1e-3, atol=1e-4)


def pretraining(experiment: Experiment = PRETRAIN) -> PretrainTask:
    return PretrainTask(
        experiment, [Unlabelled("x", f"x:{number}", made_up_volume(50.0 * number)) for number in (1, 2)]
    )


def test_features_are_learned_by_several_processes(one_of_one: None) -> None:
    """Heads that no feature goes through have no gradient, which PyTorch takes for a fault at the second step."""
    slices = [Unlabelled("x", f"x:{number}", made_up_volume(50.0 * number)) for number in (1, 2)]
    task = PretrainTask(PRETRAIN, slices)
    network = task.network()
    (pairs,) = task.batch(np.random.default_rng(1))
    called = DistributedDataParallel(network)
    for _ in range(2):
        task.loss(called(pairs), ()).backward()  # type: ignore[no-untyped-call]
    learned = {name for name, value in network.named_parameters() if value.requires_grad}
    assert learned == {name for name, value in network.named_parameters() if value.grad is not None}
    assert {"grader.join.0.weight", "projector.0.weight"} <= learned and "grader.grade.weight" not in learned

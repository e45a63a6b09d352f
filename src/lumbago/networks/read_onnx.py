"""The weights of an exported grader, back into the network they came from: a shipped model is an ONNX file alone.

The exporter folds batch norm into the convolution before it, and turns linear layers around; both are undone, and the
network is proven on the model's golden pair.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from lumbago.errors import ModelRefused
from lumbago.networks.patch_grader import PatchGrader, PatchGraderForExport

_TOLERANCE = 2e-3


def read_graders(folder: Path, heads: Mapping[str, int], stages: tuple[str, ...]) -> list[PatchGrader]:
    """The members of an exported grader, in evaluation mode.

    Args:
        folder: of the model, `model.onnx` and `golden.npz`.
        heads: number of grades of each condition, in the card's order; stages: what feeds the heads.

    Raises:
        ModelRefused: the weights are not those of such a grader, or it does not repeat the golden output.
    """
    graph = onnx.load(str(folder / "model.onnx")).graph
    weights = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}
    weights |= _linear_weights(graph, weights)
    count = len({name.split(".")[1] for name in weights if name.startswith("members.")})
    try:
        if not count:
            raise ValueError("no grader's names")
        graders = [_member(weights, f"members.{number}.", dict(heads), stages) for number in range(count)]
        _prove(graders, folder / "golden.npz")
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelRefused(
            f"the weights of {folder.name} cannot be read back ({error})", "a grader that Lumbago exported"
        ) from error
    return graders


def _linear_weights(graph: onnx.GraphProto, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of each linear layer, by the name of its bias; and under `bias` that of the heads, which is added last."""
    products = {node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul"}
    found = {}
    for node in (node for node in graph.node if node.op_type == "Add" and node.input[1] in weights):
        left, bias = node.input
        if left in products:
            found[bias.removesuffix("bias") + "weight"] = weights[products[left]].T
        else:
            found["bias"] = weights[bias]
    return found


def _member(weights: Mapping[str, Tensor], prefix: str, heads: dict[str, int], stages: tuple[str, ...]) -> PatchGrader:
    grader = PatchGrader(heads, stages=stages, joined=f"{prefix}join.0.weight" in weights)
    state = grader.state_dict()
    for name in [name for name in state if f"{prefix}{name}" in weights and name.split(".")[-1] in {"weight", "bias"}]:
        state[name] = weights[prefix + name]
    state["grade.bias"] = weights["bias"]
    grader.load_state_dict(state)
    _unfold_norms(grader, {name.removeprefix(prefix): value for name, value in weights.items()})
    return grader.eval()


@torch.no_grad()
def _unfold_norms(grader: PatchGrader, weights: Mapping[str, Tensor]) -> None:
    """Each convolution holds its norm's scale already, so that the norm adds the folded bias and nothing else."""
    layers = [(name, layer) for name, layer in grader.named_modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    for (name, conv), (_, norm) in pairwise(layers):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            norm.weight.fill_((1 + norm.eps) ** 0.5)
            norm.bias.copy_(weights[f"{name}.weight_bias"])


@torch.no_grad()
def _prove(graders: list[PatchGrader], golden: Path) -> None:
    with np.load(golden, allow_pickle=False) as pair:
        found = PatchGraderForExport(graders).eval()(torch.from_numpy(pair["input"]))
        wanted = [torch.from_numpy(pair[name]) for name in pair.files if name.startswith("output_")]
    for one, other in zip(found, wanted, strict=True):
        if not torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE):
            raise ValueError("they give another output for the golden input")

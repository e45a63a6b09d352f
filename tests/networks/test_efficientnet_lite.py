"""The encoder is the published network: same parameters, same padding, features at the strides that are stated."""

import pytest
import torch
from torch import nn

from lumbago.networks import efficientnet_lite
from lumbago.networks.efficientnet_lite import EfficientNetLite0, SamePadConv, load_imagenet


@pytest.mark.parametrize("stages", [1, 3, 4, 5])
def test_features_halve_in_size_from_stage_to_stage(stages: int) -> None:
    encoder = EfficientNetLite0(stages).eval()
    shapes = [tuple(feature.shape) for feature in encoder(torch.zeros(2, 3, 64, 96))]
    assert shapes == [(2, width, 64 // 2**n, 96 // 2**n) for n, width in enumerate((16, 24, 40, 112, 192)[:stages], 1)]


def published() -> dict[str, torch.Tensor]:
    assert efficientnet_lite.EfficientnetLite0ModelFile is not None
    path = efficientnet_lite.EfficientnetLite0ModelFile.get_model_file_path()
    state = torch.load(path, map_location="cpu", weights_only=True)
    assert isinstance(state, dict)
    return dict(state)


def test_every_parameter_takes_its_published_value() -> None:
    encoder = EfficientNetLite0()
    assert load_imagenet(encoder)
    state, loaded = published(), encoder.state_dict()
    assert {name for name, value in loaded.items() if not torch.equal(value, state[name])} == set()


def test_what_follows_the_last_stage_is_left_over() -> None:
    left = set(published()) - set(EfficientNetLite0().state_dict())
    assert {name.split(".")[0] for name in left} == {"_blocks", "_conv_head", "_bn1", "_fc"}
    assert {name.split(".")[1] for name in left if name.startswith("_blocks")} == {"15"}


def test_a_short_encoder_takes_the_same_values() -> None:
    short, whole = EfficientNetLite0(stages=4).eval(), EfficientNetLite0().eval()
    load_imagenet(short)
    load_imagenet(whole)
    picture = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    with torch.no_grad():
        for ours, theirs in zip(short(picture), whole(picture), strict=False):
            torch.testing.assert_close(ours, theirs)


def test_published_weights_keep_signals_in_range() -> None:
    """With wrong padding, normalisation or order of blocks the published statistics would not fit the features."""
    encoder = EfficientNetLite0().eval()
    load_imagenet(encoder)
    ramp = torch.linspace(-1, 1, 128)
    picture = (ramp[:, None] * torch.sin(12 * ramp)[None]).expand(1, 3, 128, 128)
    spreads: list[float] = []
    for block in encoder._blocks:
        block._bn2.register_forward_hook(
            lambda norm, _given, found: spreads.append(
                float((found - norm.bias[:, None, None]).std() / norm.weight.abs().mean())
            )
        )
    with torch.no_grad():
        encoder(picture)
    assert len(spreads) == 15
    assert min(spreads) > 0.5 and max(spreads) < 2


def test_without_the_package_the_start_stays_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_lite, "EfficientnetLite0ModelFile", None)
    encoder = EfficientNetLite0(stages=1)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    assert not load_imagenet(encoder)
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


@pytest.mark.parametrize("kernel, before, after", [(3, 0, 1), (5, 1, 2)])
def test_an_even_side_is_padded_as_tensorflow_does(kernel: int, before: int, after: int) -> None:
    """`SAME` of TensorFlow pads kernel - stride in all, the smaller half in front."""
    convolution = SamePadConv(1, 1, kernel, stride=2, bias=False)
    nn.init.ones_(convolution.weight)
    line = torch.arange(1.0, 9.0)
    padded = [0.0] * before + line.tolist() + [0.0] * after
    sums = [kernel_sum * 1.0 for kernel_sum in (sum(padded[i : i + kernel]) for i in range(0, 8, 2))]
    picture = torch.zeros(1, 1, 8, 8)
    picture[0, 0, 4] = line
    assert convolution(picture)[0, 0, 2].tolist() == sums


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_stride_one_keeps_the_shape(kernel: int) -> None:
    assert SamePadConv(2, 4, kernel)(torch.zeros(1, 2, 7, 9)).shape == (1, 4, 7, 9)

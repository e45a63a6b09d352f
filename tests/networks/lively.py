"""Networks whose every part does something. In a fresh one signals fade from layer to layer, and norms do nothing."""

import torch
from torch import nn


def lively(network: nn.Module, seed: int) -> nn.Module:
    """The network in evaluation mode: weights drawn so that a signal keeps its strength (He et al. 2015); biases, norms
    and running statistics drawn too."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                assert tensor is not None
                nn.init.uniform_(tensor, 0.7, 1.4, generator)
            assert module.running_mean is not None
            nn.init.normal_(module.bias, 0, 0.3, generator)
            nn.init.normal_(module.running_mean, 0, 0.1, generator)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, generator=generator)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_normal_(module.weight, generator=generator)
            nn.init.normal_(module.bias, 0, 0.5, generator)
    return network.eval()

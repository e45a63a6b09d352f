"""The border at which a network refuses pictures that it cannot halve often enough."""

from torch import Tensor

from lumbago.errors import SettingsRefused


def check_sides(pictures: Tensor, stride: int, network: str) -> None:
    """Refuses pictures (last two axes: rows, columns) whose sides do not divide by the network's coarsest stride.

    Raises:
        SettingsRefused: with the sides found and what they have to divide by.
    """
    rows, columns = pictures.shape[-2:]
    if rows % stride or columns % stride:
        raise SettingsRefused(
            f"{network} was given pictures of {rows} x {columns} pixels", f"sides that divide by {stride}"
        )

"""What one of several devices holds of a network that they train together (`spread.py`)."""

from dataclasses import replace

from showdown.engine.budget import Demand, Shape

DEVICES = (2, 4, 8, 16, 32, 64)
"""Numbers of devices that are tried."""
_GATHERED_LAYERS = 2
"""The weights of a layer are gathered while the one before it is computed."""


def may_be_divided(demand: Demand) -> bool:
    """Return whether weights can be divided: those of a packed decoder in 16 bits, moments beside."""
    return not (demand.padded or demand.four_bit or demand.fp8 or demand.moments_on_host)


def divided(shape: Shape, demand: Demand, devices: int) -> Demand:
    """Return what one device holds where the large weights are divided all the time.

    Embedding and output layer are gathered for a whole pass; they count as one more layer each.
    """
    layer = demand.weight_bytes / shape.layers
    whole = demand.trains_backbone
    passing = (2 * _GATHERED_LAYERS if whole else _GATHERED_LAYERS) * layer
    share = 1 / devices
    return replace(
        demand,
        weight_bytes=share * demand.weight_bytes + passing,
        gradient_bytes=share * demand.gradient_bytes if whole else demand.gradient_bytes,
        optimizer_bytes=share * demand.optimizer_bytes if whole else demand.optimizer_bytes,
        may_step_in_backward=False,
    )


def copied(demand: Demand, devices: int) -> Demand:
    """Return what one device holds where each has the whole network.

    Where most weights learn, each device keeps moments for its part of them alone.
    """
    shared = demand.trains_backbone and may_be_divided(demand)
    optimizer_bytes = demand.optimizer_bytes / devices if shared else demand.optimizer_bytes
    return replace(demand, optimizer_bytes=optimizer_bytes, may_step_in_backward=False)

"""A network with fewer layers: a pass over two and one over three of many equal layers tell what all of them do."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

_FIRST = 2
"""Layers that are counted apart: the first need not give a gradient to its input, and the last may compute less."""
_LEAST = 5
"""Layers of a stack that is worth shortening."""
_OWN = {"layer_idx", "layer_id", "training"}
"""Attributes in which equal layers differ."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The layers of a network, of which some are left out for a while."""

    parent: nn.Module
    name: str
    layers: list[nn.Module]
    period: int
    """After so many layers they are alike again."""

    @property
    def few(self) -> int:
        """The least layers that are like all of them: a few, and whole periods less."""
        return _FIRST + (len(self.layers) - _FIRST) % self.period

    @property
    def times(self) -> int:
        """How many periods there are beyond `few`."""
        return (len(self.layers) - self.few) // self.period

    @contextmanager
    def cut(self, layers: int) -> Iterator[None]:
        """Leave the first layers alone in the network."""
        setattr(self.parent, self.name, nn.ModuleList(self.layers[:layers]))
        try:
            yield
        finally:
            setattr(self.parent, self.name, nn.ModuleList(self.layers))


def stack_of(module: nn.Module) -> Stack | None:
    """Return the one stack of many layers that a network has; None where it has none or several, or they all differ."""
    found = []
    for parent in module.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.ModuleList) and len(child) >= _LEAST:
                found.append((parent, name, list(child)))
    if len(found) != 1:
        return None
    parent, name, layers = found[0]
    period = _period([_likeness(layer) for layer in layers])
    if period is None or _FIRST + 2 * period >= len(layers):
        return None
    return Stack(parent=parent, name=name, layers=layers, period=period)


def _period(kinds: list[Any]) -> int | None:
    """Return after how many layers they are alike again, the first two and the last left aside."""
    inner = kinds[1:]
    for period in range(1, len(kinds) // 2):
        if all(one == other for one, other in zip(inner, inner[period:], strict=False)):
            return period
    return None


def _likeness(layer: nn.Module) -> tuple[Any, ...]:
    """Return what must be equal in layers that compute alike: modules, their plain attributes, shapes, what learns."""
    parts = []
    for name, child in layer.named_modules():
        plain = tuple(
            sorted(
                (key, value)
                for key, value in vars(child).items()
                if key not in _OWN and isinstance(value, (bool, int, float, str, type(None)))
            )
        )
        parts.append((name, type(child).__name__, repr(plain)))
    learning = tuple((name, tuple(value.shape), value.requires_grad) for name, value in layer.named_parameters())
    return (*parts, learning)

"""Optimizer state offloaded to pinned host memory, copied to the GPU for each parameter's step.

Copies run on their own stream, beside the backward pass: while one parameter is stepped, the moments of the one that
came next in the last step are on their way. PCIe moves about 55 GB/s each way, so a 7B model with bfloat16 moments
cannot take a step in less than about half a second.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

_Moments = tuple[torch.Tensor, ...]


class OffloadedMoments:
    """The moments of each parameter, by name. On a CPU they simply lie in memory."""

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        new_state: Callable[[torch.Tensor, torch.dtype], _Moments],
    ) -> None:
        """Allocate them.

        Args:
            parameters: all that learn, by name.
            new_state: `Optimizer.new_state`.

        """
        self._cuda = any(parameter.is_cuda for parameter in parameters.values())
        self._parameters = parameters
        self._held: dict[str, _Moments] = {
            name: tuple(map(self._new, new_state(torch.empty_like(parameter, device="meta"), parameter.dtype)))
            for name, parameter in parameters.items()
        }
        self._copies = torch.cuda.Stream() if self._cuda else None  # type: ignore[no-untyped-call]
        self._ahead: dict[str, tuple[_Moments, torch.cuda.Event]] = {}
        self._device: dict[str, _Moments] = {}
        self._order: list[str] = []
        self._next: dict[str, str] = {}

    def _new(self, alike: torch.Tensor) -> torch.Tensor:
        return torch.zeros(alike.shape, dtype=alike.dtype, pin_memory=self._cuda)

    def on_host(self, name: str) -> _Moments:
        """Return the moments where they are kept."""
        if self._copies is not None:
            self._copies.synchronize()
        return self._held[name]

    def fetched(self, name: str) -> _Moments:
        """Return the moments on the parameter's device, ready for the current stream."""
        if self._copies is None:
            return self._held[name]
        if name not in self._ahead:
            self._fetch(name)
        moments, arrived = self._ahead.pop(name)
        torch.cuda.current_stream().wait_event(arrived)
        self._device[name] = moments
        self._order.append(name)
        follower = self._next.get(name)
        if follower is not None and follower not in self._ahead:
            self._fetch(follower)
        return moments

    def _fetch(self, name: str) -> None:
        assert self._copies is not None
        device = self._parameters[name].device
        # Allocated on the copying stream: what the caching allocator gives was last used there, so nothing waits.
        with torch.cuda.stream(self._copies):
            moments = tuple(kept.to(device, non_blocking=True) for kept in self._held[name])
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        self._ahead[name] = (moments, arrived)

    def put_back(self, name: str) -> None:
        """Copy the stepped moments back to the host."""
        if self._copies is None:
            return
        stepped = torch.cuda.Event()  # type: ignore[no-untyped-call]
        stepped.record()
        with torch.cuda.stream(self._copies):
            self._copies.wait_event(stepped)
            for kept, new in zip(self._held[name], self._device.pop(name), strict=True):
                kept.copy_(new, non_blocking=True)

    def end_step(self) -> None:
        """Remember the order of this step's parameters: the next step's moments are fetched in it."""
        self._next = dict(zip(self._order, self._order[1:], strict=False))
        self._order = []

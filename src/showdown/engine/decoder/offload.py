"""Inputs of checkpointed layers, offloaded to pinned host memory.

With activation checkpointing a network keeps the input of each layer alone between forward and backward pass. The input
is copied to the host while the next layer runs, and back while the layer above is recomputed. PCIe moves about 55 GB/s
each way: the 8 KB for each token of a 7B take a thirtieth of the time of the layer. The idea is in
Rajbhandari et al. 2021 (arXiv 2104.07857, section 5.1.2, activation checkpoints in CPU memory).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


class OffloadedInputs:
    """Copies to the host what autograd saves inside `held`, and back in the opposite order.

    On a CPU the copies are made too, without streams: for tests.
    """

    def __init__(self) -> None:
        self.buffers: list[torch.Tensor] = []
        """Pinned, one for each layer, reused from pass to pass."""
        self._shapes: list[torch.Size] = []
        self._copies: torch.cuda.Stream | None = None
        self._leaving: torch.Tensor | None = None
        """Kept until it is copied: its memory must not be written before."""
        self._ahead: dict[int, tuple[torch.Tensor, torch.cuda.Event | None]] = {}

    def begin(self) -> None:
        """Begin a forward pass and drop what an earlier one left."""
        self._arrived()
        self._shapes, self._ahead = [], {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Offload what autograd saves inside."""
        with torch.autograd.graph.saved_tensors_hooks(self._put, self._get):
            yield

    def _put(self, given: torch.Tensor) -> tuple[int, torch.device]:
        place = len(self._shapes)
        self._shapes.append(given.shape)
        buffer = self._buffer(place, given)
        self._arrived()
        if given.is_cuda:
            self._copies = self._copies or torch.cuda.Stream(given.device)  # type: ignore[no-untyped-call]
            self._copies.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._copies):
                buffer.copy_(given.detach(), non_blocking=True)
            self._leaving = given
        else:
            buffer.copy_(given.detach())
        return place, given.device

    def _buffer(self, place: int, given: torch.Tensor) -> torch.Tensor:
        """Return memory for a tensor, no more than the largest pass has needed."""
        if place == len(self.buffers):
            self.buffers.append(torch.empty(0, dtype=given.dtype))
        held = self.buffers[place]
        if held.numel() < given.numel() or held.dtype != given.dtype:
            held = torch.empty(given.numel(), dtype=given.dtype, pin_memory=given.is_cuda)
            self.buffers[place] = held
        return held[: given.numel()].view(given.shape)

    def _arrived(self) -> None:
        """Let the current stream wait for the last copy to the host, so that its source may be written again."""
        if self._leaving is not None and self._copies is not None:
            torch.cuda.current_stream().wait_stream(self._copies)
        self._leaving = None

    def _get(self, packed: tuple[int, torch.device]) -> torch.Tensor:
        place, device = packed
        self._arrived()
        if place not in self._ahead:
            self._fetch(place, device)
        tensor, arrived = self._ahead.pop(place)
        if arrived is not None:
            torch.cuda.current_stream().wait_event(arrived)
        if place:
            self._fetch(place - 1, device)
        return tensor

    def _fetch(self, place: int, device: torch.device) -> None:
        shape = self._shapes[place]
        source = self.buffers[place][: shape.numel()].view(shape)
        # Allocated on the current stream, where it is used and freed; the copy waits for earlier uses of that memory.
        tensor = torch.empty(shape, dtype=source.dtype, device=device)
        if self._copies is None:
            self._ahead[place] = tensor.copy_(source), None
            return
        self._copies.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._copies):
            tensor.copy_(source, non_blocking=True)
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        self._ahead[place] = tensor, arrived

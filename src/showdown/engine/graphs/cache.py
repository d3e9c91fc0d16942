"""A cache of CUDA graphs: passes over small packs whose kernels are all launched at once.

The host launches thousands of kernels in a pass, in about the same time whatever their size. Where the GPU needs less
time, it waits for its host: below about 2,000 tokens of a 7B, and below about 7,000 of a network of a billion weights.
A CUDA graph launches all kernels at once. It keeps the sizes and addresses of the pass that was captured, so packs are
filled up to sizes that repeat, and the input is written to the same tensors each time. https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch

from showdown.engine.budget import Demand, launch_bound_tokens, shape_of, token_bytes
from showdown.engine.decoder.attention import Layout
from showdown.engine.decoder.forward import PackedPath
from showdown.engine.decoder.pack import Pack

_FINEST_FILL = 128
_FILL_SHARE = 16
"""Packs are filled up to a multiple of the next power of two divided by this: 3 % more tokens on average."""
MOST_GRAPHS = 48
_ROOM = 1.3
"""Times the counted activations that must be free before a graph is captured: it takes memory of its own."""
_ROOM_BESIDE = 0.3e9
"""Bytes that must be free as well: for the matrix library and the graph itself."""

Run = Callable[[], torch.Tensor]


class Recorder(Protocol):
    """Captures the work of a function on the GPU."""

    def __call__(self, run: Run) -> tuple[Callable[[], None], torch.Tensor]:
        """Return a function that repeats the work, and the tensor that `run` returned, which it overwrites."""
        ...


class CudaGraphs:
    """Captures CUDA graphs, which share one memory pool: no two of them run at once."""

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, run: Run) -> tuple[Callable[[], None], torch.Tensor]:
        """See `Recorder`.

        Raises:
            RuntimeError: where something in `run` cannot be captured; nothing has then been done.

        """
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        stream = _recording_stream()
        graph = torch.cuda.CUDAGraph()
        random = torch.cuda.default_generators[torch.cuda.current_device()]
        before = random.clone_state()
        stream.wait_stream(torch.cuda.current_stream())
        # Not `torch.cuda.graph`, which first returns all free memory, and with it the piece that was reserved ahead.
        with torch.cuda.stream(stream):
            try:
                graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
                try:
                    result = run()
                finally:
                    graph.capture_end()
            except RuntimeError:
                random.graphsafe_set_state(
                    before
                )  # a capture that failed leaves the generator in an intermediate state
                raise
        torch.cuda.current_stream().wait_stream(stream)
        return graph.replay, result


@functools.cache
def _recording_stream() -> torch.cuda.Stream:
    """Return one stream for all captures of a process: the matrix library keeps 67 MB of the GPU for each stream."""
    return torch.cuda.Stream()  # type: ignore[no-untyped-call]


def filled_size(tokens: int, most: int | None = None) -> int:
    """Return the number of tokens that a pack is filled up to.

    Args:
        tokens: of the pack.
        most: the most tokens that the memory plan allows a pack; None for any number.

    """
    multiple = max(_FINEST_FILL, (1 << (tokens - 1).bit_length()) // _FILL_SHARE)
    filled = -(-tokens // multiple) * multiple
    return filled if most is None else max(tokens, min(filled, most))


class Compute(Protocol):
    """Computes something of a pack."""

    def __call__(self, pack: Pack, *more: torch.Tensor) -> torch.Tensor:
        """Return the result, a tensor on the device.

        Args:
            pack: on the device.
            more: its other inputs, as tensors on the device.

        """
        ...


@dataclass(kw_only=True)
class _Size:
    """All packs with one number of tokens, of sequences, and of other inputs."""

    pack: Pack
    more: tuple[torch.Tensor, ...]
    passes: int = 0
    """How often it was computed without a graph, to the end."""
    replay: Callable[[], None] | None = None
    result: torch.Tensor | None = None
    """Written by `replay`."""
    kept: list[torch.Tensor] = field(default_factory=list)
    """Memory outside the pool that `replay` uses and its owner may release."""

    def fill(self, pack: Pack, more: Sequence[torch.Tensor]) -> None:
        """Overwrite the pack with another of this size."""
        own = self.pack
        pairs = [(own.ids, pack.ids), (own.places, pack.places), (own.seeds, pack.seeds)]
        for held, given in [*pairs, (own.layout.starts, pack.layout.starts), *zip(self.more, more, strict=True)]:
            held.copy_(given, non_blocking=True)


class GraphCache:
    """Computes one thing of many packs: the second of a size is captured, and replayed from then on.

    The first compiles kernels, and sizes that come once cost nothing. Results are the same with and without a graph.
    """

    def __init__(
        self, forward: PackedPath, compute: Compute, record: Recorder, *, settle: Callable[[], None] = lambda: None
    ) -> None:
        """Prepare.

        Args:
            forward: the network's.
            compute: what is computed; no choice in it may depend on a tensor's values.
            record: captures a run.
            settle: called before each pass: makes the tensors that `compute` adds to those of the capture.

        """
        self.replayed = 0
        self._forward, self._compute, self._record, self._settle = forward, compute, record, settle
        self._shape = shape_of(forward.config)
        self._sizes: dict[tuple[int, ...], _Size] = {}
        self._recording = True

    def worthwhile(self, tokens: int) -> bool:
        """Return whether a GPU waits for its host in a pass over so many tokens."""
        return tokens <= launch_bound_tokens(self._shape)

    def __call__(self, pack: Pack, *more: torch.Tensor) -> torch.Tensor:
        """Return the result of `compute`; the next call of this size may overwrite it.

        Args:
            pack: on the CPU.
            more: the other inputs of `compute`, on the CPU; of one shape for packs of one size.

        """
        size = self._size(pack, more)
        self._settle()
        if self._is_due(size) and self._has_room(pack.ids.numel()):
            self._record_size(size)
        if size.replay is None or size.result is None:
            result = self._compute(size.pack, *size.more)
            size.passes += 1  # not before: one that ran out of memory is none
            return result
        size.replay()
        self.replayed += 1
        return size.result

    def release(self) -> bool:
        """Release all graphs and capture none from now on; return whether there were any."""
        held = any(size.replay is not None for size in self._sizes.values())
        self._sizes, self._recording = {}, False
        return held

    def _size(self, pack: Pack, more: Sequence[torch.Tensor]) -> _Size:
        """Return the entry of the pack's size, with the pack written to it."""
        key = (pack.ids.numel(), pack.read, pack.layout.sequences, *(one.numel() for one in more))
        if key not in self._sizes:
            device = self._forward.device
            own = tuple(one.clone().to(device) for one in more)
            self._sizes[key] = _Size(pack=_lasting(pack, device), more=own)
        self._sizes[key].fill(pack, more)
        return self._sizes[key]

    def _is_due(self, size: _Size) -> bool:
        graphs = sum(one.replay is not None for one in self._sizes.values())
        return self._recording and size.replay is None and size.passes > 0 and graphs < MOST_GRAPHS

    def _has_room(self, tokens: int) -> bool:
        if not self._forward.device.startswith("cuda"):
            return True
        demand = Demand(weight_bytes=0, gradient_bytes=0, optimizer_bytes=0, trains_backbone=True)
        kept = torch.is_grad_enabled() and not self._forward.walk.recompute
        activations = tokens * token_bytes(self._shape, demand, recompute=not kept)
        return torch.cuda.mem_get_info()[0] > _ROOM * activations + _ROOM_BESIDE

    def _record_size(self, size: _Size) -> None:
        try:
            size.replay, size.result = self._record(lambda: self._compute(size.pack, *size.more))
        except RuntimeError:  # out of memory, for one: all passes go on without graphs
            self._recording = False
        size.kept = list(self._forward.walk.host_buffers)


def _lasting(pack: Pack, device: str) -> Pack:
    """Return a copy of a pack on the device, to be overwritten; any sequence may be as long as the pack."""
    moved = pack.to(device)
    layout = Layout(starts=moved.layout.starts.clone(), longest=pack.ids.numel())
    return replace(moved, ids=moved.ids.clone(), places=moved.places.clone(), seeds=moved.seeds.clone(), layout=layout)

"""Small packs from CUDA graphs: all launches of a forward and a backward pass as one.

A host launches some thousands of kernels a pass, one after another, for which it takes about as long whatever their
size. Where the GPU needs less time than that, it waits: below 2,048 tokens of a 7B, and at every usual size of a
network of a billion weights. A graph launches them all at once. It has the sizes and addresses of the pass that it was
recorded from, so packs are filled up to sizes that come again, and what differs between two of one size is written to
the same tensors each time. https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from showdown.engine.attention import Layout
from showdown.engine.budget import Demand, gradients_may_stay, launch_bound_tokens, shape_of, token_bytes
from showdown.engine.decoder import Pack
from showdown.engine.forward import ForwardPath
from showdown.engine.packed import PackedForward
from showdown.engine.passes import EagerPasses, Passes

_FINEST_FILL = 128
_FILL_SHARE = 16
"""Packs are filled up to a multiple of this part of the power of two above them: 1.5 to 6 % more tokens than it has."""
_ROWS_MULTIPLE = 4
"""Rows of a pack are filled up to a multiple of it, by rows of one token each without a target."""
_NO_TARGET = -100
"""What `cross_entropy` leaves out."""
_PASSES_BEFORE = 1
"""Passes of a size before it is recorded: one, which also compiles its kernels. Sizes that never come again cost
nothing."""
_MOST_GRAPHS = 48
_ROOM = 1.3
"""Times the counted activations that must be free before a graph is recorded: it takes memory of its own."""
_ROOM_BESIDE = 0.3e9
"""Bytes that must be free as well: room of the matrix library, and the graph itself."""

Run = Callable[[], torch.Tensor]


class Recorder(Protocol):
    """Records what a function does on the GPU."""

    def __call__(self, run: Run) -> tuple[Callable[[], None], torch.Tensor]:
        """Return what does it again, and the tensor that `run` returned, which each time is written to anew."""
        ...


class CudaGraphs:
    """Records CUDA graphs, which share one pool of memory: no two of them run at once."""

    def __init__(self) -> None:
        self._pool: Any = None
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, run: Run) -> tuple[Callable[[], None], torch.Tensor]:
        """See `Recorder`.

        Raises:
            RuntimeError: where something in `run` cannot be recorded; nothing has then been done.

        """
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        self._stream = self._stream or torch.cuda.Stream()  # type: ignore[no-untyped-call]
        graph = torch.cuda.CUDAGraph()
        random = torch.cuda.default_generators[torch.cuda.current_device()]
        before = random.clone_state()
        self._stream.wait_stream(torch.cuda.current_stream())
        # Not `torch.cuda.graph`, which gives all free memory back first: the piece that was reserved ahead with it.
        with torch.cuda.stream(self._stream):
            try:
                graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
                try:
                    result = run()
                finally:
                    graph.capture_end()
            except RuntimeError:
                random.graphsafe_set_state(before)  # a recording that failed leaves the generator in its middle
                raise
        torch.cuda.current_stream().wait_stream(self._stream)
        return graph.replay, result


def filled_size(tokens: int, most: int | None) -> int:
    """Return the tokens that a pack of so many is filled up to.

    Args:
        tokens: of the pack.
        most: to which packs may be filled up, for the memory that they take.

    """
    multiple = max(_FINEST_FILL, (1 << (tokens - 1).bit_length()) // _FILL_SHARE)
    filled = -(-tokens // multiple) * multiple
    return filled if most is None else max(tokens, min(filled, most))


def passes_for(
    forward: ForwardPath, parameters: Mapping[str, nn.Parameter], *, in_backward: bool, most_tokens: int | None
) -> Passes:
    """Choose how training computes gradients.

    Args:
        forward: the network's forward path.
        parameters: all that learn, by name.
        in_backward: whether steps are taken inside the backward pass.
        most_tokens: of a micro-batch, where memory was planned for so many.

    """
    eager, learning = EagerPasses(forward), list(parameters.values())
    if in_backward or not isinstance(forward, PackedForward) or not forward.walk.understood:
        return eager
    gradient_bytes = sum(parameter.numel() * parameter.itemsize for parameter in learning)
    stay = gradients_may_stay(shape_of(forward.config), gradient_bytes, most_tokens)
    if not (stay and forward.device.startswith("cuda")):
        return eager
    return CapturedPasses(forward, learning, most_tokens=most_tokens, otherwise=eager, record=CudaGraphs())


@dataclass(kw_only=True)
class _Size:
    """All packs of one number of tokens and of sequences."""

    pack: Pack
    targets: torch.Tensor
    share: torch.Tensor
    """What one row's loss counts for in its step: float32 scalar."""
    passes: int = 0
    replay: Callable[[], None] | None = None
    loss: torch.Tensor | None = None
    """Written by `replay`."""
    kept: list[torch.Tensor] = field(default_factory=list)
    """Memory outside the graphs' pool that `replay` uses and others may give up."""

    def fill(self, pack: Pack, targets: torch.Tensor, share: torch.Tensor) -> None:
        """Write another pack of this size over the one that is there."""
        own = self.pack
        pairs = [(own.ids, pack.ids), (own.places, pack.places), (own.seeds, pack.seeds), (self.targets, targets)]
        for held, given in [*pairs, (own.layout.starts, pack.layout.starts), (self.share, share)]:
            held.copy_(given, non_blocking=True)


class CapturedPasses:
    """Forward and backward passes of a packed decoder, small ones from graphs from the second of their size on.

    A pass gives the same numbers whether it is recorded or not: both are filled up alike.
    """

    def __init__(
        self,
        forward: PackedForward,
        parameters: Sequence[nn.Parameter],
        *,
        most_tokens: int | None,
        otherwise: Passes,
        record: Recorder,
    ) -> None:
        """Prepare.

        Args:
            forward: the network's.
            parameters: all that learn.
            most_tokens: to which packs may be filled up.
            otherwise: for packs that are too large to be worth it.
            record: records a pass.

        """
        self.replayed = 0
        self._forward, self._parameters = forward, parameters
        self._most_tokens, self._otherwise, self._record = most_tokens, otherwise, record
        self._shape = shape_of(forward.config)
        self._sizes: dict[tuple[int, int, int], _Size] = {}
        self._gradients: list[tuple[nn.Parameter, torch.Tensor]] = []
        """Each parameter that gets a gradient, and where graphs add to it."""
        self._recording = True

    def accumulate(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, step_rows: int) -> torch.Tensor:
        """See `Passes`."""
        missing = -len(sequences) % _ROWS_MULTIPLE
        tokens = missing + sum(sequence.numel() for sequence in sequences)
        filled = filled_size(tokens, self._most_tokens)
        if filled > launch_bound_tokens(self._shape):
            return self._otherwise.accumulate(sequences, targets, step_rows)
        more = [sequences[0].new_zeros(1)] * missing
        pack = self._forward.pack([*sequences, *more], fill=filled - tokens)
        targets = torch.cat([targets, targets.new_full((missing,), _NO_TARGET)])
        size = self._size(pack, targets, torch.tensor(1.0 / step_rows))
        if self._is_due(size) and self._has_room(filled):
            self._record_size(size)
        size.passes += 1
        if size.replay is None or size.loss is None:
            return self._first(size)
        self._settle_gradients()
        size.replay()
        self.replayed += 1
        return size.loss

    def _size(self, pack: Pack, targets: torch.Tensor, share: torch.Tensor) -> _Size:
        """Return what is known of the pack's size, the pack written to it."""
        key = (pack.ids.numel(), pack.read, pack.layout.sequences)
        if key not in self._sizes:
            device = self._forward.device
            self._sizes[key] = _Size(
                pack=_lasting(pack, device), targets=targets.clone().to(device), share=share.to(device)
            )
        self._sizes[key].fill(pack, targets, share)
        return self._sizes[key]

    def _run(self, size: _Size) -> torch.Tensor:
        logits = self._forward.logits_of(size.pack)
        loss = functional.cross_entropy(logits, size.targets, reduction="sum") * size.share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _first(self, size: _Size) -> torch.Tensor:
        """Run a pass that is not recorded, and find out which parameters get a gradient."""
        loss = self._run(size)
        if not self._gradients:
            self._gradients = [(one, torch.zeros_like(one)) for one in self._parameters if one.grad is not None]
        return loss

    def _is_due(self, size: _Size) -> bool:
        graphs = sum(one.replay is not None for one in self._sizes.values())
        again = size.replay is None and size.passes >= _PASSES_BEFORE
        return self._recording and again and graphs < _MOST_GRAPHS

    def _has_room(self, tokens: int) -> bool:
        if not self._forward.device.startswith("cuda"):
            return True
        demand = Demand(weight_bytes=0, gradient_bytes=0, moment_bytes=0, trains_backbone=False)
        activations = tokens * token_bytes(self._shape, demand, recompute=self._forward.walk.recompute)
        return torch.cuda.mem_get_info()[0] > _ROOM * activations + _ROOM_BESIDE

    def _record_size(self, size: _Size) -> None:
        self._settle_gradients()
        try:
            size.replay, size.loss = self._record(lambda: self._run(size))
        except RuntimeError:  # out of memory among others: every pass goes on without
            self._recording = False
        size.kept = list(self._forward.walk.host_buffers)

    def _settle_gradients(self) -> None:
        """Have all gradients where graphs add to them; those that a step has not got yet begin at zero."""
        fresh = []
        for parameter, held in self._gradients:
            if parameter.grad is None:
                fresh.append(held)
            elif parameter.grad is not held:
                held.copy_(parameter.grad)
            parameter.grad = held
        if fresh:
            torch._foreach_zero_(fresh)


def _lasting(pack: Pack, device: str) -> Pack:
    """Return a pack on the device whose tensors are its own, to be written to; any sequence may be the longest."""
    moved = pack.to(device)
    layout = Layout(starts=moved.layout.starts.clone(), longest=pack.ids.numel())
    return replace(moved, ids=moved.ids.clone(), places=moved.places.clone(), seeds=moved.seeds.clone(), layout=layout)

"""Training and answering with small packs replayed from CUDA graphs (`cache.py`), where that is faster."""

from collections.abc import Mapping, Sequence
from functools import partial
from threading import Lock

import torch
from torch import nn

from showdown.core.task import ForwardPath, Objective
from showdown.engine.accumulate import Accumulator, EagerAccumulator
from showdown.engine.decoder.forward import PackedForward, PackedPath
from showdown.engine.decoder.language import PackedLanguageModel
from showdown.engine.decoder.pack import Pack
from showdown.engine.graphs.cache import CudaGraphs, GraphCache, Recorder, filled_size

_ROWS_MULTIPLE = 4
"""Rows of a training pack are filled up to a multiple of it by rows of one token without a target, where they fit."""


def missing_rows(rows: int, room: int) -> int:
    """Return how many rows of one token fill a pack up.

    Args:
        rows: of the pack.
        room: tokens by which it is filled up.

    """
    missing = -rows % _ROWS_MULTIPLE
    return missing if missing <= room else 0


def choose_accumulator(
    forward: ForwardPath,
    objective: Objective,
    parameters: Mapping[str, nn.Parameter],
    *,
    gradients_stay: bool,
    most_tokens: int | None,
) -> Accumulator:
    """Choose how training computes gradients.

    Args:
        forward: the network's forward path.
        objective: the loss.
        parameters: all trainable parameters, by name.
        gradients_stay: whether there is room for all gradients from step to step, which graphs need.
        most_tokens: of a micro-batch, where memory was planned for so many.

    """
    eager, trainable = EagerAccumulator(forward, objective), list(parameters.values())
    if not gradients_stay or not isinstance(forward, PackedPath) or not _recordable(forward):
        return eager
    return GraphAccumulator(
        forward, objective, trainable, most_tokens=most_tokens, otherwise=eager, record=CudaGraphs()
    )


def answering_forward(forward: ForwardPath) -> ForwardPath:
    """Return the path for a network that answers and does not change: small packs from graphs, where that pays."""
    if isinstance(forward, PackedForward) and _recordable(forward):
        return CapturedForward(forward, record=CudaGraphs())
    if isinstance(forward, PackedLanguageModel) and _recordable(forward):
        forward.recorder = CudaGraphs
    return forward


def _recordable(forward: PackedPath) -> bool:
    """Whether a GPU runs it, every kernel is known to launch alike each time, and weights stay where they are."""
    return forward.device.startswith("cuda") and forward.walk.understood and not forward.is_divided


class GraphAccumulator:
    """Forward and backward passes of a packed decoder, small ones replayed from the second of their size on."""

    def __init__(
        self,
        forward: PackedPath,
        objective: Objective,
        parameters: Sequence[nn.Parameter],
        *,
        most_tokens: int | None,
        otherwise: Accumulator,
        record: Recorder,
    ) -> None:
        """Prepare.

        Args:
            forward: the network's.
            objective: the loss.
            parameters: all trainable parameters.
            most_tokens: to which packs may be filled up.
            otherwise: for packs that are too large to gain anything.
            record: records a pass.

        """
        self._forward, self._most_tokens, self._otherwise = forward, most_tokens, otherwise
        self._padding_target = objective.padding_target
        self._gradients = _Gradients(parameters)
        # Nothing here refers back to this object: graphs and their memory go as soon as it does.
        self._cache = GraphCache(
            forward, partial(_add_gradients, forward, objective), record, settle=self._gradients.settle
        )

    @property
    def replayed(self) -> int:
        """See `Accumulator`."""
        return self._cache.replayed

    def accumulate(self, sequences: Sequence[torch.Tensor], targets: torch.Tensor, step_terms: float) -> torch.Tensor:
        """See `Accumulator`."""
        tokens = sum(sequence.numel() for sequence in sequences)
        filled = filled_size(tokens, self._most_tokens)
        if not self._cache.worthwhile(filled):
            self._gradients.settle()
            return self._otherwise.accumulate(sequences, targets, step_terms)
        pack, inputs = self._forward.filled(
            sequences,
            targets,
            tokens=filled,
            rows=missing_rows(len(sequences), filled - tokens),
            padding_target=self._padding_target,
        )
        loss = self._cache(pack, *inputs, torch.tensor(1.0 / step_terms))
        self._gradients.keep()
        return loss

    def release(self) -> bool:
        """See `Accumulator`."""
        self._gradients.forget()
        return self._cache.release()


def _add_gradients(forward: PackedPath, objective: Objective, pack: Pack, *more: torch.Tensor) -> torch.Tensor:
    """Add a pack's gradients. The last of `more` is the share of one loss term in the mean loss of its step."""
    *inputs, share = more
    loss = forward.filled_loss(pack, inputs, objective) * share
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


class _Gradients:
    """Where graphs add to the gradients of each parameter that gets any."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self._parameters = parameters
        self._held: list[tuple[nn.Parameter, torch.Tensor]] = []

    def keep(self) -> None:
        """Keep those that a first backward pass made: a second set beside them would be memory that nobody counted."""
        if not self._held:
            self._held = [(one, one.grad) for one in self._parameters if one.grad is not None]

    def forget(self) -> None:
        """Keep none."""
        self._held = []

    def settle(self) -> None:
        """Have all gradients where graphs add to them; those that a step has not got yet begin at zero."""
        fresh = []
        for parameter, held in self._held:
            if parameter.grad is None:
                fresh.append(held)
            elif parameter.grad is not held:
                held.copy_(parameter.grad)
            parameter.grad = held
        if fresh:
            torch._foreach_zero_(fresh)


class CapturedForward(ForwardPath):
    """The forward path of a network that answers: small packs are replayed from the second of their size on."""

    def __init__(self, forward: PackedForward, *, record: Recorder) -> None:
        self.name = forward.name
        self._forward = forward
        self._cache = GraphCache(forward, lambda pack, *_: forward.logits_of(pack), record)
        self._lock = Lock()
        """Packs of one size are written to the same tensors, whichever thread asks."""

    @property
    def replayed(self) -> int:
        """How many packs were replayed."""
        return self._cache.replayed

    def logits(self, sequences: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return float32 logits of shape (sequences, labels); differentiable where gradients are enabled."""
        tokens = sum(sequence.numel() for sequence in sequences)
        filled = filled_size(tokens)
        if torch.is_grad_enabled() or not self._cache.worthwhile(filled):
            return self._forward.logits(sequences)
        with self._lock:
            return self._cache(self._forward.pack(sequences, fill=filled - tokens)).clone()

"""The loss of a language model without the logits of all tokens: hidden states go through the head in chunks.

Logits of a vocabulary of 128,000 take 0.5 MB a token in float32, and their gradients as much. The forward pass computes
the loss of a chunk and its gradients at once, so that the logits of one chunk are held at a time. The idea is that of
Liger's fused linear cross-entropy (Hsu et al. 2024, arXiv 2410.10989, section 3.2), here for any objective.
"""

from collections.abc import Iterator
from typing import Any

import torch

from showdown.core.task import Objective
from showdown.engine.language.chunks import chunk_rows
from showdown.engine.language.head import LanguageHead


def chunked_loss_sum(
    hidden: torch.Tensor, targets: torch.Tensor, head: LanguageHead, objective: Objective
) -> torch.Tensor:
    """Return `objective.loss_sum` over all rows: a float32 scalar, differentiable once.

    Args:
        hidden: shape (rows, width).
        targets: shape (rows,), int64, on the same device; rows of `objective.padding_target` add nothing.
        head: from hidden states to logits.
        objective: its `loss_sum` must be a sum over rows.

    """
    if not torch.is_grad_enabled():
        return sum(
            (objective.loss_sum(head(rows), some) for rows, some in _chunks(hidden, targets, head)),
            start=hidden.new_zeros((), dtype=torch.float32),
        )
    loss: torch.Tensor = _ChunkedLoss.apply(hidden, targets, head, objective, *head.learning)  # type: ignore[no-untyped-call]
    return loss


def _chunks(
    hidden: torch.Tensor, targets: torch.Tensor, head: LanguageHead
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    size = chunk_rows(len(hidden), head.vocabulary)
    return zip(torch.split(hidden, size), torch.split(targets, size), strict=True)


class _ChunkedLoss(torch.autograd.Function):
    """Holds the gradients of hidden states and of the head's parameters from the forward pass on."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        targets: torch.Tensor,
        head: LanguageHead,
        objective: Objective,
        *learning: torch.nn.Parameter,
    ) -> torch.Tensor:
        total = hidden.new_zeros((), dtype=torch.float32)
        gradient = torch.zeros_like(hidden)
        sums = _Sums(learning, several=len(hidden) > chunk_rows(len(hidden), head.vocabulary))
        below = torch.split(gradient, chunk_rows(len(hidden), head.vocabulary))
        for (rows, some), place in zip(_chunks(hidden, targets, head), below, strict=True):
            if not len(rows):
                continue
            with torch.enable_grad():
                leaf = rows.detach().requires_grad_()
                loss = objective.loss_sum(head(leaf), some)
            found = torch.autograd.grad(loss, [leaf, *learning])
            total += loss.detach()
            place.copy_(found[0])
            sums.add(found[1:])
        ctx.gradient, ctx.sums = gradient if ctx.needs_input_grad[0] else None, sums.taken()
        return total

    @staticmethod
    def backward(ctx: Any, outer: torch.Tensor) -> tuple[Any, ...]:
        gradient, sums = ctx.gradient, ctx.sums
        if sums is None:
            raise RuntimeError("the loss of a language model can be differentiated once")
        ctx.gradient = ctx.sums = None
        found = None if gradient is None else gradient.mul_(outer)
        return (found, None, None, None, *(one.mul_(outer) for one in sums))


class _Sums:
    """The gradients of the head's parameters, summed over chunks in float32 where there are several."""

    def __init__(self, learning: tuple[torch.nn.Parameter, ...], *, several: bool) -> None:
        self._learning, self._several = learning, several
        self._held: list[torch.Tensor] = []

    def add(self, gradients: tuple[torch.Tensor, ...]) -> None:
        """Add the gradients of a chunk."""
        if self._held:
            for held, gradient in zip(self._held, gradients, strict=True):
                held.add_(gradient)
        else:
            self._held = [gradient.float() if self._several else gradient for gradient in gradients]

    def taken(self) -> list[torch.Tensor]:
        """Return the sums in the types of the parameters."""
        if not self._held:
            return [torch.zeros_like(parameter) for parameter in self._learning]
        return [held.to(parameter.dtype) for held, parameter in zip(self._held, self._learning, strict=True)]

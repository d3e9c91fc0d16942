"""Passes of one arm's network over rows of any length, counted without weights and from few passes that are traced.

A network of equal layers is traced with two layers and with three (`shallow.py`), and each of them at two sizes
(`forms.py`). Networks that this does not describe are traced whole, between lengths on a grid.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from showdown.engine.decoder.attention import Queries, layout_of
from showdown.engine.decoder.pack import pack_of
from showdown.engine.decoder.walk import PackedDecoder
from showdown.engine.encoder.cpu import FastCpu
from showdown.engine.encoder.forward import PackedEncoder
from showdown.forecast.forms import Forms, are_told_apart, forms_of
from showdown.forecast.shallow import Stack, stack_of
from showdown.forecast.trace import Trace, traced

if TYPE_CHECKING:
    from torch import nn

Forward = tuple[Callable[[], torch.Tensor], AbstractContextManager[Any] | None]
"""A forward pass, and what it runs in."""
_ROWS = (2, 3)
"""Rows of the two passes that tell what any number of them takes."""
_LEAST_TOKENS = 12
"""Of the longer of the two lengths that are traced."""


@dataclass(frozen=True, kw_only=True)
class Called:
    """What is called of a network, and where."""

    module: "nn.Module"
    """The adapted network."""
    backbone: Any
    """What is called where the engine does not compute the layers itself, or the decoder whose layers it computes."""
    options: dict[str, bool]
    """Arguments of that call."""
    on_gpu: bool
    padded: bool
    packed_decoder: bool
    """Whether the engine computes the layers of a decoder."""
    reads_all: bool
    """Whether the last layer computes all tokens, as that of a language model may."""

    def forward(self, rows: int, length: int) -> Forward:
        """Return the forward pass that the engine would choose, without weights."""
        if self.packed_decoder:
            return self._packed(rows, length), None
        sequences = [torch.zeros(length, dtype=torch.long, device="meta")] * rows
        if self.on_gpu or self.padded:
            ids = torch.stack(sequences)
            padded = lambda: self.backbone(input_ids=ids, attention_mask=torch.ones_like(ids), **self.options)[0]  # noqa: E731
            return padded, None if self.on_gpu else FastCpu()
        return lambda: PackedEncoder(self.module).logits(sequences), None

    def _packed(self, rows: int, length: int) -> Callable[[], torch.Tensor]:
        walk = PackedDecoder(self.backbone)
        pack = pack_of([torch.zeros(length, dtype=torch.long)] * rows, streams=walk.streams)
        last = Queries(places=pack.layout.last_tokens, layout=layout_of([1] * rows, "cpu"))
        pack = replace(pack, queries=None if self.reads_all else last, reads_all=self.reads_all).to("meta")
        return lambda: walk.hidden(pack)


class Passes:
    """Traces of one network."""

    def __init__(self, called: Called, *, longest: int) -> None:
        """Prepare.

        Args:
            called: the network.
            longest: tokens of the longest row that it reads: passes are traced near it.

        """
        self._called, self._longest = called, max(_LEAST_TOKENS, min(longest, self._positions_of(called)))
        self._forms: dict[tuple[bool, int], Forms | None] = {}
        self._whole: dict[tuple[int, int, bool], Trace] = {}

    @property
    def positions(self) -> int:
        """The most tokens of a row that the network has positions for; some count two beside those of tokens."""
        return self._positions_of(self._called)

    @staticmethod
    def _positions_of(called: Called) -> int:
        return int(getattr(called.backbone.config, "max_position_embeddings", 0) or 1_000_000) - 2

    def at(self, rows: int, length: int, *, trains: bool) -> Trace:
        """Return what a pass over rows of one length does: forward and backward, or forward alone."""
        length = max(1, min(length, self.positions))
        forms = self._of_any_rows(trains) or self._of_rows(rows, trains)
        return forms.at(rows, length) if forms else self.whole(rows, length, trains=trains)

    def whole(self, rows: int, length: int, *, trains: bool) -> Trace:
        """Return the trace of all layers at this very size."""
        key = (rows, length, trains)
        if key not in self._whole:
            call, within = self._called.forward(rows, length)
            self._called.module.train(trains)
            self._whole[key] = traced(self._called.module, call, forward_only=not trains, within=within)
        return self._whole[key]

    def has_forms(self, rows: int, *, trains: bool) -> bool:
        """Return whether passes over so many rows follow from few: others are best taken between few lengths."""
        return (self._of_any_rows(trains) or self._of_rows(rows, trains)) is not None

    def _of_any_rows(self, trains: bool) -> Forms | None:
        if self._called.packed_decoder:  # its attention is called row by row
            return None
        return self._cached((trains, 0), *_ROWS)

    def _of_rows(self, rows: int, trains: bool) -> Forms | None:
        return self._cached((trains, rows), rows, rows)

    def _cached(self, key: tuple[bool, int], few: int, many: int) -> Forms | None:
        if key not in self._forms:
            self._forms[key] = self._told((few, self._shorter(few, many)), (many, self._longest), trains=key[0])
        return self._forms[key]

    def _shorter(self, few: int, many: int) -> int:
        """Return a length by which, beside the longest, every growth is told apart."""
        for length in range(3 * self._longest // 4, 1, -1):
            if few == many or are_told_apart((few, length), (many, self._longest)):
                return length
        return self._longest - 1

    def _told(self, small: tuple[int, int], large: tuple[int, int], *, trains: bool) -> Forms | None:
        stack = self._stack
        if stack is None:
            return self._between(small, large, trains=trains)
        found = []
        for layers in (stack.few, stack.few + stack.period):
            with stack.cut(layers), _errors_as_none():
                found.append(self._between(small, large, trains=trains))
        few, more = [*found, None, None][:2]
        return few.with_more(more, stack.times) if few and more else None

    def _between(self, small: tuple[int, int], large: tuple[int, int], *, trains: bool) -> Forms | None:
        module = self._called.module.train(trains)
        traces = []
        for rows, length in (small, large):
            call, within = self._called.forward(rows, length)
            traces.append(traced(module, call, forward_only=not trains, within=within))
        return forms_of(traces[0], small, traces[1], large)

    @cached_property
    def _stack(self) -> Stack | None:
        return stack_of(self._called.module)


@contextmanager
def _errors_as_none() -> Iterator[None]:
    """Leave a network whose code asks for a layer that is left out to be traced whole."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError):
        return

"""Greedy continuations of a packed decoder: prompts without padding, what they begin with once, then token by token."""

import time
from collections.abc import Callable, Sequence

import torch

from showdown.core.language import Continuation
from showdown.engine.decoder.cache import KeyValues
from showdown.engine.decoder.dense import packed_linear
from showdown.engine.decoder.pack import Pack, common_beginning, pack_of
from showdown.engine.decoder.step import TokenStep
from showdown.engine.decoder.walk import PackedDecoder
from showdown.engine.language.head import LanguageHead

_PACK_TOKENS = 8192
"""Tokens of prompts in one pass, beside those that all begin with."""
_FEWEST_REPLAYS = 8
"""Steps that must be left where one is captured."""
_FEWEST_PACKED = 16
"""Tokens of an answer from which weights are arranged on a CPU: that takes as long as about six steps save."""
Recorder = Callable[[Callable[[], torch.Tensor]], tuple[Callable[[], None], torch.Tensor]]
"""Captures the work of a function on the GPU; `graphs/cache.py` has it."""


class Writer:
    """Continues prompts with one network, whose weights do not change meanwhile."""

    def __init__(
        self, walk: PackedDecoder, head: LanguageHead, *, device: str, recorder: Recorder | None = None
    ) -> None:
        """Prepare.

        Args:
            walk: of the decoder.
            head: of the language model.
            device: `cpu` or `cuda`.
            recorder: captures steps on a GPU; None where each is launched.

        """
        self._walk, self._head, self._device = walk, head, device
        self._graphs = None if recorder is None else _Graphs(recorder)
        self._step: tuple[TokenStep, LanguageHead] | None = None

    @torch.no_grad()
    def continued(
        self, prompts: Sequence[Sequence[int]], *, stop_ids: frozenset[int], most: int, longest: int
    ) -> list[Continuation]:
        """Continue some prompts together, as `LanguagePath.write` says.

        Args:
            prompts: token ids of each.
            stop_ids: tokens that end an answer.
            most: tokens of one answer.
            longest: tokens of the longest prompt of all calls.

        """
        start = time.perf_counter()
        ids, cache = self._read(prompts)
        answers = _Answers(len(prompts), stop_ids, most, keep_from=0.5 if ids.is_cuda else 0.75)
        tokens = ids.tolist()
        seconds = time.perf_counter() - start
        self._step = self._step or self._stepper(longest + most, packed=len(prompts) > 1 and most >= _FEWEST_PACKED)
        rows = _Rows(*self._step, ids, [len(prompt) for prompt in prompts], cache, self._graphs)
        while answers.take(tokens):
            kept = answers.kept()
            if kept is not None:
                rows.keep(kept)
            tokens = rows.next_tokens(left=most - answers.length)
        return answers.continuations(seconds)

    def _stepper(self, most_tokens: int, *, packed: bool) -> tuple[TokenStep, LanguageHead]:
        """Return what computes a step, weights arranged for many of them where that pays."""
        head = self._head.computed_by(packed_linear(self._head.module) if packed else None)
        return TokenStep(self._walk, most_tokens=most_tokens, packed=packed), head

    def _read(self, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, KeyValues]:
        """Return the first token behind each prompt, shape (rows,), and the keys and values of the prompts."""
        sequences = [torch.tensor(prompt) for prompt in prompts]
        lengths = [len(prompt) for prompt in prompts]
        beginning = common_beginning(sequences, min(lengths) - 1)
        cache = KeyValues(lengths, layers=len(self._walk.layers), device=self._device)
        found, first = [], 0
        while first < len(prompts):
            last, tokens = first, 0
            while last < len(prompts) and (last == first or tokens + lengths[last] - beginning <= _PACK_TOKENS):
                tokens += lengths[last] - beginning
                last += 1
            pack = pack_of(sequences[first:last], streams=self._walk.streams, beginning=beginning).to(self._device)
            found.append(self._read_pack(pack, cache, first_row=first))
            first = last
        return torch.cat(found), cache

    def _read_pack(self, pack: Pack, cache: KeyValues, *, first_row: int) -> torch.Tensor:
        places = _places(pack, cache.used).to(self._device)

        def keep(number: int, key: torch.Tensor, value: torch.Tensor) -> None:
            cache.begin(number, key, value, places=places, first_row=first_row)

        hidden = self._walk.hidden(pack, keep)
        return self._head(hidden[-pack.read :]).argmax(dim=-1)


def _places(pack: Pack, columns: int) -> torch.Tensor:
    """Return for each row and column the place in the pack, shape (rows, columns); any place before a row begins."""
    layout = pack.shared.layout if pack.shared else pack.layout
    lengths = list(layout.lengths or ())
    seen = pack.shared.places.cpu() if pack.shared else torch.arange(sum(lengths))
    found = torch.zeros((pack.read, columns), dtype=torch.int64)
    for row, places in zip(found, torch.split(seen, lengths)[-pack.read :], strict=True):
        row[columns - len(places) :] = places
    return found


class _Rows:
    """The rows that are being continued: their newest tokens, and what is kept of those before."""

    def __init__(
        self,
        step: TokenStep,
        head: LanguageHead,
        ids: torch.Tensor,
        lengths: Sequence[int],
        cache: KeyValues,
        graphs: "_Graphs | None",
    ) -> None:
        self._step, self._head, self._cache, self._graphs = step, head, cache, graphs
        self._ids, self._places = ids, torch.tensor(lengths, device=ids.device)
        self._launched = 0
        self._replay: Callable[[], None] | None = None

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some rows alone."""
        chosen = torch.tensor(rows, device=self._ids.device)
        self._cache.keep(chosen)
        self._ids, self._places = self._ids.index_select(0, chosen), self._places.index_select(0, chosen)
        self._forget()

    def next_tokens(self, *, left: int) -> list[int]:
        """Return one more token for each row; ``left`` is how many there may still be."""
        if self._cache.full:
            self._cache.grow()
            self._forget()
        if self._graphs and self._replay is None and self._launched and left >= _FEWEST_REPLAYS:
            self._replay = self._graphs.captured(self._advance)
        if self._replay is None:
            self._advance()
            self._launched += 1
        else:
            self._replay()
        self._cache.used += 1
        tokens: list[int] = self._ids.tolist()
        return tokens

    def _advance(self) -> torch.Tensor:
        """Do all that is done on the device."""
        hidden = self._step(self._ids, self._places, self._cache)
        self._places += 1
        return self._ids.copy_(self._head(hidden).argmax(dim=-1))

    def _forget(self) -> None:
        """Forget a graph whose tensors are no longer those in use."""
        self._launched, self._replay = 0, None


class _Graphs:
    """Captures steps, one graph at a time."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder: Recorder | None = recorder
        self._newest: Callable[[], None] | None = None
        """Kept until the next is captured: the memory that graphs share goes with the last of them."""

    def captured(self, run: Callable[[], torch.Tensor]) -> Callable[[], None] | None:
        """Return a function that does again what ``run`` does, or None where it cannot be captured."""
        if self._recorder is None:
            return None
        try:
            self._newest, _ = self._recorder(run)
        except RuntimeError:  # out of memory, for one: all steps go on without graphs
            self._recorder = self._newest = None
        return self._newest


class _Answers:
    """What is written so far."""

    def __init__(self, rows: int, stop_ids: frozenset[int], most: int, *, keep_from: float) -> None:
        self._stop_ids, self._most, self._keep_from = stop_ids, most, keep_from
        self._written: list[list[int]] = [[] for _ in range(rows)]
        self._finished, self._done = [False] * rows, [False] * rows
        self._rows = list(range(rows))
        """Those that are computed."""
        self.length = 0
        """Tokens of the answers that go on."""

    def take(self, tokens: Sequence[int]) -> bool:
        """Take one token of each row that is computed; return whether any row goes on."""
        self.length += 1
        for row, token in zip(self._rows, tokens, strict=True):
            if self._done[row]:
                continue
            if token in self._stop_ids:
                self._finished[row] = self._done[row] = True
            else:
                self._written[row].append(token)
                self._done[row] = self.length >= self._most
        return not all(self._done)

    def kept(self) -> list[int] | None:
        """Return which of the rows that are computed go on, or None where too many of them do to drop the others."""
        left = [number for number, row in enumerate(self._rows) if not self._done[row]]
        if len(left) == len(self._rows) or len(left) > self._keep_from * len(self._rows):
            return None
        self._rows = [self._rows[number] for number in left]
        return left

    def continuations(self, seconds: float) -> list[Continuation]:
        """Return all answers."""
        return [
            Continuation(ids=ids, finished=finished, first_token_seconds=seconds)
            for ids, finished in zip(self._written, self._finished, strict=True)
        ]

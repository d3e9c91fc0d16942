"""Keys and values of rows that a language model continues, with growing room."""

from collections.abc import Sequence
from typing import Any

import torch

ROOM = 64
"""Columns by which the room grows. A graph is captured for each size of the room."""


class KeyValues:
    """Keys and values of some rows, aligned at their ends: all rows get their next token in the same column.

    A row begins in its own column, and sees nothing before it. On a GPU all columns are attended, behind a mask; where
    the next token goes is then a tensor, so that a graph can be replayed. On a CPU only the columns in use are.
    """

    def __init__(self, lengths: Sequence[int], *, layers: int, device: str) -> None:
        """Make room.

        Args:
            lengths: tokens of each row.
            layers: of the decoder.
            device: `cpu` or `cuda`.

        """
        self.used = max(lengths)
        """Columns in use."""
        self.starts = torch.tensor([self.used - length for length in lengths], device=device)
        """The first column of each row, shape (rows,), int64."""
        self.column = torch.tensor([self.used], device=device)
        """Where the next token goes, shape (1,), int64."""
        self.room = _rounded_up(self.used + 1)
        self._latest = self.used - min(lengths)
        self._keys: list[torch.Tensor] = [torch.empty(0)] * layers
        """Shape (rows, key heads, room, head width). So for the next."""
        self._values: list[torch.Tensor] = [torch.empty(0)] * layers
        self._masks: dict[int | None, torch.Tensor] = {}
        """What is added to the scores, shape (rows, 1, 1, room), by window: on a GPU for one token, on a CPU always."""

    def begin(
        self, number: int, key: torch.Tensor, value: torch.Tensor, *, places: torch.Tensor, first_row: int
    ) -> None:
        """Take the keys and values of a layer for all tokens so far of some rows.

        Args:
            number: of the layer.
            key: shape (tokens of a pack, key heads, head width).
            value: as `key`.
            places: in the pack, of what is in each row and column: shape (rows, used), int64.
            first_row: the first of these rows.

        """
        here = slice(first_row, first_row + len(places))
        for held, given in ((self._keys, key), (self._values, value)):
            if not held[number].numel():
                held[number] = given.new_zeros((len(self.starts), given.shape[1], self.room, given.shape[2]))
            chosen = given.index_select(0, places.flatten()).view(*places.shape, *given.shape[1:])
            held[number][here, :, : self.used] = chosen.transpose(1, 2)

    def next_token(self, dtype: torch.dtype, windows: Sequence[int | None]) -> None:
        """Prepare for the next token: `attended` sees the columns up to its own.

        Args:
            dtype: of the scores.
            windows: of the layers.

        """
        if not self.column.is_cuda:
            if not self._masks and self._latest:
                self._masks[None] = self._mask(dtype, None)
            return
        for window in set(windows):
            self._masks[window] = self._mask(dtype, window)

    def _mask(self, dtype: torch.dtype, window: int | None) -> torch.Tensor:
        columns = torch.arange(self.room, device=self.column.device)
        seen = columns >= self.starts[:, None]
        if self.column.is_cuda:
            seen &= columns <= self.column
            if window is not None:
                seen &= columns > self.column - window
        hidden = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, -torch.inf)
        return hidden[:, None, None, :]

    def attended(
        self,
        number: int,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        *,
        window: int | None,
        **more: Any,
    ) -> torch.Tensor:
        """Take the next token's key and value, and return what it attends to: shape (rows, query heads, head width).

        Args:
            number: of the layer.
            query: shape (rows, query heads, head width).
            key: shape (rows, key heads, head width).
            value: as `key`.
            window: how many tokens a token sees; None for all before it.
            more: for PyTorch's attention.

        """
        keys, values = self._keys[number], self._values[number]
        first, last = 0, self.room
        if self.column.is_cuda:
            keys.index_copy_(2, self.column, key[:, :, None])
            values.index_copy_(2, self.column, value[:, :, None])
            mask: torch.Tensor | None = self._masks[window]
        else:
            keys[:, :, self.used], values[:, :, self.used] = key, value
            last = self.used + 1
            first = 0 if window is None else max(0, last - window)
            mask = self._masks[None] if self._latest > first else None
        rows, heads = key.shape[:2]
        grouped = query.view(rows, heads, -1, query.shape[2])
        if mask is not None:
            mask = mask[..., first:last].expand(rows, heads, grouped.shape[2], last - first)
        found = torch.nn.functional.scaled_dot_product_attention(
            grouped, keys[:, :, first:last], values[:, :, first:last], attn_mask=mask, **more
        )
        return found.flatten(1, 2)

    @property
    def full(self) -> bool:
        """Whether there is no room for another token."""
        return self.used == self.room

    def grow(self) -> None:
        """Make room for more tokens."""
        self.room += max(ROOM, _rounded_up(self.room // 2))
        for held in (self._keys, self._values):
            for number, old in enumerate(held):
                wider = old.new_zeros((*old.shape[:2], self.room, old.shape[3]))
                wider[:, :, : old.shape[2]] = old
                held[number] = wider
        self._masks = {}

    def keep(self, rows: torch.Tensor) -> None:
        """Keep some rows, and drop the others.

        Args:
            rows: their numbers, shape (rows,), int64, on the device.

        """
        for held in (self._keys, self._values):
            for number, old in enumerate(held):
                held[number] = old.index_select(0, rows)
        self.starts = self.starts.index_select(0, rows)
        self._masks = {}


def _rounded_up(columns: int) -> int:
    return -(-columns // ROOM) * ROOM

"""The rows that wait for the model. Requests put them in, in the server's thread; the model's thread takes them out."""

import math
import threading
import time
from collections.abc import Sequence

from showdown.serving.asked import Asked, Row, rows_of
from showdown.serving.batch import chosen
from showdown.serving.limits import Limits

_MOST_RETRY_SECONDS = 60


class Full(Exception):
    """No room for the rows of a request."""

    def __init__(self, retry_seconds: int) -> None:
        super().__init__(f"the queue is full; try again in {retry_seconds} s")
        self.retry_seconds = retry_seconds


class Closed(Exception):
    """The server ends and takes no rows any more."""


class RowQueue:
    """Rows in the order of their arrival."""

    def __init__(self, limits: Limits, *, most_rows: int, pads: bool) -> None:
        """Prepare.

        Args:
            limits: how many rows may wait, how long, and the tokens of a batch.
            most_rows: of a batch.
            pads: whether the model pads rows that are answered together.

        """
        self._limits, self._most_rows, self._pads = limits, most_rows, pads
        self._rows: list[Row] = []
        self._changed = threading.Condition()
        self._closed = False
        self._rate: float | None = None
        """Rows a second that the model answers."""

    def __len__(self) -> int:
        """Return how many rows wait."""
        return len(self._rows)

    def put(self, texts: Sequence[str], tokens: Sequence[int]) -> Asked:
        """Take the rows of a request, all or none of them.

        Args:
            texts: each as the model gets it, at least one.
            tokens: about how many tokens each has.

        Raises:
            Full: where they do not fit behind those that wait.
            Closed: after `close`.

        """
        asked = Asked(len(texts))
        with self._changed:
            if self._closed:
                raise Closed
            if len(self._rows) + len(texts) > self._limits.queue_rows:
                self._leave_out_given_up()
            if len(self._rows) + len(texts) > self._limits.queue_rows:
                raise Full(self._retry_seconds())
            self._rows += rows_of(asked, texts, tokens)
            self._changed.notify()
        return asked

    def take(self) -> list[Row] | None:
        """Wait for rows and return the next batch; None after `close`, once no row is left."""
        with self._changed:
            while not self._is_time():
                if self._closed and not self._rows:
                    return None
                self._changed.wait(self._patience())
            tokens = [row.tokens for row in self._rows]
            places = chosen(
                tokens, most_tokens=self._limits.batch_tokens, most_rows=self._most_rows, pads=self._pads
            )  # fmt: skip
            batch = [self._rows[place] for place in places]
            for place in reversed(places):
                del self._rows[place]
            return batch

    def answered(self, rows: int, seconds: float) -> None:
        """Take note of how fast the model is, by which refused requests are told when to come again."""
        now = rows / max(seconds, 1e-6)
        self._rate = now if self._rate is None else 0.8 * self._rate + 0.2 * now

    def close(self) -> None:
        """Take no more rows; those that wait are still answered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_time(self) -> bool:
        """Return whether a batch goes now: it is full, or its first row has waited long enough."""
        self._leave_out_given_up()
        if not self._rows:
            return False
        if self._closed or len(self._rows) >= self._most_rows:
            return True
        return self._left_seconds() <= 0 or sum(row.tokens for row in self._rows) >= self._limits.batch_tokens

    def _patience(self) -> float | None:
        return self._left_seconds() if self._rows else None

    def _left_seconds(self) -> float:
        return self._rows[0].arrived + self._limits.wait_ms / 1000 - time.monotonic()

    def _leave_out_given_up(self) -> None:
        self._rows = [row for row in self._rows if not row.asked.given_up]

    def _retry_seconds(self) -> int:
        """Return in how many seconds, 1 to 60, the rows that wait will be answered."""
        if self._rate is None:
            return 1
        return max(1, min(_MOST_RETRY_SECONDS, math.ceil(len(self._rows) / self._rate)))

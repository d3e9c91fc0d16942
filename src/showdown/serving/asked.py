"""A request's rows on their way to the model, and their answers on the way back."""

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field


class Unanswered(Exception):
    """Why the model has no answer to a row, as the end of a sentence that begins with the row."""

    def __init__(self, reason: str, *, fault: bool) -> None:
        super().__init__(reason)
        self.fault = fault
        """Whether the model failed; otherwise the row cannot be answered by any model like it."""


class Asked:
    """What one request asks for. The thread of the model fills in the answers, and `future` gets them all at once."""

    def __init__(self, rows: int) -> None:
        """Wait for so many answers."""
        self.future: Future[list[object]] = Future()
        self.given_up = False
        """Whether nobody waits for the answers any more; rows that wait are then left out."""
        self._found: list[object] = [None] * rows
        self._left = rows

    def answer(self, place: int, found: object) -> None:
        """Take the answer to a row, or the `Unanswered` in its place."""
        self._found[place] = found
        self._left -= 1
        if not self._left:
            with contextlib.suppress(InvalidStateError):  # given up meanwhile
                self.future.set_result(self._found)


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """One text or prompt that waits for its answer."""

    asked: Asked = field(repr=False)
    place: int
    """Among the rows of its request."""
    text: str = field(repr=False)
    tokens: int
    """About how many it has."""
    arrived: float
    """By `time.monotonic`."""

    def answer(self, found: object) -> None:
        """Hand the answer to the request, or the `Unanswered` in its place."""
        self.asked.answer(self.place, found)


def rows_of(asked: Asked, texts: Sequence[str], tokens: Sequence[int]) -> list[Row]:
    """Return the rows of a request, which arrive now.

    Args:
        asked: gets the answers.
        texts: each as the model gets it.
        tokens: about how many tokens each has.

    """
    arrived = time.monotonic()
    return [
        Row(asked=asked, place=place, text=text, tokens=count, arrived=arrived)
        for place, (text, count) in enumerate(zip(texts, tokens, strict=True))
    ]

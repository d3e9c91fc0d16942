"""A saved model as a server knows it, whatever its task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """A request that is not answered: one line that names the place and the fix."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.headers = status, reason, headers or {}


class Served(ABC):
    """A model that is ready. `answer` and `warm_up` are for the thread of the model, and the rest for the server's."""

    most_rows: int
    """Of a batch."""
    pads: bool
    """Whether rows that are answered together are padded to the longest of them."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """Return what clients may know of the model, ready for JSON."""

    @abstractmethod
    def tokens(self, text: str) -> int:
        """Return about how many tokens the model reads of a row."""

    @abstractmethod
    def answer(self, texts: Sequence[str]) -> list[object]:
        """Answer each row, or give the `Unanswered` in its place.

        Raises:
            Exception: whatever the model meets.

        """

    @abstractmethod
    def warm_up(self) -> None:
        """Answer a short text of its own."""

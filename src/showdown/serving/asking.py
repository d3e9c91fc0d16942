"""A request waits here for the answers to its rows: with an end in time, and only while its client does."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from showdown.serving.asked import Unanswered
from showdown.serving.limits import Limits
from showdown.serving.queue import Closed, Full, RowQueue
from showdown.serving.served import Refused, Served

if TYPE_CHECKING:
    from fastapi import Request


class Desk:
    """Where requests hand in their rows."""

    def __init__(self, served: Served, queue: RowQueue, limits: Limits) -> None:
        self.served, self.limits, self._queue = served, limits, queue

    async def answers(self, request: "Request", texts: Sequence[str], name: str) -> list[object]:
        """Return the answers to rows, in their order.

        Args:
            request: whose rows they are.
            texts: as the model gets them.
            name: of the rows in messages, such as `texts`.

        Raises:
            Refused: where the queue is full, the server ends, the time is over, or a row cannot be answered.

        """
        try:
            asked = self._queue.put(texts, [self.served.tokens(text) for text in texts])
        except Full as full:
            raise Refused(429, str(full), {"Retry-After": str(full.retry_seconds)}) from full
        except Closed as closed:
            raise Refused(503, "the server ends; ask it again once it is back", {"Retry-After": "5"}) from closed
        found = asyncio.wrap_future(asked.future)
        gone = asyncio.ensure_future(_gone(request))
        try:
            either: set[asyncio.Future[Any]] = {found, gone}
            await asyncio.wait(
                either, timeout=self.limits.timeout_seconds, return_when=asyncio.FIRST_COMPLETED
            )  # fmt: skip
            if not found.done():
                # Nobody reads the answer to a client that is gone.
                raise Refused(504, f"no answer within {self.limits.timeout_seconds:g} s; ask for fewer rows at a time")
            answers = found.result()
        finally:
            asked.given_up = True
            gone.cancel()
            found.cancel()
        for place, one in enumerate(answers):
            if isinstance(one, Unanswered):
                raise Refused(500 if one.fault else 422, f"{name}[{place}] {one}")
        return answers


async def _gone(request: "Request") -> None:
    """Return once the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

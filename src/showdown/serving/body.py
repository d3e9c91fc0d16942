"""The body of a request: its most bytes, and the most seconds that it may take to come."""

import asyncio
from typing import TYPE_CHECKING

from showdown.serving.limits import Limits
from showdown.serving.plain_answer import answer_plainly

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CLOSE = {"Connection": "close"}
"""The rest of a body that is not read would be taken for the next request."""


class BodyLimit:
    """An ASGI application that reads bodies for another, and refuses those that are too large or too slow."""

    def __init__(self, app: "ASGIApp", *, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass the request on with its whole body, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._limits.body_bytes
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        too_large = any(value.isdigit() and int(value) > most for value in lengths)
        body: bytes | None = None
        if not too_large:
            try:
                async with asyncio.timeout(self._limits.timeout_seconds):
                    body = await _read(receive, most)
            except TimeoutError:
                detail = f"the body did not come within {self._limits.timeout_seconds:g} s"
                await answer_plainly(send, 408, detail, _CLOSE)
                return
            except ConnectionError:
                return  # nobody is there any more
        if body is None:
            detail = f"the body is larger than {most:,} bytes; send fewer texts in a request"
            await answer_plainly(send, 413, detail, _CLOSE)
            return
        await self._app(scope, _first(body, receive), send)


async def _read(receive: "Receive", most: int) -> bytes | None:
    """Return a request's whole body; None where it is too large.

    Raises:
        ConnectionError: when the client leaves.

    """
    found = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        found += message.get("body", b"")
        if len(found) > most:
            return None
        if not message.get("more_body", False):
            return bytes(found)


def _first(body: bytes, receive: "Receive") -> "Receive":
    """Return what receives the body that was read, and then what comes."""
    given: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> "Message":
        return given.pop() if given else await receive()

    return received

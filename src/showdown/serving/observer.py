"""Every request is counted, and none ends without an answer."""

import logging
import time
import traceback
from typing import TYPE_CHECKING

from showdown.serving.metrics import Metrics
from showdown.serving.plain_answer import answer_plainly

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger("showdown.serving")
FAILED = "the server failed; its log says where"
_PATHS = frozenset({"/predict", "/health", "/metrics", "/openapi.json", "/docs"})


class Observer:
    """An ASGI application that counts the requests of another, and answers in its place where it fails.

    Its log has the kind of an error and where it was, and no message: that may quote a text.
    """

    def __init__(self, app: "ASGIApp", *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def noted(message: "Message") -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:  # a request has an answer, whatever comes
            frame = traceback.extract_tb(error.__traceback__)[-1]
            _LOG.error("a request failed: %s in %s, line %d", type(error).__name__, frame.filename, frame.lineno)
            if not status:
                await answer_plainly(noted, 500, FAILED)
        finally:
            if status:  # otherwise the client left before an answer
                path = scope["path"] if scope["path"] in _PATHS else "other"
                self._metrics.request(path, status, time.monotonic() - began)

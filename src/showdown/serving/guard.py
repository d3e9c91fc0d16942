"""Who may ask: those who know the token, or programs of this machine that address it by its own name."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from showdown.serving.plain_answer import answer_plainly
from showdown.serving.token import allows

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = frozenset({"/health", "/docs", "/docs/oauth2-redirect", "/openapi.json"})
"""Paths that need no token: whether the server is ready, and how it is to be asked."""
TRUSTED = "showdown.trusted"
"""Key of an ASGI scope: whether the client may know all."""
PAGE_FILES = "/docs/files"
"""Where the files of the page are."""


class Guard:
    """An ASGI application that lets some requests through to another."""

    def __init__(self, app: "ASGIApp", *, token: str | None, hosts: Collection[str]) -> None:
        """Prepare.

        Args:
            app: the other.
            token: needed for all paths that are not open; None for none.
            hosts: what the `Host` header may be where there is no token. Another name comes from another site's page,
                whose name was made to lead to this machine (DNS rebinding).

        """
        self._app, self._token, self._hosts = app, token, frozenset(hosts)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
        if self._token is None:
            hosts = [value for name, value in headers if name == b"host"]
            if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
                await answer_plainly(send, 403, "without a token, this server answers its own machine by its address")
                return
        scope[TRUSTED] = self._token is None or self._knows_it(self._token, headers)
        is_open = scope["path"] in OPEN or scope["path"].startswith(f"{PAGE_FILES}/")
        if not is_open and not scope[TRUSTED]:
            detail = "send the server's token in the header `Authorization: Bearer TOKEN`"
            await answer_plainly(send, 401, detail, {"WWW-Authenticate": "Bearer"})
            return
        await self._app(scope, receive, send)

    @staticmethod
    def _knows_it(token: str, headers: list[tuple[bytes, str]]) -> bool:
        given = [value for name, value in headers if name == b"authorization"]
        return len(given) == 1 and allows(token, given[0])

"""The answer that ends a request before it reaches a route."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Send


async def answer_plainly(send: "Send", status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
    """Send a status with a line that says what is wrong, in FastAPI's form."""
    body = json.dumps({"detail": detail}).encode()
    given = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})

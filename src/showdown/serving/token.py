"""The token that a client must know where others than this machine can ask."""

import hmac
import os
from pathlib import Path

from showdown.core.errors import UserError

VARIABLE = "SHOWDOWN_TOKEN"
_LEAST_CHARACTERS = 16
_MOST_BYTES = 4096


def read_token(file: Path | None) -> str | None:
    """Return the token of a file, else that of the environment variable, else None.

    Args:
        file: which holds the token alone. Secrets are often mounted as links, so that links are followed.

    Raises:
        UserError: for a file that cannot be read, and for a token that is too short or cannot stand in a header.

    """
    if file is None:
        written, place = os.environ.get(VARIABLE), VARIABLE
        if written is None:
            return None
    else:
        place = str(file)
        try:
            with file.open("rb") as opened:
                written = opened.read(_MOST_BYTES).decode("utf-8", errors="replace")
        except OSError as error:
            raise UserError(f"--token-file {file}: {error.strerror}; name a file with the token alone") from error
    token = written.strip()
    if len(token) < _LEAST_CHARACTERS or not (token.isascii() and token.isprintable()) or " " in token:
        raise UserError(
            f"the token in {place} is no word of {_LEAST_CHARACTERS} or more ASCII characters; make one with "
            "`openssl rand -hex 32`"
        )
    return token


def allows(token: str, authorization: str | None) -> bool:
    """Return whether a request's `Authorization` header carries the token. The time says nothing of how much fits."""
    kind, _, given = (authorization or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8"), token.encode("utf-8"))
    return same and kind.lower() == "bearer"

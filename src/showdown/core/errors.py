"""Errors that the user can fix, with messages that say how."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

_CREDENTIALS = re.compile(r"(\b\w+:/{1,2})[^/\s@`']+@")
"""User name and password in a URL. A message must not repeat them."""
_MOST_CHARACTERS = 2000
"""The longest message. The input that it quotes can be of any length."""
_END_CHARACTERS = 500
"""Characters kept from the end of a longer message, which names the fix."""


class UserError(Exception):
    """Bad input: one line that names the place and the fix. The command exits with code 2 and prints no traceback.

    The message may quote input, so line breaks and other control characters are written as escapes.
    """

    def __init__(self, message: str) -> None:
        message = _CREDENTIALS.sub(r"\1***@", message)
        if len(message) > _MOST_CHARACTERS:
            message = f"{message[: _MOST_CHARACTERS - _END_CHARACTERS]} ... {message[-_END_CHARACTERS:]}"
        super().__init__("".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in message))


class Unavailable(Exception):
    """A method cannot run here, because a package, a model or a device is missing. Its row in the table says so."""


def suggestion(wrong: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return ``; did you mean `x`?`` for the known word nearest to ``wrong``, or an empty string.

    Args:
        wrong: the unknown word.
        known: the valid words.
        likeness: the lowest similarity of the two, 0 to 1 (`difflib`'s ratio).

    """
    by_folded = {word.casefold(): word for word in known}
    near = difflib.get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=likeness)
    return f"; did you mean `{by_folded[near[0]]}`?" if near else ""


def nearest_file(wrong: str, known: Iterable[str]) -> str:
    """Return the `suggestion` for a file name. Endings are not compared, because many files share them."""
    stems = {Path(name).stem: name for name in known}
    near = difflib.get_close_matches(Path(wrong).stem.casefold(), {stem.casefold() for stem in stems}, n=1, cutoff=0.6)
    return next((f"; did you mean `{name}`?" for stem, name in stems.items() if stem.casefold() in near), "")


def then(near: str, more: str) -> str:
    """Return ``near``, a suggestion that may be empty, followed by ``more`` with the fitting punctuation."""
    return f"{near} {more}" if near else f"; {more}"

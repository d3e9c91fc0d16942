"""Errors that a person can mend, and the words that help to."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

_SIGNED_IN = re.compile(r"(\b\w+:/{1,2})[^/\s@`']+@")
"""A name and a password in an address, which a message does not repeat."""
_LONGEST = 2000
"""Characters of a message, whatever was typed or lies in a file."""
_END = 500
"""Of these at its end, where the fix is."""


class UserError(Exception):
    """Bad input: one line that names the place and the mend. The command exits with code 2 and prints no traceback.

    What was typed may be in it: line breaks and other control characters are written as escapes.
    """

    def __init__(self, message: str) -> None:
        message = _SIGNED_IN.sub(r"\1***@", message)
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST - _END]} ... {message[-_END:]}"
        super().__init__("".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in message))


class Unavailable(Exception):
    """A method cannot run here (a package, a model or a device is missing): its row stays and says so."""


def suggestion(wrong: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return ``; did you mean `x`?`` for the known word nearest to ``wrong``, or an empty string.

    Args:
        wrong: what was written.
        known: what might have been.
        likeness: how alike the two must be at least, 0 to 1 (`difflib`'s ratio).

    """
    by_folded = {word.casefold(): word for word in known}
    near = difflib.get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=likeness)
    return f"; did you mean `{by_folded[near[0]]}`?" if near else ""


def nearest_file(wrong: str, known: Iterable[str]) -> str:
    """Return `suggestion` for a file, whose name is judged without an ending that many have."""
    stems = {Path(name).stem: name for name in known}
    near = difflib.get_close_matches(Path(wrong).stem.casefold(), {stem.casefold() for stem in stems}, n=1, cutoff=0.6)
    return next((f"; did you mean `{name}`?" for stem, name in stems.items() if stem.casefold() in near), "")


def then(near: str, more: str) -> str:
    """Return what goes on after a suggestion, which is a question, or after a statement where there is none."""
    return f"{near} {more}" if near else f"; {more}"

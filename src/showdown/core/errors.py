"""Errors that a person can mend, and the words that help to."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input: one line that names the place and the mend. The command exits with code 2 and prints no traceback."""


class Unavailable(Exception):
    """A method cannot run here (a package, a model or a device is missing): its row stays and says so."""


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """Return ``; did you mean `x`?`` for the known word nearest to ``wrong``, or an empty string."""
    by_folded = {word.casefold(): word for word in known}
    near = difflib.get_close_matches(wrong.casefold(), by_folded, n=1, cutoff=0.6)
    return f"; did you mean `{by_folded[near[0]]}`?" if near else ""

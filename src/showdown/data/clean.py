"""Cleaning of one text."""

import re
from typing import Literal

Cleaning = Literal["none", "whitespace", "study"]

_SPACES = re.compile(r"\s+")
_STUDY = (
    (_SPACES, " "),
    (re.compile(r"[^\w\s.,]"), ""),
    (re.compile(r"http\S+|www\S+"), ""),
    (re.compile(r"\S+@\S+"), ""),
)
"""The original study's substitutions in its order. The third comes after `:` and `/` are gone, the fourth after `@` is
and therefore never matches: kept, because the study's split files are reproduced only so."""


def clean(text: str, kind: Cleaning) -> str:
    """Return the text as every method sees it; it may be empty.

    Args:
        text: one cell, exactly as it was read.
        kind: `none` changes nothing; `whitespace` makes every run of white space one space and strips; `study` is the
            original study's cleaning (letters, digits, `_`, spaces, `.` and `,` survive).

    """
    if kind == "none":
        return text
    if kind == "whitespace":
        return _SPACES.sub(" ", text).strip()
    for pattern, replacement in _STUDY:
        text = pattern.sub(replacement, text)
    return text.strip()

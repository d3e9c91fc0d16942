"""Cleaning of a text."""

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
"""The original study's substitutions, in its order, which is kept to reproduce the study's split files. The second
removes `:`, `/` and `@` before links (the third) and e-mail addresses (the fourth), so the fourth never matches."""


def clean(text: str, kind: Cleaning) -> str:
    """Return the cleaned text, as every method gets it. It may be empty.

    Args:
        text: one cell, exactly as it was read.
        kind: `none` changes nothing; `whitespace` replaces each run of white space by one space and strips the ends;
            `study` is the original study's cleaning, which keeps letters, digits, `_`, spaces, `.` and `,`.

    """
    if kind == "none":
        return text
    if kind == "whitespace":
        return _SPACES.sub(" ", text).strip()
    for pattern, replacement in _STUDY:
        text = pattern.sub(replacement, text)
    return text.strip()

"""Sentences with code between backticks."""

import re
from collections.abc import Iterator

_CODE = re.compile(r"(?<![^\s(\[])`([^`\s](?:[^`]*[^`\s])?)`(?![^\s)\].,:;])")
"""Between two backticks that stand like quotation marks; others are part of what a user wrote."""


def spans(sentence: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a sentence in their order, and whether each is code, without its backticks."""
    for place, part in enumerate(_CODE.split(sentence)):
        if part:
            yield part, place % 2 == 1

"""What an answer is made of: its words, and its values where it is JSON."""

import json
from collections.abc import Iterator

from showdown.data.wording import normalise, words


def words_of(text: str) -> list[str]:
    """Return the words of a text as they are compared: without case, accents and punctuation."""
    return words(normalise(text))


def json_object(answer: str) -> dict[str, object] | None:
    """Return an answer that is a JSON object; None for any other."""
    if not answer.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def values_in(value: object) -> Iterator[str]:
    """Yield the texts and numbers within a JSON value, at any depth."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from values_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from values_in(inner)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield str(value)

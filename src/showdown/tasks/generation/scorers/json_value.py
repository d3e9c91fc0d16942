"""JSON as an answer: read strictly, and taken apart into its values."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from showdown.tasks.generation.scorers.normal_form import normal_form

MOST_LEVELS = 100
"""An answer that is nested deeper counts as invalid; RFC 8259, section 9, lets a reader set such a limit."""
_FENCE = "```"


class Invalid:
    """What `parsed` returns for a text that is no JSON: JSON's null is None."""


INVALID: Final = Invalid()

Leaf = tuple[str, object]
"""Kind and value: kinds keep true apart from 1, and "12" from 12."""
Path = tuple[str | int, ...]
"""Keys of objects and indices of lists, from the outside to the inside."""


def parsed(text: str) -> Any:
    """Return the JSON value that a whole text is, or `INVALID`.

    White space around it is dropped, and one Markdown code fence (three backticks and a word such as `json` on the
    line before, three backticks behind), because chat models write it and those who use answers remove it.

    Strict as RFC 8259: no NaN or Infinity, nothing behind the value. An object with the same key twice is invalid too,
    since readers disagree about its value. Numbers are `Decimal`, so that none is rounded. Values nested deeper than
    `MOST_LEVELS` are invalid.
    """
    try:
        value = json.loads(
            _without_fence(text),
            parse_int=_number,
            parse_float=_number,
            parse_constant=_refused,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError):
        return INVALID
    return INVALID if _is_deep(value) else value


def leaves(value: object) -> Mapping[Path, Leaf]:
    """Return all values of a JSON value that hold no others, by their paths; nothing for `INVALID`.

    An empty object or list is a value of its own. Strings are in their normal form.
    """
    if isinstance(value, Invalid):
        return {}
    found: dict[Path, Leaf] = {}
    left: list[tuple[Path, object]] = [((), value)]
    while left:
        path, inner = left.pop()
        if isinstance(inner, dict) and inner:
            left += [((*path, key), one) for key, one in inner.items()]
        elif isinstance(inner, list) and inner:
            left += [((*path, place), one) for place, one in enumerate(inner)]
        else:
            found[path] = _leaf(inner)
    return found


def _leaf(value: object) -> Leaf:
    if isinstance(value, str):
        return "string", normal_form(value)
    if isinstance(value, Decimal):
        return "number", value
    return type(value).__name__, value  # true, false and null; an empty object or list


def _without_fence(text: str) -> str:
    text = text.strip()
    opening, line_end, rest = text.partition("\n")
    if not (line_end and opening.startswith(_FENCE) and rest.endswith(_FENCE)) or "`" in opening[len(_FENCE) :]:
        return text
    return rest.removesuffix(_FENCE).strip()


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise ValueError("an exponent of more than 18 digits") from error


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _is_deep(value: object) -> bool:
    """Return whether a value is nested deeper than `MOST_LEVELS`; without recursion."""
    level = [value]
    for _ in range(MOST_LEVELS):
        level = [inner for outer in level for inner in _held(outer)]
    return any(isinstance(one, (dict, list)) for one in level)


def _held(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []

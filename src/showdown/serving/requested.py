"""What every request for answers has in common."""

from collections.abc import Sequence
from typing import TypeVar

from showdown.serving.limits import Limits
from showdown.serving.served import Refused

_T = TypeVar("_T")


def single_or_several(one: _T | None, several: Sequence[_T] | None, names: tuple[str, str], limits: Limits) -> list[_T]:
    """Return what is to be answered.

    Args:
        one: if one was given.
        several: if several were given.
        names: of both keys.
        limits: how many there may be.

    Raises:
        Refused: where not exactly one of the keys was given, or there are too many, or none.

    """
    if (one is None) == (several is None):
        raise Refused(422, f"give either `{names[0]}` or `{names[1]}`")
    if one is not None:
        return [one]
    assert several is not None
    if not several:
        raise Refused(422, f"`{names[1]}` is empty; give at least one")
    if len(several) > limits.rows:
        raise Refused(422, f"`{names[1]}` has {len(several):,} rows; at most {limits.rows:,} are answered in a request")
    return list(several)


def refuse_long(characters: int, place: str, limits: Limits) -> None:
    """Refuse a text with too many characters.

    Raises:
        Refused: for one that is too long.

    """
    if characters > limits.characters:
        raise Refused(422, f"{place} has {characters:,} characters; at most {limits.characters:,} are read")

"""The difference between a wanted answer and a written one: word by word, or of JSON field by field."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any, Literal

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_WORDS = 600
"""Of each text that are compared; what follows is shown as it is. The time grows with the square of their number."""
_ALIKE = 0.25
"""Of the words of the shorter text: where fewer are the same, in the same order, a difference says nothing."""
_MOST_DEEP = 20


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of an answer beside the wanted one."""

    text: str
    kind: Literal["same", "missing", "added"]
    """`missing` stands in the wanted answer alone, `added` in the written one alone."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a JSON object that differs."""

    name: str
    """Its place, such as `customer.name` or `items.0`."""
    wanted: str | None
    """Its value as JSON; None where there is no such field. So for the next."""
    written: str | None


def marked(wanted: str, written: str) -> tuple[Piece, ...]:
    """Return the written answer with what is missing and what was added, in the order of the text.

    Joined, `same` and `added` pieces are the written answer. White space alone is no difference, as for the scores:
    but for white space, `same` and `missing` ones are the wanted answer. Of an answer that has hardly a word in common
    with it, no word is compared: all of it was added.
    """
    ours, theirs = _WORD.findall(wanted), _WORD.findall(written)
    found = list(_pieces(ours[:_MOST_WORDS], theirs[:_MOST_WORDS]))
    if _words(ours) and _words(theirs) and _share_of_words(found, ours, theirs) < _ALIKE:
        return (Piece(text=written, kind="added"),)
    found += [Piece(text="".join(ours[_MOST_WORDS:]), kind="missing")] if len(ours) > _MOST_WORDS else []
    found += [Piece(text="".join(theirs[_MOST_WORDS:]), kind="added")] if len(theirs) > _MOST_WORDS else []
    return tuple(found)


def _pieces(ours: list[str], theirs: list[str]) -> Iterator[Piece]:
    """Yield the pieces, neighbours of one kind joined."""
    for kind, group in groupby(_steps(ours, theirs), key=lambda piece: piece.kind):
        yield Piece(text="".join(piece.text for piece in group), kind=kind)


def _steps(ours: list[str], theirs: list[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, _spaces_alike(ours), _spaces_alike(theirs), autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        missing, written = "".join(ours[start:end]), "".join(theirs[other_start:other_end])
        if kind != "equal" and missing.strip():
            yield Piece(text=missing, kind="missing")
        if written:
            yield Piece(text=written, kind="added" if kind != "equal" and written.strip() else "same")


def _share_of_words(found: Sequence[Piece], ours: Sequence[str], theirs: Sequence[str]) -> float:
    """Return how many words are the same, as a share of those of the shorter text, 0 to 1."""
    same = sum(len(_words(_WORD.findall(piece.text))) for piece in found if piece.kind == "same")
    return same / max(1, min(len(_words(ours)), len(_words(theirs))))


def _words(parts: Sequence[str]) -> list[str]:
    return [part for part in parts if part[0].isalnum()]


def _spaces_alike(words: list[str]) -> list[str]:
    return [" " if word.isspace() else word for word in words]


def differing_fields(wanted: str, written: str) -> tuple[Field, ...] | None:
    """Return the fields in which two JSON objects differ, in the order of the wanted one.

    None where one of the texts is no JSON object.
    """
    ours, theirs = _object(wanted), _object(written)
    if ours is None or theirs is None:
        return None
    names = dict.fromkeys([*ours, *theirs])
    return tuple(
        Field(name=name, wanted=ours.get(name), written=theirs.get(name))
        for name in names
        if ours.get(name) != theirs.get(name)
    )


def _object(text: str) -> dict[str, str] | None:
    """Return the leaves of a JSON object by their places, each as JSON; None for anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return dict(_leaves(found, "")) if isinstance(found, dict) else None


def _leaves(value: Any, place: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if inner and depth < _MOST_DEEP:
        for key, below in inner:
            yield from _leaves(below, f"{place}.{key}" if place else str(key), depth + 1)
    else:
        yield place, json.dumps(value, ensure_ascii=False)

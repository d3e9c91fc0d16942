"""Thousands of records in memory: what pydantic notes of each model beside its values is held once.

Every model keeps the set of its fields that were given. In a run's record, which has some sixty models in it, those
sets take more than half of the memory, and few of them differ.
"""

from collections.abc import Iterator
from typing import TypeVar

from pydantic import BaseModel

_Model = TypeVar("_Model", bound=BaseModel)
_GIVEN = "__pydantic_fields_set__"
_sets: dict[frozenset[str], set[str]] = {}
"""The sets of given fields, each once: as many as there are kinds of models, and ways to leave fields out."""


def compact(model: _Model) -> _Model:
    """Let a frozen model and all models in it share their sets of given fields with others; return it.

    Frozen models never change these sets, and a copy has its own.
    """
    for one in _models(model):
        given = one.__pydantic_fields_set__
        object.__setattr__(one, _GIVEN, _sets.setdefault(frozenset(given), given))
    return model


def _models(value: object) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for inner in vars(value).values():
            yield from _models(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _models(inner)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _models(inner)

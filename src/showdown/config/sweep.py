"""Sweeps: a list where a setting takes one value makes an arm of each value.

`lora: {rank: [4, 16, 64]}` stands for the arms `lora-rank-4`, `lora-rank-16` and `lora-rank-64`. Several lists in one
row make an arm of each combination. A setting that takes a list itself (`targets`, `layers`) is swept by a list that
holds lists: `targets: [all-linear, [q_proj, v_proj]]`. The settings of a row's own `protocol` are swept alike.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from showdown.core.errors import UserError
from showdown.core.spec import RUN_NAME, SharedProtocol
from showdown.methods.table import METHODS, method_and_settings, method_class

MOST_ARMS = 64
"""Of one row. Each is trained with every seed on every partition."""
_PROTOCOL = "protocol"
Place = tuple[str, ...]
"""Of a swept key in its row: its name, behind `protocol` where it is there."""


def swept(rows: Mapping[str, Any], source: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the arms that rows stand for, and of each arm that a sweep made the row that it comes from.

    Args:
        rows: what stands under `methods`, not yet checked: whatever is wrong in it is left to the checks of an arm.
        source: where it was written, for messages.

    Raises:
        UserError: for a list without values, for more than `MOST_ARMS` arms of a row, and for two arms of one name.

    """
    arms: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for row, settings in rows.items():
        for name, one in _arms_of(row, settings, source):
            if name in arms or (name != row and name in rows):
                raise UserError(
                    f"{source}: `methods.{row}` makes two arms named `{name}`; rename a row, or drop a value"
                )
            arms[name] = one
            if one is not settings:
                origins[name] = row
    return arms, origins


def arms_of(row: str, arms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the arms that a sweep of a row made, told by their names: they begin with the row's and a swept key's."""
    found = []
    for arm, settings in arms.items():
        keys = [*method_class(str(settings.get("method", arm))).Settings.model_fields, *SharedProtocol.model_fields]
        if any(arm.startswith(f"{row}-{key}-") for key in keys):
            found.append(arm)
    return found


def _arms_of(row: str, settings: Any, source: str) -> Iterator[tuple[str, Any]]:
    lists = dict(_lists(row, settings))
    if not lists:
        yield row, settings
        return
    count = 1
    for place, values in lists.items():
        count *= len(values)
        if not values:
            raise UserError(f"{source}: `methods.{row}.{'.'.join(place)}`: the list has no values; give one or more")
    if count > MOST_ARMS:
        raise UserError(
            f"{source}: `methods.{row}`: its lists make {count} arms, and {MOST_ARMS} are the most of a row"
        )
    method = str(settings.get("method", row))
    for numbers in itertools.product(*(range(len(values)) for values in lists.values())):
        chosen = {place: values[number] for (place, values), number in zip(lists.items(), numbers, strict=True)}
        yield _name(row, chosen, numbers), {**_with(settings, chosen), "method": method}


def _lists(row: str, settings: Any) -> Iterator[tuple[Place, Sequence[Any]]]:
    """Yield the place and the values of each key that is swept."""
    method = str(settings.get("method", row)) if isinstance(settings, dict) else row
    if not isinstance(settings, dict) or method not in METHODS:
        return
    rest = method_and_settings(row, settings)[1]
    sections: list[tuple[Place, Any, type[BaseModel]]] = [((), rest, method_class(method).Settings)]
    sections.append(((_PROTOCOL,), settings.get(_PROTOCOL), SharedProtocol))
    for place, section, model in sections:
        for key, value in section.items() if isinstance(section, dict) else ():
            field = model.model_fields.get(str(key))
            if field is not None and isinstance(value, list) and _is_sweep(value, field.annotation):
                yield (*place, str(key)), value


def _is_sweep(values: Sequence[Any], annotation: object) -> bool:
    """Return whether a list holds several values of a key, and is not one value itself."""
    return not _takes_a_list(annotation) or any(isinstance(value, list) for value in values)


def _takes_a_list(annotation: object) -> bool:
    return get_origin(annotation) in (list, tuple) or any(map(_takes_a_list, get_args(annotation)))


def _with(settings: Mapping[str, Any], chosen: Mapping[Place, Any]) -> dict[str, Any]:
    """Return the settings of a row with one value for each of its lists."""
    made = dict(settings)
    for place, value in chosen.items():
        if len(place) == 1:
            made[place[0]] = value
        else:
            made[_PROTOCOL] = {**made[_PROTOCOL], place[-1]: value}
    return made


def _name(row: str, chosen: Mapping[Place, Any], numbers: Sequence[int]) -> str:
    """Return the name of an arm: with its values in words, or with their places in the lists where that is too long."""
    words = "-".join([row, *(f"{place[-1]}-{_word(value)}" for place, value in chosen.items())])
    if RUN_NAME.fullmatch(words):
        return words
    return "-".join([row, *(f"{place[-1]}-{number + 1}" for place, number in zip(chosen, numbers, strict=True))])


def _word(value: Any) -> str:
    """Return a value as a part of a name."""
    if isinstance(value, list):
        return "-".join(map(_word, value)) or "none"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:g}".replace("+", "") if isinstance(value, float) else str(value)
    return re.sub(r"[^a-z0-9._-]+", "-", str(value).lower()).strip("-") or "none"

"""Which keys belong to which task: a key of another task is refused, not ignored."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from showdown.core.errors import UserError
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.spec import Comparison, DataSpec, ModelSpec, SharedProtocol
from showdown.core.task_keys import keys_of_others

_INSTEAD = {"data.text": "data.prompt", "data.label": "data.answer"}
"""What a key of classification is called for a task that writes text."""


def refuse_misplaced(comparison: Comparison, source: str) -> None:
    """Refuse keys of another task, and columns that exclude each other.

    Args:
        comparison: what to compare.
        source: where it was written, for messages.

    Raises:
        UserError: for the first of them, with the fix.

    """
    for task, key in _keys_of_others(comparison):
        _refuse_key(comparison.task, task, key, source)
    data = comparison.data
    if data.messages is not None and (data.prompt is not None or data.answer is not None):
        other = "prompt" if data.prompt is not None else "answer"
        raise UserError(
            f"{source}: `data.messages` and `data.{other}` exclude each other, since a chat holds its answer; drop one"
        )
    if comparison.task == GENERATION and data.clean == "study":
        raise UserError(
            f"{source}: `data.clean: study` is for labelled texts: prompts and answers stay as they are; drop it"
        )


def _keys_of_others(comparison: Comparison) -> Iterator[tuple[str, str]]:
    """Yield each key that is set and belongs to another task, with that task."""
    sections: dict[str, tuple[BaseModel, type[BaseModel]]] = {
        "data": (comparison.data, DataSpec),
        "model": (comparison.model, ModelSpec),
        "protocol": (comparison.protocol, SharedProtocol),
    }
    for task, section, name in keys_of_others(comparison.task):
        values, model = sections[section]
        if getattr(values, name) != model.model_fields[name].default:
            yield task, f"{section}.{name}"
    for row, written in comparison.methods.items():
        own: Any = written.get("protocol") or {}
        for task, section, name in keys_of_others(comparison.task):
            if section == "protocol" and name in own:
                yield task, f"methods.{row}.protocol.{name}"


def _refuse_key(task: str, other: str, key: str, source: str) -> None:
    instead = _INSTEAD.get(key)
    if other == CLASSIFICATION:
        fix = f"use `{instead}`, or drop it" if instead else "drop it"
    else:
        fix = f"set `task: {other}`, or drop it"
    raise UserError(f"{source}: `{key}` is for the task {other}, and this one is {task}; {fix}")

"""Guess the task of a data file that is named without a comparison."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from showdown.config.read import override
from showdown.core.errors import UserError
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.spec import DataSpec
from showdown.data.chats.columns import guessed_columns, looks_like_chats
from showdown.data.read import built_in, read_table
from showdown.data.tables import shown

_OF_TASK = {
    CLASSIFICATION: ("data.text", "data.label", "data.labels"),
    GENERATION: ("data.prompt", "data.answer", "data.messages", "data.system"),
}
"""Keys that say what the task is where `task` does not."""


def guessed_task(source: str | None, overrides: Sequence[str]) -> tuple[str, str | None]:
    """Return the task of a data file: the one that is named, or else the one that its columns can be for.

    Classification unless something says otherwise. A data set of the Hub is not opened for this.

    Args:
        source: the data; None where overrides name it.
        overrides: `dotted.key=value` each.

    Returns:
        The task, and a line that says why, where its columns decided.

    """
    keys = {words.partition("=")[0]: words.partition("=")[2] for words in overrides}
    if "task" in keys:
        return keys["task"].strip("\"' "), None
    for task, names in _OF_TASK.items():
        if any(name in keys for name in names):
            return task, None
    source = keys.get("data.source", source)
    if source is None or "data.files" in {key[: len("data.files")] for key in keys}:
        return CLASSIFICATION, None
    shipped = built_in(source)
    if shipped is not None:
        return shipped.task, None
    return _by_columns(source, overrides)


def _by_columns(source: str, overrides: Sequence[str]) -> tuple[str, str | None]:
    """Return what the columns of a local file say; what is wrong with it is said where it is read."""
    written: dict[str, Any] = {"data": {"source": source}}
    try:
        if not Path(source).is_file():
            return CLASSIFICATION, None
        for words in overrides:
            if words.startswith("data."):
                override(written, words)
        table = read_table(DataSpec.model_validate(written["data"]))
        if not looks_like_chats(table):
            return CLASSIFICATION, None
        columns = guessed_columns(table)
    except (UserError, ValidationError, OSError, ValueError):
        return CLASSIFICATION, None
    what = "prompts and answers" if columns is None or columns.messages is None else "chats"
    why = f"task: {GENERATION}, since {shown(source)} looks like {what}; `--task {CLASSIFICATION}` otherwise"
    return GENERATION, why

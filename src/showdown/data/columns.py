"""Choose the text column and the label column of a table."""

import re
from collections.abc import Sequence

from showdown.core.errors import UserError
from showdown.data.tables import Cell, Table, column_list, find_column, shown

TEXT_NAME = re.compile(
    r"texts?|resumes?(_str|_text)?|cv|reviews?(_?text)?|sentences?|content|documents?|doc|body|messages?|sms|description"
    r"|comments?(_text)?|tweets?|utterances?|question|query|headline|abstract|article|post|email|narrative|transcript"
)
LABEL_NAME = re.compile(
    r"labels?(_text|_name)?|(job_)?categor(y|ies)|class(es)?|targets?|sentiment|intents?|topic|genre|tag|department"
)
_CLEARLY_LONGER = 3.0
"""Lowest ratio of the mean cell lengths by which one of two columns is taken for the text."""


def choose_columns(table: Table, text: str | None, label: str | None) -> tuple[int, int, bool]:
    """Return the index of the text column, the index of the label column, and whether either was guessed.

    A column is guessed only when one guess is possible: by its name, as the other one of two columns, or as the text
    column when its cells are at least three times as long and more varied than those of the only other one.

    Raises:
        UserError: for a column that does not exist or that is both text and label, or when no single guess is possible.

    """
    place, names = table.place, table.names
    if len(names) < 2:
        only = column_list(names) or "none"
        raise UserError(f"{place}: only one column ({only}); add a text column and a label column")
    text_index = None if text is None else find_column(place, names, text)
    label_index = None if label is None else find_column(place, names, label)
    if text_index is not None and text_index == label_index:
        raise UserError(f"{place}: column {shown(str(text))} is both `text` and `label`; name two different columns")
    guessed = text_index is None or label_index is None
    if guessed:
        text_index, label_index = _guess(table, text_index, label_index)
    if text_index is None or label_index is None:
        missing = " and ".join(
            f"data.{part}" for part, index in (("text", text_index), ("label", label_index)) if index is None
        )
        raise UserError(f"{place}: cannot guess which column is which; set {missing}; columns: {column_list(names)}")
    return text_index, label_index, guessed


def _guess(table: Table, text: int | None, label: int | None) -> tuple[int | None, int | None]:
    """Return the two indices; None when no single guess is possible."""
    named = [index for index, name in enumerate(table.names) if name.strip()]
    if text is None:
        text = _only([index for index in named if index != label and TEXT_NAME.fullmatch(folded(table.names[index]))])
    if label is None:
        label = _only([index for index in named if index != text and LABEL_NAME.fullmatch(folded(table.names[index]))])
    if len(named) == 2:
        if text is None and label is None:
            text = _clearly_text(table, named)
        if text is None and label is not None:
            text = _only([index for index in named if index != label])
        if label is None and text is not None:
            label = _only([index for index in named if index != text])
    return text, label


def folded(name: str) -> str:
    """Return a column's name in the form that the patterns match."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _only(candidates: Sequence[int]) -> int | None:
    return candidates[0] if len(candidates) == 1 else None


def _clearly_text(table: Table, pair: Sequence[int]) -> int | None:
    """Return the column whose cells are much longer and more varied than those of the other; None if there is none."""
    long, short = sorted(pair, key=lambda index: _mean_length(table.column(index)), reverse=True)
    varied = len(set(table.column(long))) > len(set(table.column(short)))
    longer = _mean_length(table.column(long)) >= _CLEARLY_LONGER * _mean_length(table.column(short))
    return long if varied and longer else None


def _mean_length(cells: Sequence[Cell]) -> float:
    return sum(len(cell) for cell in cells if isinstance(cell, str)) / max(1, len(cells))

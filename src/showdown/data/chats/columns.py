"""Choose the columns of prompts and answers, or the column of whole chats."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec
from showdown.data.chats.messages import is_chat
from showdown.data.columns import LABEL_NAME, TEXT_NAME, folded
from showdown.data.tables import Table, column_list, find_column, shown

PROMPT_NAME = re.compile(
    r"prompts?|questions?|instructions?|inputs?|quer(y|ies)|texts?|documents?|articles?|passages?|contexts?|problems?|notes?"
)
ANSWER_NAME = re.compile(
    r"answers?|outputs?|responses?|completions?|targets?|summar(y|ies)|highlights|repl(y|ies)|solutions?"
)
_CHATS_NAME = re.compile(r"messages?|conversations?|chats?|dialogues?")
_INSTRUCTION, _INPUT = re.compile(r"instructions?"), re.compile(r"inputs?|contexts?")
"""The two columns of a prompt in the form of Alpaca and Dolly: what to do, and with what."""


@dataclass(frozen=True, kw_only=True)
class ChatColumns:
    """The columns of a table that are read: chats, or prompts and answers. Names, as the source has them."""

    messages: str | None = None
    prompt: str | None = None
    answer: str | None = None
    input: str | None = None
    """What stands behind the instruction of a prompt where it is filled, as in Alpaca's data."""
    guessed: bool = False

    @property
    def notice(self) -> str:
        """Return a sentence that names the columns."""
        guessed = " (guessed)" if self.guessed else ""
        if self.messages is not None:
            return f"column of chats: {shown(self.messages)}{guessed}"
        prompt = shown(self.prompt or "")
        if self.input is not None:
            prompt += f" and, where it is filled, {shown(self.input)}"
        return f"prompt column: {prompt}, answer column: {shown(self.answer or '')}{guessed}"


def choose_chat_columns(table: Table, spec: DataSpec) -> ChatColumns:
    """Return the columns that the user names, or that can be guessed because only one guess is possible.

    Raises:
        UserError: for a column that does not exist or has two parts, or where no single guess is possible.

    """
    place, names = table.place, table.names
    for name in filter(None, (spec.messages, spec.prompt, spec.answer)):
        find_column(place, names, name)
    if spec.messages is not None:
        return ChatColumns(messages=spec.messages)
    if spec.prompt is not None and spec.prompt == spec.answer:
        raise UserError(f"{place}: column {shown(spec.prompt)} is both `prompt` and `answer`; name two columns")
    if spec.prompt is not None and spec.answer is not None:
        return ChatColumns(prompt=spec.prompt, answer=spec.answer)
    found = guessed_columns(table, spec.prompt, spec.answer) or _of_two(table, spec.prompt, spec.answer)
    if found is None:
        if len(names) < 2:
            only = column_list(names) or "none"
            raise UserError(
                f"{place}: only one column ({only}), which holds no chats; add a prompt and an answer column"
            )
        missing = " and ".join(f"`data.{key}`" for key in ("prompt", "answer") if getattr(spec, key) is None)
        raise UserError(
            f"{place}: cannot guess which column is which; set {missing}, or `data.messages` for whole chats; columns:"
            f" {column_list(names)}"
        )
    return found


def guessed_columns(table: Table, prompt: str | None = None, answer: str | None = None) -> ChatColumns | None:
    """Return the columns by their names, or a column of chats; None where no single guess is possible.

    Args:
        table: the table.
        prompt: the prompt column, if the user names it.
        answer: the answer column, if the user names it.

    """
    names = [name for name in table.names if name.strip()]
    if prompt is None and answer is None:
        chats = _only([name for name in names if _CHATS_NAME.fullmatch(folded(name)) and _holds_chats(table, name)])
        if chats is not None:
            return ChatColumns(messages=chats, guessed=True)
    answers = [name for name in names if ANSWER_NAME.fullmatch(folded(name)) and name != prompt]
    answer = answer or _only(answers)
    others = [name for name in names if name != answer]
    instruction = _only([name for name in others if _INSTRUCTION.fullmatch(folded(name))])
    more = _only([name for name in others if _INPUT.fullmatch(folded(name))])
    if prompt is None and instruction is not None and more is not None and answer is not None:
        return ChatColumns(prompt=instruction, input=more, answer=answer, guessed=True)
    prompt = prompt or _only([name for name in others if PROMPT_NAME.fullmatch(folded(name))])
    if prompt is None or answer is None:
        return None
    return ChatColumns(prompt=prompt, answer=answer, guessed=True)


def choose_prompt_columns(table: Table, named: str | None, usual: str | None) -> ChatColumns:
    """Return the column of prompts or chats in a table that is to be answered, and needs no answers.

    Args:
        table: the table.
        named: the column that the user names.
        usual: the column of the training data, if it is known; the table may lack it.

    Raises:
        UserError: for a column that does not exist, or where no single guess is possible.

    """
    if named is not None:
        find_column(table.place, table.names, named)
    column = named or (usual if usual in table.names else None)
    names = [name for name in table.names if name.strip()]
    if column is None:
        column = _only([name for name in names if _CHATS_NAME.fullmatch(folded(name)) and _holds_chats(table, name)])
    instruction = _only([name for name in names if _INSTRUCTION.fullmatch(folded(name))])
    more = _only([name for name in names if _INPUT.fullmatch(folded(name))])
    if column is None and instruction is not None and more is not None:
        return ChatColumns(prompt=instruction, input=more, guessed=True)
    likely = [name for name in names if PROMPT_NAME.fullmatch(folded(name))]
    likely = likely or [name for name in names if TEXT_NAME.fullmatch(folded(name))]
    column = column or _only(names) or _only(likely)
    if column is None:
        raise UserError(
            f"{table.place}: cannot tell which column is the prompt; name it with --column; columns: "
            f"{column_list(table.names)}"
        )
    return ChatColumns(messages=column) if _holds_chats(table, column) else ChatColumns(prompt=column)


def looks_like_chats(table: Table) -> bool:
    """Return whether a table can be guessed to be for a task that writes text.

    It holds chats, or has an answer column and a prompt column by their names, and no text and label by theirs.
    """
    found = guessed_columns(table)
    if found is None:
        answer = _only([name for name in table.names if ANSWER_NAME.fullmatch(folded(name))])
        found = None if answer is None else _of_two(table, None, answer)
    return found is not None and (found.messages is not None or not _is_labelled(table))


def _is_labelled(table: Table) -> bool:
    """Return whether a table has one label column by its name, and a text column by its name or as the only other."""
    names = [name for name in table.names if name.strip()]
    label = _only([name for name in names if LABEL_NAME.fullmatch(folded(name))])
    texts = [name for name in names if TEXT_NAME.fullmatch(folded(name)) and name != label]
    return label is not None and (len(texts) == 1 or len(names) == 2)


def _of_two(table: Table, prompt: str | None, answer: str | None) -> ChatColumns | None:
    """Return the columns of a table that has two, one of which is known."""
    names = [name for name in table.names if name.strip()]
    if len(names) != 2:
        return None
    answer = answer or _only([name for name in names if ANSWER_NAME.fullmatch(folded(name)) and name != prompt])
    prompt = prompt or _only([name for name in names if PROMPT_NAME.fullmatch(folded(name)) and name != answer])
    if prompt is None and answer is None:
        return None
    rest = [name for name in names if name not in (prompt, answer)]
    return ChatColumns(prompt=prompt or rest[0], answer=answer or rest[0], guessed=True)


def _holds_chats(table: Table, name: str) -> bool:
    """Return whether the first cell of a column that is filled is a chat."""
    cells = table.column(table.names.index(name))
    return is_chat(next((cell for cell in cells if cell is not None and cell != ""), None))


def _only(candidates: Sequence[str]) -> str | None:
    return candidates[0] if len(candidates) == 1 else None

"""Read prompts and answers from a source. A row without either is an error: no row is left out silently."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from showdown.core.chat import Message, written_prompt
from showdown.core.errors import UserError
from showdown.core.metric import GENERATION
from showdown.core.spec import DataSpec
from showdown.data.chats.columns import ChatColumns, choose_chat_columns
from showdown.data.chats.messages import ChatFault, read_chat, same_line_ends, written_json
from showdown.data.read import built_in, left_out_lines, read_table, refuse_other_task, unwritable
from showdown.data.tables import Cell, LeftOut, Table, Wrong, count, find_column, row_list, shown


@dataclass(frozen=True, kw_only=True)
class RawChats:
    """Prompts with their answers. `prompts`, `answers` and `rows` have one length."""

    place: str
    prompts: tuple[str, ...]
    """Each as `core/chat.py` keeps it."""
    answers: tuple[str, ...]
    rows: tuple[int, ...]
    """1-based data rows; the header does not count."""
    columns: ChatColumns
    header: bool
    """Whether the column names come from the source."""
    left_out: tuple[LeftOut, ...]
    """Blank lines."""
    notices: tuple[str, ...]
    """Messages for the user, one line each."""

    @property
    def rows_in(self) -> int:
        """Number of rows in the source, used or left out."""
        return len(self.rows) + sum(len(part.rows) for part in self.left_out)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One row as it was read: the messages before the answer, and the answer; None where it has none."""

    messages: list[Message]
    answer: str | None
    unused: frozenset[str] = frozenset()


def read_chats(spec: DataSpec, columns: ChatColumns | None = None) -> RawChats:
    """Read `spec.source`: a file, a built-in data set, or a data set of the Hugging Face Hub.

    Args:
        spec: the source, its columns, and the system message of `data.system`.
        columns: the columns to read, in place of those that are named or guessed.

    Raises:
        UserError: for any bad input, such as a row without a prompt or an answer. The message names the row.

    """
    refuse_other_task(spec.source, GENERATION)
    table = read_table(spec)
    columns = columns or _of_built_in(spec) or choose_chat_columns(table, spec)
    rows = list(_rows(table, columns))
    _refuse_empty(table, columns, rows)
    unused = sorted({key for row in rows for key in row.unused})
    said = [f"keys of messages that are not read: {', '.join(map(shown, unused))}"] if unused else []
    return RawChats(
        place=table.place,
        prompts=tuple(written_prompt(with_system(row.messages, spec.system)) for row in rows),
        answers=tuple(row.answer or "" for row in rows),
        rows=table.numbers,
        columns=columns,
        header=table.header,
        left_out=table.left_out,
        notices=(
            *table.notices,
            *([columns.notice] if columns.guessed else []),
            *left_out_lines(table.left_out),
            *said,
        ),
    )


def _of_built_in(spec: DataSpec) -> ChatColumns | None:
    """Return the columns of a built-in data set where the user names none."""
    shipped = built_in(spec.source)
    if shipped is None or spec.prompt or spec.answer or spec.messages:
        return None
    return ChatColumns(prompt=shipped.given, answer=shipped.wanted)


def _rows(table: Table, columns: ChatColumns) -> Iterator[_Row]:
    """Yield all rows of a table.

    Raises:
        UserError: for a cell that is no chat, prompt or answer.

    """
    if columns.messages is not None:
        for number, cell in zip(table.numbers, _cells(table, columns.messages), strict=True):
            with _place(table, number, columns.messages):
                yield _of_chat(cell)
        return
    assert columns.prompt is not None
    assert columns.answer is not None
    prompts, answers = _cells(table, columns.prompt), _cells(table, columns.answer)
    for number, prompt, asked, answer in zip(table.numbers, prompts, _asked(table, columns), answers, strict=True):
        with _place(table, number, columns.answer):
            row = _answered(asked.messages, answer, is_chat=isinstance(prompt, Wrong))
        yield replace(row, unused=row.unused | asked.unused)


def _asked(table: Table, columns: ChatColumns) -> Iterator[_Row]:
    """Yield the prompts of a table, without answers.

    Raises:
        UserError: for a cell that is no prompt.

    """
    assert columns.prompt is not None
    more = [None] * len(table.numbers) if columns.input is None else _cells(table, columns.input)
    for number, prompt, behind in zip(table.numbers, _cells(table, columns.prompt), more, strict=True):
        with _place(table, number, columns.prompt):
            messages, unused = _messages(prompt)
        if columns.input is not None and messages:
            with _place(table, number, columns.input):
                messages = _with_input(messages, _text(behind))
        yield _Row(messages=messages, answer=None, unused=unused)


def read_prompts(table: Table, columns: ChatColumns, system: str | None) -> list[str | None]:
    """Return the prompts of a table that are to be answered, each as `core/chat.py` keeps it; None for an empty cell.

    Args:
        table: the table; it needs no answers.
        columns: the prompts, or chats whose last message is the user's.
        system: stands before each prompt that has no system message.

    Raises:
        UserError: for a cell that is neither. The message names the row.

    """
    if columns.messages is None:
        asked = [row.messages for row in _asked(table, columns)]
    else:
        asked = []
        for number, cell in zip(table.numbers, _cells(table, columns.messages), strict=True):
            with _place(table, number, columns.messages):
                asked.append([] if cell is None or cell == "" else _writable(read_chat(cell).messages))
    for number, messages in zip(table.numbers, asked, strict=True):
        with _place(table, number, columns.messages or columns.prompt or ""):
            refuse_answered(messages)
    return [written_prompt(with_system(messages, system)) if messages else None for messages in asked]


def refuse_answered(messages: Sequence[Message]) -> None:
    """Refuse a chat that asks for no answer.

    Raises:
        ChatFault: where the last message is not the user's.

    """
    if messages and messages[-1].role != "user":
        raise ChatFault("does not end with a user message, which is what is answered; leave out what comes behind it")


def _writable(messages: Sequence[Message]) -> list[Message]:
    _refuse_unwritable(messages)
    return list(messages)


def _cells(table: Table, column: str) -> Sequence[Cell]:
    return table.column(find_column(table.place, table.names, column))


@contextmanager
def _place(table: Table, number: int, column: str) -> Iterator[None]:
    """Name the row and the column of a fault."""
    try:
        yield
    except ChatFault as fault:
        raise UserError(f"{table.place}: row {number}: {shown(column)} {fault}") from fault


def _of_chat(cell: Cell) -> _Row:
    """Return a chat whose last message is the answer."""
    if cell is None or cell == "":
        return _Row(messages=[], answer=None)
    chat = read_chat(cell)
    _refuse_unwritable(chat.messages)
    if not chat.messages or chat.messages[-1].role != "assistant":
        raise ChatFault("does not end with an assistant message, which is the answer; add one, or drop the row")
    if not any(one.role == "user" for one in chat.messages):
        raise ChatFault("has no user message before its answer; add the prompt, or drop the row")
    return _Row(messages=list(chat.messages[:-1]), answer=chat.messages[-1].content, unused=chat.unused)


def _messages(cell: Cell) -> tuple[list[Message], frozenset[str]]:
    """Return the messages of a prompt, none of an empty one, and their keys that are not read."""
    if not isinstance(cell, Wrong):
        text = _text(cell)
        return ([Message(role="user", content=text)] if text.strip() else []), frozenset()
    chat = read_chat(cell)
    _refuse_unwritable(chat.messages)
    if not any(one.role == "user" for one in chat.messages):
        raise ChatFault("has no user message; add the prompt, or drop the row")
    return list(chat.messages), chat.unused


def _with_input(messages: list[Message], behind: str) -> list[Message]:
    """Return a prompt with its input behind the instruction."""
    if not behind.strip():
        return messages
    *before, last = messages
    return [*before, Message(role=last.role, content=f"{last.content}\n\n{behind}")]


def _answered(messages: list[Message], cell: Cell, *, is_chat: bool) -> _Row:
    """Return a prompt with its answer: a text, a nested value as JSON, or where the prompt is a chat, more of it."""
    if not isinstance(cell, Wrong):
        return _Row(messages=messages, answer=_text(cell))
    if is_chat and isinstance(cell.value, list):
        chat = read_chat(cell)
        row = _of_chat(Wrong(what=cell.what, value=[vars(one) for one in (*messages, *chat.messages)]))
        return replace(row, unused=chat.unused)
    answer = same_line_ends(written_json(cell.value))
    _refuse_unwritable([Message(role="assistant", content=answer)])
    return _Row(messages=messages, answer=answer)


def _text(cell: Cell) -> str:
    if isinstance(cell, Wrong):
        raise ChatFault(f"is {cell.what}, not text; write text there, or choose another column")
    _refuse_unwritable([Message(role="user", content=cell or "")])
    return same_line_ends(cell or "")


def _refuse_unwritable(messages: Iterable[Message]) -> None:
    for one in messages:
        fault = unwritable(one.content)
        if fault:
            raise ChatFault(f"contains {fault}; remove it")


def _refuse_empty(table: Table, columns: ChatColumns, rows: Sequence[_Row]) -> None:
    """Refuse rows without a prompt or an answer.

    Raises:
        UserError: naming all of them.

    """
    named = columns.messages
    for part, column, lacking in (
        ("chat" if named else "prompt", named or columns.prompt, [not row.messages for row in rows]),
        ("answer", named or columns.answer, [not (row.answer or "").strip() for row in rows]),
    ):
        numbers = [number for number, lacks in zip(table.numbers, lacking, strict=True) if lacks]
        if numbers:
            verb = "has" if len(numbers) == 1 else "have"
            raise UserError(
                f"{table.place}: {count(len(numbers), 'row')} {verb} no {part} in {shown(column or '')}"
                f" ({row_list(numbers)}); write one, or remove {'it' if len(numbers) == 1 else 'them'}"
            )


def with_system(messages: list[Message], system: str | None) -> list[Message]:
    """Return a chat with a system message before it, unless it has one of its own or there is none to put."""
    if system is None or any(one.role == "system" for one in messages):
        return messages
    return [Message(role="system", content=same_line_ends(system)), *messages]

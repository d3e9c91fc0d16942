"""Rows with more tokens than the protocol allows: refused, left out, or cut, as `data.overlong` says."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from showdown.core.errors import UserError
from showdown.data.rows import Rows
from showdown.data.selection import keep
from showdown.data.tables import count, row_list


class Tokens(Protocol):
    """Tokens of one prompt with its answer."""

    @property
    def whole(self) -> int:
        """Of both."""
        ...

    @property
    def answer(self) -> int:
        """Of the answer alone."""
        ...


class Lengths(Protocol):
    """Counts tokens as one model has them."""

    def of(self, prompt: str, answer: str) -> Tokens:
        """Return the tokens of a prompt with its answer."""
        ...

    def cut(self, prompt: str, answer: str, limit: int) -> str | None:
        """Return the prompt cut to fit; None where it cannot."""
        ...


def fit_rows(
    rows: Rows, lengths: Lengths, limit: int, overlong: Literal["error", "drop", "cut"], *, of_model: bool = False
) -> Rows:
    """Return the rows, none of which has more than ``limit`` tokens with its answer.

    Args:
        rows: prompts with answers.
        lengths: counts and cuts.
        limit: the most tokens of a prompt with its answer.
        overlong: what becomes of longer rows.
        of_model: whether the model, and not `protocol.max_tokens`, sets the limit.

    Raises:
        UserError: for an answer that is longer by itself, for any longer row where `overlong` is `error`, and where no
            row is left.

    """
    tokens = [lengths.of(*pair) for pair in zip(rows.texts, rows.answers, strict=True)]
    long = [index for index, found in enumerate(tokens) if found.whole > limit]
    if not long:
        return rows
    _refuse_long_answers(rows, tokens, limit, of_model=of_model)
    if overlong == "drop":
        return _dropped(rows, long, limit, of_model=of_model)
    if overlong == "cut":
        return _cut(rows, long, lengths, limit, of_model=of_model)
    longest = max(tokens[index].whole for index in long)
    verb = "has" if len(long) == 1 else "have"
    raise UserError(
        f"{rows.place}: {count(len(long), 'row')} {verb} more than {limit:,} tokens, prompt and answer together"
        f" ({_listed(rows, long)}; the longest has {longest:,}); {_raise_or(of_model)}set `data.overlong` to `drop` or"
        " `cut`"
    )


def _dropped(rows: Rows, long: Sequence[int], limit: int, *, of_model: bool) -> Rows:
    gone = set(long)
    kept = [index for index in range(len(rows.texts)) if index not in gone]
    if not kept:
        raise UserError(
            f"{rows.place}: every row has more than {limit:,} tokens, prompt and answer together;"
            f" {_raise_or(of_model)}set `data.overlong: cut`"
        )
    return keep(rows, kept, f"more than {limit:,} tokens, prompt and answer together")


def _cut(rows: Rows, long: Sequence[int], lengths: Lengths, limit: int, *, of_model: bool) -> Rows:
    texts = list(rows.texts)
    for index in long:
        cut = lengths.cut(texts[index], rows.answers[index], limit)
        if cut is None:
            raise UserError(
                f"{rows.place}: row {rows.row_ids[index]} cannot be cut to {limit:,} tokens: its answer and the chat"
                f" template leave its prompt no room; {_raise_or(of_model)}remove the row"
            )
        texts[index] = cut
    notice = (
        f"{count(len(long), 'row')} cut to {limit:,} tokens, prompt and answer together: the longest message before the"
        f" answer lost its end ({_listed(rows, long)})"
    )
    return replace(rows, texts=tuple(texts), notices=(*rows.notices, notice))


def _listed(rows: Rows, places: Sequence[int]) -> str:
    return row_list([rows.row_ids[index] for index in places])


def _refuse_long_answers(rows: Rows, tokens: Sequence[Tokens], limit: int, *, of_model: bool) -> None:
    long = [index for index, found in enumerate(tokens) if found.answer > limit]
    if long:
        more = f" (and {count(len(long) - 1, 'other row')})" if len(long) > 1 else ""
        raise UserError(
            f"{rows.place}: the answer of row {rows.row_ids[long[0]]} has {tokens[long[0]].answer:,} tokens by itself,"
            f" more than {limit:,}{more}, and no answer is ever cut; {_raise(of_model)}shorten the answer, or remove"
            " the row"
        )


def _raise_or(of_model: bool) -> str:
    return _raise(of_model) + ("" if of_model else "or ")


def _raise(of_model: bool) -> str:
    return "the model can take no more: " if of_model else "raise `protocol.max_tokens`, "

"""What the data decide: columns, labels that are too rare, how many tokens are read, whether labels say anything."""

from collections.abc import Sequence

import numpy as np

from showdown.core.errors import UserError
from showdown.core.method import TunedMethod
from showdown.core.metric import GENERATION
from showdown.data.chats.columns import choose_chat_columns
from showdown.data.gather import gather
from showdown.data.read import built_in, read_rows, read_table
from showdown.data.rows import Rows
from showdown.data.split import MIN_GROUPS
from showdown.data.tables import count, shown
from showdown.methods.table import build, method_and_settings
from showdown.models.described import DescribedModel
from showdown.models.folder import FOUR_BITS, quantised_as
from showdown.models.tokens import count_tokens, positions_of, token_limit, tokens_by_words
from showdown.runner.chats import chats_of
from showdown.start.draft import Draft
from showdown.start.look import LIMITS

_WHOLE_SHARE = 0.95
"""Of the labelled texts that are read whole: the last ones are often far longer than all others."""
_MOST_COUNTED = 2_000
"""Texts whose tokens are counted, evenly spaced."""
_SAYS_NOTHING = 2
"""Letters; a label that is no longer, or a number, says nothing of the texts that have it."""


def with_columns(draft: Draft) -> Draft:
    """Return the draft with the columns that were guessed, named.

    Raises:
        UserError: for data that cannot be read, or columns of which no single guess is possible.

    """
    data = draft.comparison.data
    if built_in(data.source) is not None or data.files is not None:
        return draft
    if draft.comparison.task != GENERATION:
        raw = read_rows(data)
        how = "guessed, by their names or lengths" if raw.guessed else "as asked"
        draft = draft.with_data("text", raw.text_column, f"the columns: {how}")
        return draft.with_data("label", raw.label_column, "")
    columns = choose_chat_columns(read_table(data), data)
    if columns.messages is not None:
        return draft.with_data("messages", columns.messages, "whole chats, the last message of which is the answer")
    if columns.input is not None or columns.prompt is None or columns.answer is None:
        return draft  # an instruction with its input: the two columns of a prompt have no keys
    how = "guessed by their names" if columns.guessed else "as asked"
    draft = draft.with_data("prompt", columns.prompt, f"the columns: {how}")
    return draft.with_data("answer", columns.answer, "")


def with_rows(draft: Draft) -> tuple[Draft, Rows]:
    """Return the draft with a rule for labels that are too rare to be split, and the rows.

    Raises:
        UserError: for data that cannot be used.

    """
    comparison = draft.comparison
    rows = gather(comparison.data, comparison.protocol.split.seed, comparison.task)
    rare = _rare_labels(rows)
    if not rare or comparison.data.rare_labels != "error" or comparison.data.files is not None:
        return draft, rows
    named = ", ".join(shown(label) for label in rare[:3]) + (" and others" if rare[3:] else "")
    why = (
        f"{count(len(rare), 'label')} with fewer than {MIN_GROUPS} different texts ({named}) cannot be on all sides of"
        " a split: their rows are left out; `merge` makes one label of them"
    )
    draft = draft.with_data("rare_labels", "drop", why)
    return draft, gather(draft.comparison.data, comparison.protocol.split.seed, comparison.task)


def _rare_labels(rows: Rows) -> list[str]:
    texts: dict[str, set[int]] = {}
    for label, group in zip(rows.label_of_rows, rows.duplicate_groups, strict=True):
        texts.setdefault(label, set()).add(group)
    return sorted(label for label, groups in texts.items() if len(groups) < MIN_GROUPS) if rows.labels else []


def with_methods(draft: Draft, rows: Rows, described: DescribedModel) -> Draft:
    """Return the draft without methods that cannot work with these labels, this model, or what is installed here."""
    labels = rows.labels
    silent = bool(labels) and all(map(_says_nothing, labels))
    kind = quantised_as(described.written)
    for row, written in list(draft.comparison.methods.items()):
        method = build(*method_and_settings(row, written))
        reason = method.unsupported_reason()
        if kind is not None and isinstance(method, TunedMethod) and not (kind == FOUR_BITS and method.options.four_bit):
            reason = f"the weights of this model are quantised already ({kind})"
        if silent and method.traits.role == "prompted":
            reason = f"labels such as {shown(labels[0])} say nothing to a model that was not trained on them"
        if reason:
            draft = draft.without(row, reason)
    if not draft.comparison.methods:
        raise UserError(
            f"no method can work here: {'; '.join(f'{name}: {why}' for name, why in draft.left_out.items())}"
        )
    return draft


def _says_nothing(label: str) -> bool:
    return len(label.strip()) <= _SAYS_NOTHING or label.strip().replace(".", "", 1).lstrip("+-").isdigit()


def with_max_tokens(draft: Draft, rows: Rows, described: DescribedModel) -> Draft:
    """Return the draft with the number of tokens that these rows need, and no more: time grows with it."""
    default = draft.comparison.protocol.max_tokens
    if draft.comparison.task == GENERATION:
        return _for_answers(draft, rows, described)
    room = _room(described, default)
    tokens = np.array(_text_tokens(rows.texts, described))
    wanted = _smallest(float(np.quantile(tokens, _WHOLE_SHARE)), room)
    whole = float((tokens <= wanted).mean())
    cut = 1 - float(np.minimum(tokens, wanted).sum() / max(1, tokens.sum()))
    why = (
        f"{_share(whole)} of the texts are read whole; the others lose their ends, {_share(cut)} of all tokens"
        if whole < 1
        else f"every text is read whole: the longest has {int(tokens.max()):,} tokens"
    )
    return draft.with_protocol("max_tokens", wanted, why)


def _for_answers(draft: Draft, rows: Rows, described: DescribedModel) -> Draft:
    """Leave room for prompts with their answers, none of which is ever cut; those that cannot fit are left out."""
    chats = chats_of(draft.comparison, described)
    assert chats is not None
    tokens = np.array([chats.lengths.of(*pair).whole for pair in zip(rows.texts, rows.answers, strict=True)])
    room = _room(described, LIMITS[-1])
    wanted = _smallest(float(tokens.max()), room)
    longest = int(tokens.max())
    if longest <= wanted:
        return draft.with_protocol("max_tokens", wanted, f"the longest prompt with its answer has {longest:,} tokens")
    beyond = int((tokens > wanted).sum())
    draft = draft.with_protocol("max_tokens", wanted, "as much as the model can take, or a usual machine")
    why = (
        f"{count(beyond, 'prompt')} with their answers have more tokens, up to {longest:,}, and are left out;"
        " `cut` shortens the prompt"
    )
    return draft.with_data("overlong", "drop", why)


def _room(described: DescribedModel, most: int) -> int:
    if described.tokenizer is None:
        return min(most, positions_of(described.config) or most)
    return token_limit(described.tokenizer, described.config, most)


def _text_tokens(texts: Sequence[str], described: DescribedModel) -> Sequence[int]:
    some = texts[:: -(-len(texts) // _MOST_COUNTED)]
    if described.tokenizer is None:
        return [int(tokens_by_words(text)) for text in some]
    return count_tokens(described.tokenizer, some)


def _smallest(tokens: float, room: int) -> int:
    """Return the smallest limit that holds so many tokens, or what the model can take."""
    return min(room, next((limit for limit in LIMITS if limit >= tokens), LIMITS[-1]))


def _share(part: float) -> str:
    return f"{100 * part:.0f} %" if part >= 0.01 or part == 0 else "under 1 %"

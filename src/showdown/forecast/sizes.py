"""From the rows of a comparison to the sizes that a forecast is made for."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from showdown.core.examples import Examples
from showdown.core.spec import Comparison
from showdown.data.prepare import Prepared
from showdown.forecast.workload import RowSizes, Workload
from showdown.methods.table import protocol_of
from showdown.models.described import DescribedModel
from showdown.models.tokens import TOKENS_A_WORD, tokens_by_words
from showdown.stages.row_sizes import sizes_of
from showdown.tasks.table import task_named

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COUNTED_ROWS = 2_000
"""Of a side: of more rows the longest and evenly spaced others are counted, and the others stand for the rest."""
_LONGEST_ROWS = 64
BY_WORDS = (
    f"tokens: estimated, {TOKENS_A_WORD:g} a word, since the model's tokenizer is not there; put its files beside "
    "config.json for a better forecast"
)


def workload_of(comparison: Comparison, prepared: Prepared, model: DescribedModel) -> tuple[Workload, list[str]]:
    """Return what a comparison's forecast is made for, and a line on each thing that was estimated.

    Args:
        comparison: with seeds and tuning chosen.
        prepared: its rows; the first partition stands for all.
        model: its configuration, and its tokenizer if it has one.

    Raises:
        UserError: for a chat template that cannot lay out the rows, or a tokenizer that cannot be read.

    """
    sizes = {
        side: _sizes(
            comparison, prepared.side(side), model, "answers" if side == "test" else comparison.protocol.loss_on
        )
        for side in ("train", "validation", "test")
    }
    found = Workload(
        comparison=comparison,
        config=model.config,
        labels=prepared.labels,
        train=sizes["train"],
        validation=sizes["validation"],
        test=sizes["test"],
        partitions=len(prepared.partitions),
        answer_tokens=[] if prepared.labels else [read for _, read in sizes["test"]],
        stored_bytes_per_weight=model.stored_bytes_per_weight,
    )
    return found, [] if model.tokenizer is not None else [BY_WORDS]


def _sizes(comparison: Comparison, rows: Examples, model: DescribedModel, loss_on: str) -> RowSizes:
    """Return the sizes of rows, cut where the arm that reads most cuts them."""
    from showdown.models.tokens import positions_of, token_limit

    protocols = [protocol_of(comparison.protocol, written) for written in comparison.methods.values()]
    most = max(protocol.max_tokens for protocol in protocols)
    tokenizer = model.tokenizer
    if tokenizer is None:
        return _by_words(rows, min(most, positions_of(model.config) or most))
    limit = token_limit(tokenizer, model.config, most)
    places, others = counted_places(rows)
    found = _counted(comparison, rows, places, tokenizer, limit=limit, loss_on=loss_on)
    spread = found[len(places) - others :]
    left = len(rows.row_ids) - len(places)
    return [*found, *(spread[place % len(spread)] for place in range(left))]


def counted_places(rows: Examples) -> tuple[list[int], int]:
    """Return which rows are counted, and how many of them, at the end, stand for those that are not."""
    number = len(rows.row_ids)
    if number <= COUNTED_ROWS:
        return list(range(number)), number
    letters = [len(text) for text in rows.texts]
    if rows.answers:
        letters = [one + len(answer) for one, answer in zip(letters, rows.answers, strict=True)]
    longest = sorted(range(number), key=lambda place: -letters[place])[:_LONGEST_ROWS]
    rest = sorted(set(range(number)) - set(longest))
    wanted = COUNTED_ROWS - _LONGEST_ROWS
    spaced = [rest[place * len(rest) // wanted] for place in range(wanted)]
    return [*longest, *spaced], wanted


def _counted(
    comparison: Comparison,
    rows: Examples,
    places: Sequence[int],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    limit: int,
    loss_on: str,
) -> RowSizes:
    some = Examples(
        **{
            field.name: tuple(values[place] for place in places) if (values := getattr(rows, field.name)) else ()
            for field in fields(Examples)
        }
    )
    protocol = protocol_of(comparison.protocol, {"protocol": {"loss_on": loss_on}})
    return sizes_of(task_named(comparison.task).encode(tokenizer, some, limit, protocol))


def _by_words(rows: Examples, limit: int) -> RowSizes:
    if not rows.answers:
        return [(min(limit, int(tokens_by_words(text))), 1) for text in rows.texts]
    return [
        (min(limit, int(tokens_by_words(f"{prompt} {answer}"))), min(limit, int(tokens_by_words(answer))))
        for prompt, answer in zip(rows.texts, rows.answers, strict=True)
    ]

"""The audit of a comparison's data alone, without any run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError
from showdown.core.files import prepare_to_write
from showdown.core.notebook import html_list
from showdown.core.spec import Comparison
from showdown.core.split import SplitSpec
from showdown.data.audit import audit_rows, findings, lines
from showdown.data.divide import divide, given
from showdown.data.gather import gather
from showdown.data.inspection import DeepAudit, deep_audit, deep_findings, deep_lines
from showdown.data.listing import write_listing
from showdown.data.rows import Rows
from showdown.data.split import Partition
from showdown.models.chat_template import with_chat_template
from showdown.models.described import DescribedModel
from showdown.models.tokens import count_tokens, load_tokenizer
from showdown.runner.chats import chats_of


@dataclass(frozen=True, kw_only=True)
class Audited:
    """The findings of an audit."""

    lines: tuple[str, ...]
    """For a terminal, a line each."""
    findings: tuple[str, ...]
    """What is wrong with the data, a line each; empty for clean data."""
    facts: dict[str, Any]
    """The same for machines: JSON values, row numbers and labels, no text."""
    listed_rows: int
    """Rows in the listing."""

    def __repr__(self) -> str:
        """Return the lines; everything is in the fields."""
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        return html_list("Audit", self.lines)


def audit(comparison: Comparison, listing: Path | None = None) -> Audited:
    """Audit a comparison's data: copies, leaks, rows to look at first, lengths, rare labels.

    Args:
        comparison: whose data, split and model's tokenizer are used.
        listing: a CSV to write, with a line for each row and finding.

    Raises:
        UserError: for data that cannot be read.

    """
    if listing:
        prepare_to_write(listing)
    rows = gather(comparison.data, comparison.protocol.split.seed, comparison.task)
    partitions: list[Partition] = []
    unsplittable: list[str] = []
    try:
        partitions = divide(rows, comparison.data, comparison.protocol.split)
    except UserError as error:
        unsplittable = [str(error)]
        partitions = _as_given(rows, comparison.protocol.split)
    quick = audit_rows(rows, comparison.protocol.split, partitions, allow_leakage=comparison.data.allow_leakage)
    deep = _deep(comparison, rows, partitions)
    return Audited(
        lines=(*rows.notices, *lines(quick), *unsplittable, *deep_lines(deep)),
        findings=(*findings(quick), *unsplittable, *deep_findings(deep)),
        facts={"audit": quick.model_dump(mode="json"), "inspection": deep.model_dump(mode="json")},
        listed_rows=write_listing(listing, rows, quick, deep, partitions) if listing else 0,
    )


def _deep(comparison: Comparison, rows: Rows, partitions: Sequence[Partition]) -> DeepAudit:
    model = with_chat_template(comparison.model)
    described = DescribedModel.of(model)
    chats = chats_of(comparison, described)
    if chats is not None:
        return chats.inspect(rows)
    tokenizer = described.tokenizer or load_tokenizer(described.place)
    return deep_audit(
        rows,
        partitions,
        count_tokens=lambda texts: count_tokens(tokenizer, texts),
        max_tokens=comparison.protocol.max_tokens,
    )


def _as_given(rows: Rows, split: SplitSpec) -> list[Partition]:
    """Return the sides of given files for their audit, with the copies across them; none where no files are given."""
    if not {"train", "test"} <= set(rows.sides):
        return []
    try:
        return [given(rows, split, allow_leakage=True)]
    except UserError:
        return []

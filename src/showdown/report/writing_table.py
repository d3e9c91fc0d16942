"""What writing the answers cost: how much each method wrote, how fast, and how long a prompt waited."""

from collections.abc import Callable

from showdown.report.columns import amount
from showdown.report.small_table import SmallTable
from showdown.verdict.model import ArmVerdict, Verdict

_COLUMNS: tuple[tuple[str, Callable[[ArmVerdict], float | None]], ...] = (
    ("Tokens written", lambda row: row.writing.tokens_written if row.writing else None),
    ("Tokens an answer", lambda row: row.writing.tokens_an_answer if row.writing else None),
    ("Answers cut", lambda row: row.writing.cut_answers if row.writing else None),
    ("Tokens/s", lambda row: row.writing.tokens_per_second if row.writing else None),
    ("First token ms", lambda row: row.writing.first_token_p50_ms if row.writing else None),
    ("First token ms, p95", lambda row: row.writing.first_token_p95_ms if row.writing else None),
    ("Whole answer ms, p95", lambda row: row.latency_ms),
)
_WHOLE = frozenset({"Tokens written", "Answers cut"})
"""Columns of counts."""


def writing_table(verdict: Verdict) -> SmallTable | None:
    """Return a row for each arm whose model wrote answers; None where there is none, as for labels."""
    rows = [row for row in verdict.rows if row.writing and row.writing.tokens_per_second]
    if not rows:
        return None
    limits = sorted({row.writing.max_new_tokens for row in rows if row.writing and row.writing.max_new_tokens})
    limit = f", {' or '.join(map(str, limits))} tokens" if limits else ""
    return SmallTable(
        headings=["Method", *(heading for heading, _ in _COLUMNS)],
        rows=[[row.name, *(_cell(heading, value(row)) for heading, value in _COLUMNS)] for row in rows],
        notes=[
            "Tokens written: for all test prompts, the token that ends each answer included; the mean over a row's "
            f"runs. Answers cut: those of all runs that had not ended at the limit{limit}.",
            "Tokens/s: over all test prompts, in batches. First token and whole answer: from the call for one prompt "
            "alone to the first and to the last token; the median of a few calls, or p95, their 95th percentile, which "
            "is near the slowest of them.",
        ],
    )


def _cell(heading: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if heading in _WHOLE else amount(value)

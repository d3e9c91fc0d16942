"""What is measured of an arm that writes answers, beside its scores: what it cost elsewhere, and how fast it writes."""

from collections.abc import Sequence
from statistics import fmean, stdev

from showdown.core.record import RunRecord
from showdown.core.strict import Strict


class Forgetting(Strict):
    """What fine-tuning changed beside the task, over the completed runs of an arm."""

    general_loss_rise: float
    """Mean rise of the loss on general text, in nats a token."""
    general_loss_rise_spread: float | None
    """Standard deviation of a run; None with one run. So for the other spread."""
    prompt_kl: float
    """Mean divergence of the next-token distribution on the task's prompts, KL(before || after), in nats a token."""
    prompt_kl_spread: float | None
    runs: int
    """Those that measured it."""


class WritingCost(Strict):
    """What the completed runs of an arm wrote for the test prompts, and how fast; means over runs."""

    tokens_written: float
    """By one run, for its test prompts together."""
    tokens_an_answer: float
    tokens_per_second: float | None
    """None where nothing is generated. So for the next two."""
    first_token_p50_ms: float | None
    """From a batch's call to its first token, median."""
    first_token_p95_ms: float | None
    max_new_tokens: int | None
    """The most tokens that one answer could have."""
    cut_answers: int
    """Answers of all runs together that did not end by themselves before this limit."""
    answers: int
    """All answers of these runs."""


def forgetting_of(runs: Sequence[RunRecord]) -> Forgetting | None:
    """Return what the completed runs of an arm cost elsewhere; None where it was not measured."""
    found = [run.elsewhere for run in runs if run.elsewhere]
    if not found:
        return None
    rises, divergences = [one.general_loss_rise for one in found], [one.prompt_kl for one in found]
    return Forgetting(
        general_loss_rise=fmean(rises),
        general_loss_rise_spread=_spread(rises),
        prompt_kl=fmean(divergences),
        prompt_kl_spread=_spread(divergences),
        runs=len(found),
    )


def writing_of(runs: Sequence[RunRecord]) -> WritingCost | None:
    """Return what the completed runs of an arm wrote; None for an arm that wrote nothing."""
    found = [(run.writing, run.predictions_rows or 0) for run in runs if run.writing]
    if not found:
        return None
    every = [writing for writing, _ in found]
    return WritingCost(
        tokens_written=fmean(one.tokens_written for one in every),
        tokens_an_answer=sum(one.tokens_written for one in every) / max(1, sum(rows for _, rows in found)),
        tokens_per_second=_mean([one.tokens_per_second for one in every]),
        first_token_p50_ms=_mean([one.first_token_p50_ms for one in every]),
        first_token_p95_ms=_mean([one.first_token_p95_ms for one in every]),
        max_new_tokens=max((one.max_new_tokens for one in every if one.max_new_tokens is not None), default=None),
        cut_answers=sum(one.cut_answers for one in every),
        answers=sum(rows for _, rows in found),
    )


def _spread(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None

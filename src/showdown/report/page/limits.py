"""The section in which limits are moved: every choice that they can lead to."""

import shlex
from typing import Any

from showdown.core.metric import ACCURACY
from showdown.core.prices import EXAMPLE_CURRENCY
from showdown.report.figures.points import has_known_currency
from showdown.verdict.decisions import Decisions, decisions, fit_on_page
from showdown.verdict.margin import with_margin
from showdown.verdict.model import Verdict
from showdown.verdict.summary import candidates

_MARGINS = (0.5, 1.0, 2.0, 3.0, 5.0)
"""Points that can be chosen on the page, beside the margin of the verdict."""
_LABELS = {
    "max_memory_gb": ("At most this memory", "GB"),
    "max_cost": ("At most this cost of one model", ""),
    "min_f1_macro": ("At least this macro F1", ""),
    "max_latency_ms": ("At most this latency", "ms"),
    "max_general_loss_rise": ("At most this rise of the loss on general text", "nats"),
}
_WHOLE_ANSWER = ("At most this latency of a whole answer", "ms")


def choices(verdict: Verdict) -> Decisions | None:
    """Compute the choices at the margin of the verdict and at other usual ones; None for too many arms."""
    if not fit_on_page(candidates(verdict.rows, ())):
        return None
    margins = sorted({*_MARGINS, verdict.margin_points})
    metric = verdict.ranking_metric
    rows = [candidates(verdict.rows, with_margin(verdict.pairs, margin / 100), metric) for margin in margins]
    return decisions(dict(zip(margins, rows, strict=True)), margin=verdict.margin_points, metric=metric)


def limits(found: Decisions, verdict: Verdict) -> dict[str, Any]:
    """Return the choices as the page's script reads them, with the words of the section."""
    text = found.model_dump()
    by = "" if verdict.metric == ACCURACY.key else f" --metric {shlex.quote(verdict.metric)}"
    text["command"] = f"showdown recommend OUT{by}"
    currency = EXAMPLE_CURRENCY if has_known_currency(verdict.rows) else ""
    labels = {**_LABELS, "max_cost": (_LABELS["max_cost"][0], currency)}
    if verdict.ranking_metric.is_of_writing:
        labels["max_latency_ms"] = _WHOLE_ANSWER
    for criterion in text["criteria"]:
        criterion["label"], criterion["unit"] = labels[criterion["limit"]]
        if not criterion["least"]:
            continue
        criterion["stops"] = sorted(criterion["stops"], reverse=True)
    return text


def margin_words(found: Decisions, verdict: Verdict) -> list[str]:
    """Return the margins that can be chosen, in words."""
    return [verdict.ranking_metric.margin(margin / 100) for margin in found.margins]

"""The models that were exported, each form scored on the test rows beside the trained model that it comes of."""

from collections.abc import Sequence
from pathlib import Path

from showdown.core.exported import ExportRecord, ScoreRange, read_exports
from showdown.core.metric import Metric
from showdown.core.own_metric import metric_with
from showdown.core.record import BUSY_OTHERS_SHARE, Results
from showdown.report.columns import INTERVAL, amount
from showdown.report.pairs import p_shown
from showdown.report.small_table import SmallTable

TITLE = "Exported forms"


def exported_forms(results: Results, folder: Path) -> SmallTable | None:
    """Return a row for each model that was exported from a comparison; None where none was.

    Args:
        results: the comparison.
        folder: its folder.

    """
    records = read_exports(results, folder)
    return exports_table(results, records) if records else None


def exports_table(results: Results, records: Sequence[ExportRecord]) -> SmallTable:
    """Return a row for each exported form.

    Args:
        results: the comparison.
        records: of its exports, at least one.

    """
    metrics = [metric_with(one.metric, results.own_score) for one in records]
    title = metrics[0].heading if len({one.key for one in metrics}) == 1 else "Score"
    headings = ["Row", "Form", title, INTERVAL, "As trained", "Lost", "Won", "Other answers", "McNemar p"]
    headings += ["Size MB", "Latency ms", "Trained, ms", "Rows/s"]
    return SmallTable(
        headings=headings,
        rows=[_cells(one, metric) for one, metric in zip(records, metrics, strict=True)],
        notes=_notes(records),
        words=2,
    )


def _cells(one: ExportRecord, metric: Metric) -> list[str]:
    return [
        one.arm,
        one.form,
        metric.cell(one.score.value),
        _interval(one.score, metric),
        metric.cell(one.trained_score.value),
        f"{one.lost:g}",
        f"{one.won:g}",
        str(one.changed),
        "-" if one.mcnemar_p is None else p_shown(one.mcnemar_p),
        amount(one.speed.size_mb),
        amount(one.speed.latency_p50_ms),
        amount(one.trained_speed.latency_p50_ms),
        amount(one.speed.rows_per_second),
    ]


def _interval(score: ScoreRange, metric: Metric) -> str:
    return "-" if score.low is None or score.high is None else metric.short_ends(score.low, score.high)


def _notes(records: Sequence[ExportRecord]) -> list[str]:
    writes = any(one.mcnemar_p is None for one in records)
    lost = (
        "on which the trained model's answer scores better than the export's"
        if writes
        else "that the trained model answers rightly and the export wrongly"
    )
    notes = [
        "Each form was opened from its files and answered the test rows of the run that it comes of, whose model is "
        f"the best of its row's. Lost: test rows {lost}; won: the other way round.",
        "Size: without tokenizer; that of an adapter is without its base. Latency: of one text, the median, of the "
        "export and of the trained model in the same call on the same machine. Rows/s: at the export's best batch.",
    ]
    notes += [_logits(one) for one in records if one.most_logit_difference is not None]
    busy = [one for one in records if (one.speed_others_share or 0.0) >= BUSY_OTHERS_SHARE]
    if busy:
        shares = max(one.speed_others_share or 0.0 for one in busy)
        notes.append(
            f"Other processes used up to {100 * shares:.0f} % of the processors while {_listed(busy)} "
            f"{'was' if len(busy) == 1 else 'were'} timed: latencies may be too high."
        )
    return notes


def _logits(one: ExportRecord) -> str:
    assert one.most_logit_difference is not None
    return (
        f"Logits of {one.arm} as {one.form} differ from torch's by at most {one.most_logit_difference:.2g} "
        f"({one.compared_rows:,} test rows)."
    )


def _listed(records: Sequence[ExportRecord]) -> str:
    return ", ".join(f"{one.arm} as {one.form}" for one in records)

"""Build a tracker's entry from a run's files, by an allow-list of settings, curves and scores.

An entry holds no label, text, prompt, answer, path, error message or note: labels are part of the data, and the others
may quote it. Of what a method was told in words, such as instructions to try, it holds nothing either.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from showdown.core.curve import read_curve
from showdown.core.record import RunRecord
from showdown.core.samples import read_samples
from showdown.trackers.tracker import Entry, Plain, Series, Table
from showdown.verdict.model import ArmVerdict, Interval, Score, Verdict

SUMMARY = "summary"
MOST_POINTS = 1000
"""The most points of a series. A longer one is thinned evenly to bound the tracker's time."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")
_SCORES = (
    "accuracy",
    "f1_macro",
    "f1_weighted",
    "precision_weighted",
    "recall_weighted",
    "validation_f1_macro",
    "train_rows",
    "train_seconds",
    "total_seconds",
    "tuning_seconds",
    "trainable_parameters",
    "total_parameters",
    "model_size_mb",
    "rows_per_second",
    "latency_p50_ms",
    "latency_p95_ms",
)
_TEXTS = frozenset({"instruction", "instructions", "template", "system", "prompt", "chat_template", "scorer"})
"""Settings in the user's own words: they may be a single word, which would pass for a name."""
_PAIRS = ("peak_memory_allocated_gb", "peak_memory_reserved_gb", "peak_memory_device_gb", "energy_kwh")
"""Scores with one value for training and one for the whole run."""


def entry_of(record: RunRecord, output: Path) -> Entry:
    """Return the entry of a finished run.

    Args:
        record: the run's record.
        output: the comparison's folder, which holds the record's files.

    """
    curves = _curves(output / record.curve_file) if record.curve_file else []
    system = _system(output / record.system_file) if record.system_file else []
    fraction = "" if record.spec.train_fraction == 1.0 else f"-rows{100 * record.spec.train_fraction:g}"
    return Entry(
        key=record.run_id,
        name=f"{record.name}-s{record.seed}-p{record.partition}{fraction}",
        status=record.status,
        began_unix_seconds=_began(record, output),
        config=_config(record),
        series=[series for series in (*curves, *system) if series.rows],
        scores=_scores(record),
    )


def summary_of(verdict: Verdict, records: Sequence[RunRecord], output: Path) -> Entry:
    """Return the entry of the comparison's table."""
    columns = list(_table_row(verdict.rows[0], verdict)) if verdict.rows else []
    return Entry(
        key=SUMMARY,
        name=SUMMARY,
        status="completed" if all(record.status == "completed" for record in records) else "incomplete",
        began_unix_seconds=min((_began(record, output) for record in records), default=0.0),
        config={"rows": len(verdict.rows), "runs": len(records)},
        scores={
            f"{row.name}/{name}": value
            for row in verdict.rows
            for name, value in _table_row(row, verdict).items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        },
        table=Table(columns=columns, rows=[list(_table_row(row, verdict).values()) for row in verdict.rows]),
    )


def _table_row(row: ArmVerdict, verdict: Verdict) -> dict[str, Plain]:
    writes = verdict.ranking_metric.is_of_writing
    return {
        "row": row.name,
        "method": row.method,
        **(_written_row(row, verdict) if writes else _labelled_row(row)),
        "train_seconds": row.train_seconds,
        "memory_gb": row.memory_gb,
        "model_size_mb": row.model_size_mb,
        "latency_ms": row.latency_ms,
        "rows_per_second": row.rows_per_second,
        "cost": row.cost.model if row.cost else None,
    }


def _labelled_row(row: ArmVerdict) -> dict[str, Plain]:
    return {**_with_ends("accuracy", row.accuracy), **_with_ends("f1_macro", row.f1_macro)}


def _written_row(row: ArmVerdict, verdict: Verdict) -> dict[str, Plain]:
    """Return the metric of the verdict with its interval, all other scores, what was lost elsewhere, and speed."""
    metric, lost, wrote = verdict.ranking_metric, row.forgetting, row.writing
    keys = dict.fromkeys(key for one in verdict.rows for key in one.scores if key != metric.key)
    return {
        **_with_ends(metric.key, row.score),
        **{key: row.scores.get(key) for key in keys},
        "general_loss_rise": lost.general_loss_rise if lost else None,
        "prompt_kl": lost.prompt_kl if lost else None,
        "tokens_per_second": wrote.tokens_per_second if wrote else None,
        "first_token_p50_ms": wrote.first_token_p50_ms if wrote else None,
    }


def _with_ends(key: str, score: Interval | Score | None) -> dict[str, Plain]:
    return {
        key: score.value if score else None,
        f"{key}_low": score.low if score else None,
        f"{key}_high": score.high if score else None,
    }


def _began(record: RunRecord, output: Path) -> float:
    """Return the approximate start of a run, in Unix seconds: the record, written at the end, minus the duration."""
    path = output / "runs" / record.run_id / "result.json"
    ended = path.stat().st_mtime if path.exists() else 0.0
    return round(max(0.0, ended - (record.total_seconds or 0.0)), 3)


def _config(record: RunRecord) -> dict[str, Plain]:
    spec = record.spec
    found = {
        "method": spec.method,
        "row": spec.name,
        "seed": spec.seed,
        "partition": spec.partition,
        "train_fraction": spec.train_fraction,
        "labels": len(record.labels),
        "data_fingerprint": spec.data_fingerprint[:16],
        "model": spec.model.model_dump(),
        "settings": spec.settings,
        "protocol": spec.protocol.model_dump(mode="json"),
        "chosen": record.chosen,
    }
    return dict(_leaves(found, ""))


def _leaves(value: object, key: str) -> Iterator[tuple[str, Plain]]:
    """Yield the numbers, booleans and names of nested settings. Any other text is left out."""
    if isinstance(value, Mapping):
        for inner, below in value.items():
            if inner in _TEXTS:
                continue
            yield from _leaves(below, f"{key}.{inner}" if key else str(inner))
    elif isinstance(value, (list, tuple)):
        named = [_plain(item, key) for item in value]
        if named and None not in named:
            yield key, ",".join(map(str, named))
    elif (plain := _plain(value, key)) is not None:
        yield key, plain


def _plain(value: object, key: str) -> Plain:
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if not isinstance(value, str):
        return None
    if key in ("model.id", "settings.model"):
        return value if _HUB_NAME.fullmatch(value) else _name(Path(value).name)
    return _name(value)


def _name(value: str) -> str | None:
    return value if _NAME.fullmatch(value) else None


def _scores(record: RunRecord) -> dict[str, float]:
    found: dict[str, float] = {name: getattr(record, name) for name in _SCORES if getattr(record, name) is not None}
    for name in _PAIRS:
        pair = getattr(record, name)
        stem, _, unit = name.rpartition("_")
        for part in ("training", "run"):
            if pair is not None and getattr(pair, part) is not None:
                found[f"{stem}_{part}_{unit}"] = getattr(pair, part)
    found |= _written_scores(record)
    for phase in record.phases:
        found[f"phase_{phase.name.replace(' ', '_')}_seconds"] = phase.seconds
    return found


def _written_scores(record: RunRecord) -> dict[str, float]:
    """Return the numbers of a run that wrote answers: scores, what it wrote and how fast, what it lost elsewhere."""
    if record.writing is None:
        return {}
    found = {**record.scores, **{f"validation_{key}": value for key, value in record.validation_scores.items()}}
    numbers = record.writing.model_dump(exclude={"own_score"})
    if record.elsewhere:
        numbers |= {**record.elsewhere.model_dump(), "general_loss_rise": record.elsewhere.general_loss_rise}
    return found | {key: float(value) for key, value in numbers.items() if value is not None}


def _curves(path: Path) -> list[Series]:
    written = read_curve(path)
    if written is None:
        return []
    training = written["training"]
    rows = [dict(zip(training, values, strict=True)) for values in zip(*training.values(), strict=True)]
    return [
        Series(name="training", axis="step", rows=_known(_thinned(rows))),
        Series(name="validation", axis="step", rows=_known(written["validation"])),
    ]


def _system(path: Path) -> list[Series]:
    rows = [sample.model_dump(exclude={"phase"}) for sample in read_samples(path)]
    return [Series(name="system", axis="seconds", rows=_known(_thinned(rows)))]


def _thinned(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return at most `MOST_POINTS` rows, with the first and the last."""
    if len(rows) <= MOST_POINTS:
        return list(rows)
    return [rows[round(point * (len(rows) - 1) / (MOST_POINTS - 1))] for point in range(MOST_POINTS)]


def _known(rows: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    return [{key: float(value) for key, value in row.items() if value is not None} for row in rows]

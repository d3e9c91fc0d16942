"""A run's record as named cells, the same columns for every run of a comparison.

What is nested becomes a column for each leaf: `peak_memory_device_gb.run` is `peak_memory_device_run_gb`, the phase
`start of scoring` gives `phase_start_of_scoring_seconds` and its peaks. Scores by label and the confusion matrix are
tables of their own and stay in `results.json`.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from showdown.core.record import Results, RunRecord

Cell = str | int | float | bool | None
_UNITS = ("_gb", "_mb", "_ms", "_kwh", "_seconds", "_rows")
_ELSEWHERE = frozenset({"per_class", "confusion_matrix", "labels"})
_SPEEDS = ("one_text", "best_batch")
_INSTEAD = {
    "scores": "score",
    "validation_scores": "validation_score",
    "spec_settings": "setting",
    "spec_protocol": "protocol",
    "spec_model": "model",
    "spec_memory": "memory_plan",
    "environment_versions": "version",
}
"""Shorter beginnings of names."""
_TOO_LARGE = 2**63
_LEFT_OUT = frozenset(
    {
        "spec_name",
        "spec_method",
        "spec_seed",
        "spec_partition",
        "traits_color",
        "traits_citation",
        "traits_citation_key",
        "traits_citation_text",
        "memory_plan",
        "writing_own_score",
        "spec_scorer_digest",
    }
)
"""Columns that repeat another one, that only figures and papers need, or that are several where there is a value."""


def flat_columns(results: Results) -> dict[str, list[Cell]]:
    """Return the cells of all runs by column, in the order of the table; None where a run has no such thing.

    A column holds one type: numbers, truth values, or text, in which what is neither is written as JSON.
    """
    columns: dict[str, list[Cell]] = {"comparison": [results.name] * len(results.runs)}
    for field in RunRecord.model_fields:
        found = [dict(_field(run, field)) for run in results.runs]
        for name in dict.fromkeys(name for leaves in found for name in leaves):
            columns[name] = _one_type([leaves.get(name) for leaves in found])
    return columns


def _field(run: RunRecord, field: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of one field of a record with their columns' names."""
    value = run.model_dump(mode="json", include={field})[field]
    if field == "phases":
        for phase in value:
            yield from _leaves(phase, f"phase_{_slug(phase.pop('name'))}")
    elif field == "prediction_speeds":
        for speed, which in zip(value, _SPEEDS, strict=False):
            yield from _leaves(speed, which)
    elif field not in _ELSEWHERE and not (value is None and _is_nested(field)):
        yield from ((name, leaf) for name, leaf in _leaves(value, field) if name not in _LEFT_OUT)


def _is_nested(field: str) -> bool:
    """Return whether a field holds a model, which becomes several columns."""
    kinds = get_args(RunRecord.model_fields[field].annotation)
    return any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)


def _leaves(value: object, prefix: str) -> Iterator[tuple[str, Any]]:
    prefix = _INSTEAD.get(prefix, prefix)
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, _joined(prefix, _slug(key)))
    else:
        yield prefix, value


def _joined(prefix: str, key: str) -> str:
    """Join two parts of a name; a unit at the end of the first goes to the end of both."""
    unit = next((unit for unit in _UNITS if prefix.endswith(unit)), "")
    return f"{prefix.removesuffix(unit)}_{key}{unit}"


def _slug(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_").lower()


def _is_number(value: Any) -> bool:
    """Return whether a column of numbers can hold it; Parquet has no larger integers."""
    if isinstance(value, int):
        return not isinstance(value, bool) and abs(value) < _TOO_LARGE
    return isinstance(value, float)


def _one_type(values: Sequence[Any]) -> list[Cell]:
    known = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in known):
        return list(values)
    if all(_is_number(value) for value in known):
        whole = all(isinstance(value, int) for value in known)
        return [value if value is None or whole else float(value) for value in values]
    return [
        value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values
    ]

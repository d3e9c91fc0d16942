"""Finished runs with other settings in the same folder: named, and shown until those of today are finished."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from showdown.core.record import RunRecord
from showdown.core.spec import RunSpec
from showdown.data.tables import count
from showdown.runner.store import Store, read_record

_SHOWN = 3
_LONGEST = 40
"""Most letters of a value that are shown."""


def earlier_runs(store: Store, specs: Sequence[RunSpec]) -> list[RunRecord]:
    """Return the completed runs of the folder that are none of these, the newest first."""
    current = {spec.run_id for spec in specs}
    files = [path for path in store.runs_folder.glob("*/result.json") if path.parent.name not in current]
    files.sort(key=_changed, reverse=True)
    records = [read_record(path) for path in files]
    return [record for record in records if record is not None and record.status == "completed"]


def stand_in(spec: RunSpec, earlier: Sequence[RunRecord]) -> RunRecord | None:
    """Return the newest finished run of the same row, seed and rows, with a note of how its settings differ."""
    for record in earlier:
        if _part(record.spec) == _part(spec):
            note = f"finished with other settings ({setting_differences(record.spec, spec)}); the new ones have not run"
            return record.model_copy(update={"notes": [*record.notes, note]})
    return None


def earlier_line(earlier: Sequence[RunRecord], specs: Sequence[RunSpec], folder: Path) -> str:
    """Say which finished runs have no part in this comparison: those of other settings, and those of other arms.

    Args:
        earlier: what `earlier_runs` returned, one run or more.
        specs: the runs of this comparison.
        folder: of all runs.

    """
    names = {spec.name for spec in specs}
    of_other_arms = [run for run in earlier if run.name not in names]
    of_other_settings = [run for run in earlier if run.name in names]
    lines = [_other_settings_line(of_other_settings, specs, folder)] if of_other_settings else []
    if of_other_arms:
        verb = "is" if len(of_other_arms) == 1 else "are"
        rows = ", ".join(dict.fromkeys(run.name for run in of_other_arms))
        lines.append(
            f"{count(len(of_other_arms), 'finished run')} of {rows} {verb} kept in {folder}, and not in the table:"
            " this comparison has no such row"
        )
    return ". ".join(lines)


def _other_settings_line(earlier: Sequence[RunRecord], specs: Sequence[RunSpec], folder: Path) -> str:
    """Say how the settings of finished runs differ, as for the first of them."""
    now = {_part(spec): spec for spec in specs}
    changed = next(((run.spec, now[_part(run.spec)]) for run in earlier if _part(run.spec) in now), None)
    why = setting_differences(*changed) if changed else "other data, rows or seeds"
    verb = "is" if len(earlier) == 1 else "are"
    return (
        f"{count(len(earlier), 'finished run')} in {folder} {verb} of other settings ({why}); kept there, and not"
        " in the table once its own runs are finished. Set the old value to have them again, or give another --output"
    )


def setting_differences(old: RunSpec, new: RunSpec) -> str:
    """Return which settings differ, as `protocol.epochs 3, now 5`."""
    before, after = dict(_leaves(_settings(old), "")), dict(_leaves(_settings(new), ""))
    keys = [key for key in {**after, **before} if before.get(key) != after.get(key)]
    shown = [f"{key} {_told(before, key)}, now {_told(after, key)}" for key in keys[:_SHOWN]]
    more = [f"{len(keys) - _SHOWN} more"] if len(keys) > _SHOWN else []
    return "; ".join([*shown, *more]) or "of another version"


def _told(values: Mapping[str, object], key: str) -> str:
    """Return a value on one line; a long one, such as a chat template, is shortened."""
    line = " ".join(str(values.get(key, "unset")).split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."


def _settings(spec: RunSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", include={"method", "settings", "model", "protocol", "scorer_digest"})


def _part(spec: RunSpec) -> tuple[object, ...]:
    """Return what identifies a run beside its settings."""
    return (spec.name, spec.seed, spec.partition, spec.train_fraction, spec.data_fingerprint)


def _leaves(value: object, prefix: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0

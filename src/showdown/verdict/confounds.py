"""What differs between two rows beyond the method, found from the records."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from showdown.core.record import RunRecord
from showdown.core.spec import Strict
from showdown.verdict.spread import STEADY_METHODS

Kind = Literal["protocol", "model", "data", "runs", "engine", "software", "hardware", "measurement", "own setting"]

_HARDWARE = ("platform", "cpu", "cpu_threads", "memory_gb", "gpu", "gpu_memory_gb", "driver")
_FINDINGS = frozenset({"epoch"})
"""What the engine notes among its choices but found by training: a result, not a cause."""
_OF_TRAINING = frozenset(
    {
        "epochs",
        "effective_batch_rows",
        "micro_batch_rows",
        "memory",
        "match_memory",
        "moments_on_host",
        "weight_rounding",
        "warmup_fraction",
        "warmup_steps",
        "weight_decay",
        "max_gradient_norm",
        "select_epoch",
        "checkpoint_every_steps",
        "tuning",
    }
)
"""Keys of the protocol that a method without a training loop does not have."""
_TUNED = "learning_rate"
"""What tuning finds and the engine notes: it stands for the setting of that name."""


class Confound(Strict):
    """One thing that is not alike in all rows."""

    kind: Kind
    key: str
    """Dotted name, such as `effective_batch_rows` or `versions.torch`."""
    values: dict[str, list[str]]
    """By row of the table, the values that its runs had, sorted; rows that know no such thing are left out."""


def confounds(rows: Mapping[str, Sequence[RunRecord]]) -> list[Confound]:
    """List everything but the method that differs between rows, or between the runs of one row.

    A setting that only one method knows is part of the method. One that several know (a learning rate, a rank) is
    listed as `own setting`: it may be meant, and it must be said.

    Args:
        rows: completed runs by row of the table.

    """
    seen: dict[tuple[Kind, str], dict[str, set[str]]] = {}
    for name, runs in rows.items():
        for run in runs:
            for kind, key, value in _facts(run):
                seen.setdefault((kind, key), {}).setdefault(name, set()).add(value)
        seeds = ", ".join(str(seed) for seed in sorted({run.seed for run in runs}))
        partitions = ", ".join(str(partition) for partition in sorted({run.partition for run in runs}))
        seen.setdefault(("runs", "seeds"), {}).setdefault(name, set()).add(seeds)
        seen.setdefault(("runs", "partitions"), {}).setdefault(name, set()).add(partitions)
    return [
        Confound(kind=kind, key=key, values={name: sorted(values) for name, values in by_row.items()})
        for (kind, key), by_row in seen.items()
        if len(set.union(*by_row.values())) > 1
    ]


def between(found: Sequence[Confound], first: str, second: str) -> list[Confound]:
    """Return the confounds of two rows alone."""
    pairs = [
        item.model_copy(update={"values": {name: item.values[name] for name in (first, second)}})
        for item in found
        if first in item.values and second in item.values
    ]
    return [item for item in pairs if len({value for values in item.values.values() for value in values}) > 1]


def _facts(run: RunRecord) -> Iterator[tuple[Kind, str, str]]:
    spec = run.spec
    sources: list[tuple[Kind, Any]] = [
        ("protocol", spec.protocol.model_dump(mode="json", exclude=_protocol_without(run.method))),
        ("model", spec.model.model_dump(mode="json")),
        ("data", {"fingerprint": spec.data_fingerprint, "allow_leakage": run.allow_leakage}),
        ("engine", {key: value for key, value in run.chosen.items() if key not in _FINDINGS | {_TUNED}}),
        ("measurement", {"memory_kind": run.memory_kind} if run.memory_kind else {}),
        ("own setting", {**spec.settings, **{key: run.chosen[key] for key in (_TUNED,) if key in run.chosen}}),
    ]
    if run.environment is not None:
        place = run.environment.model_dump(mode="json")
        sources.append(("software", {"versions": place["versions"], "commit": place["commit"]}))
        sources.append(("hardware", {key: place[key] for key in _HARDWARE}))
    for kind, value in sources:
        for key, leaf in _leaves(value, ""):
            yield kind, key, leaf


def _protocol_without(method: str) -> set[str]:
    return set(_OF_TRAINING) if method in STEADY_METHODS else set()


def _leaves(value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, "none" if value is None or value == {} else str(value)

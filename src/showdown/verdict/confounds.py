"""What differs between arms beyond the method, found from the records."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from showdown.core.record import RunRecord
from showdown.core.spec import TRAINING_KEYS
from showdown.core.strict import Strict

Kind = Literal["protocol", "model", "data", "runs", "engine", "software", "hardware", "measurement", "own setting"]

_HARDWARE = ("platform", "cpu", "cpu_threads", "memory_gb", "gpu", "gpu_memory_gb", "driver")
_FINDINGS = frozenset({"epoch"})
"""What the engine notes among its choices but found by training: a result, not a cause."""
_TUNED = "learning_rate"
"""What tuning finds and the engine notes: it stands for the setting of that name."""

_ABSENT = "none"
_OWN_NETWORK = "model"
"""Setting by which an arm names a pretrained network of its own."""


class Confound(Strict):
    """A setting or a fact that is not the same in all arms."""

    kind: Kind
    key: str
    """Dotted name, such as `effective_batch_rows` or `versions.torch`."""
    values: dict[str, list[str]]
    """By arm, the values that its runs had, sorted; arms that have no such setting are left out."""


def confounds(rows: Mapping[str, Sequence[RunRecord]], *, longest_tokens: int | None = None) -> list[Confound]:
    """List everything but the method that differs between arms, or between the runs of one arm.

    A setting that only one method knows is part of the method. One that several know (a learning rate, a rank) is
    listed as `own setting`: it may be intended, and a reader must know it.

    Args:
        rows: completed runs by arm.
        longest_tokens: of the longest text; None where it was not counted, and texts are then taken to be read whole.

    """
    seen: dict[tuple[Kind, str], dict[str, set[str]]] = {}
    for name, runs in rows.items():
        for run in runs:
            for kind, key, value in (*_facts(run), *_text_read(run, longest_tokens)):
                seen.setdefault((kind, key), {}).setdefault(name, set()).add(value)
        seeds = ", ".join(str(seed) for seed in sorted({run.seed for run in runs}))
        seen.setdefault(("runs", "seeds"), {}).setdefault(name, set()).add(seeds)
        seen.setdefault(("runs", "partitions"), {}).setdefault(name, set()).add(_partitions(runs))
    _fill_absent(seen)
    return [
        Confound(kind=kind, key=key, values={name: sorted(values) for name, values in by_row.items()})
        for (kind, key), by_row in seen.items()
        if len(set.union(*by_row.values())) > 1
    ]


def _partitions(runs: Sequence[RunRecord]) -> str:
    """Return the folds or repeats of an arm's runs; seed by seed where they differ between seeds."""
    of_seed: dict[int, set[int]] = {}
    for run in runs:
        of_seed.setdefault(run.seed, set()).add(run.partition)
    content = {seed: ", ".join(str(one) for one in sorted(found)) for seed, found in sorted(of_seed.items())}
    if len(set(content.values())) == 1:
        return next(iter(content.values()))
    return "; ".join(f"{found} of seed {seed}" for seed, found in content.items())


def _fill_absent(seen: Mapping[tuple[Kind, str], dict[str, set[str]]]) -> None:
    """Add `none` for each setting of a group, such as `tuning`, to an arm that has none of the group."""
    for (kind, key), by_row in seen.items():
        group = key.rpartition(".")[0]
        for name, values in seen.get((kind, group), {}).items():
            if _ABSENT in values:
                by_row.setdefault(name, set()).add(_ABSENT)


def _text_read(run: RunRecord, longest_tokens: int | None) -> Iterator[tuple[Kind, str, str]]:
    """Yield how much of a text the method reads, where a method that counts tokens cuts the longest text."""
    if longest_tokens is None or run.traits.reads == "nothing":
        return
    limit = int(run.chosen.get("max_tokens") or run.spec.protocol.max_tokens)
    whole = run.traits.reads == "words" or limit >= longest_tokens
    yield "data", "part of each text that is read", "whole" if whole else f"first {limit} tokens"


def between(found: Sequence[Confound], first: str, second: str) -> list[Confound]:
    """Return the confounds between two arms."""
    pairs = [
        item.model_copy(update={"values": {name: item.values[name] for name in (first, second)}})
        for item in found
        if first in item.values and second in item.values
    ]
    return [item for item in pairs if len({value for values in item.values.values() for value in values}) > 1]


def _facts(run: RunRecord) -> Iterator[tuple[Kind, str, str]]:
    spec = run.spec
    sources: list[tuple[Kind, Any]] = [
        ("protocol", spec.protocol.model_dump(mode="json", exclude=_unused_keys(run))),
        ("model", _network(run)),
        ("data", {"fingerprint": spec.data_fingerprint, "allow_leakage": run.allow_leakage}),
        ("engine", {key: value for key, value in run.chosen.items() if key not in _FINDINGS | {_TUNED}}),
        ("measurement", {"memory_kind": run.memory_kind} if run.memory_kind else {}),
        ("own setting", {**_settings(run), **{key: run.chosen[key] for key in (_TUNED,) if key in run.chosen}}),
    ]
    if run.environment is not None:
        place = run.environment.model_dump(mode="json")
        sources.append(("software", {"versions": place["versions"], "commit": place["commit"]}))
        sources.append(("hardware", {key: place[key] for key in _HARDWARE}))
    for kind, value in sources:
        for key, leaf in _leaves(value, "") if value else ():
            yield kind, key, leaf


def network_of(run: RunRecord) -> str | None:
    """Return the identity of the pretrained network that a run starts from; None where it starts from none."""
    found = _network(run)
    return json.dumps(found, sort_keys=True) if found else None


def _network(run: RunRecord) -> dict[str, Any]:
    """Return the pretrained network that a run starts from: the comparison's, the arm's own, or none."""
    if run.traits.reads != "tokens":
        return {}
    own = run.spec.settings.get(_OWN_NETWORK)
    return {"id": own} if own else run.spec.model.model_dump(mode="json")


def _settings(run: RunRecord) -> dict[str, Any]:
    return {key: value for key, value in run.spec.settings.items() if key != _OWN_NETWORK}


def _unused_keys(run: RunRecord) -> set[str]:
    """Return the keys of the protocol that a run's method does not use."""
    return set() if run.traits.role == "fine-tuned" else set(TRAINING_KEYS)


def _leaves(value: object, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, _ABSENT if value is None or value == {} else str(value)

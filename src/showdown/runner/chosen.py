"""What `auto` stood for in a comparison's folder: it stays, so that one more row leaves finished runs as they are.

How many seeds are affordable depends on how many rows train a network. Chosen anew, the seeds of all rows could change
with one row more.
"""

import hashlib
import json
from typing import Literal

from showdown.core.files import read_file, write_json
from showdown.core.metric import AUTO
from showdown.core.spec import Comparison, ModelSpec, Seed, TuningSpec
from showdown.core.strict import Strict
from showdown.runner.auto_settings import trained_rows
from showdown.runner.store import Store


class _Chosen(Strict):
    """The content of `chosen.json`."""

    of: str
    """What it was chosen for: SHA-256 of all that the choice depends on, but for the rows of the table."""
    auto: list[Literal["seeds", "tuning"]]
    """What was `auto`; `showdown run FOLDER` reads it as that again."""
    decided: bool
    """Whether a row trained a network; otherwise nothing depended on the choice, and it is made anew."""
    seeds: list[Seed]
    tuning: TuningSpec | None


def with_chosen(
    comparison: Comparison, fingerprint: str, model: ModelSpec, store: Store
) -> tuple[Comparison, list[str]]:
    """Put what `auto` stood for before in its place, where nothing but the rows of the table has changed.

    Args:
        comparison: as it was requested.
        fingerprint: of its data.
        model: its model, pinned.
        store: its folder.

    Returns:
        The comparison, and a line for each value that was kept.

    """
    found = _read(store)
    if found is None or not found.decided or found.of != _basis(comparison, fingerprint, model):
        return comparison, []
    said = []
    if comparison.seeds == AUTO and "seeds" in found.auto:
        comparison = comparison.model_copy(update={"seeds": found.seeds})
        said.append(f"seeds: {len(found.seeds)}, as before in this folder")
    if comparison.protocol.tuning == AUTO and "tuning" in found.auto:
        tuning = found.tuning
        protocol = comparison.protocol.model_copy(update={"tuning": tuning})
        comparison = comparison.model_copy(update={"protocol": protocol})
        trials = f"searched, {tuning.trials} trials a run" if tuning else "not searched"
        said.append(f"learning rates: {trials}, as before in this folder")
    return comparison, said


def keep_chosen(requested: Comparison, settled: Comparison, fingerprint: str, model: ModelSpec, store: Store) -> None:
    """Write what was chosen for `auto`, where the comparison asks for it.

    Args:
        requested: the comparison with `auto`.
        settled: the same with what was chosen.
        fingerprint: of its data.
        model: its model, pinned.
        store: its folder, which is locked.

    """
    auto: list[Literal["seeds", "tuning"]] = ["seeds"] if requested.seeds == AUTO else []
    auto += ["tuning"] if requested.protocol.tuning == AUTO else []
    if not auto:
        store.chosen_file.unlink(missing_ok=True)
        return
    assert isinstance(settled.seeds, list)
    searched = settled.protocol.tuning
    basis, before = _basis(requested, fingerprint, model), _read(store)
    found = _Chosen(
        of=basis,
        auto=auto,
        decided=trained_rows(settled) > 0 or (before is not None and before.decided and before.of == basis),
        seeds=settled.seeds,
        tuning=searched if isinstance(searched, TuningSpec) else None,
    )
    write_json(store.chosen_file, found.model_dump(mode="json"))


def _read(store: Store) -> _Chosen | None:
    try:
        return _Chosen.model_validate_json(read_file(store.chosen_file))
    except (OSError, ValueError):
        return None


def _basis(comparison: Comparison, fingerprint: str, model: ModelSpec) -> str:
    protocol = comparison.protocol.model_dump(mode="json", exclude={"tuning", "metric"})
    basis = [fingerprint, model.model_dump(mode="json"), protocol, comparison.learning_curve]
    return hashlib.sha256(json.dumps(basis, sort_keys=True).encode()).hexdigest()

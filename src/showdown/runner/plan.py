"""From a comparison to its runs, in the order of the table."""

from collections.abc import Sequence

from showdown.core.spec import Comparison, ModelSpec, RunSpec
from showdown.core.strict import identity_of
from showdown.methods.table import build, method_and_settings, method_class, protocol_of
from showdown.runner.prepared import Ready


def plan(ready: Ready, model: ModelSpec) -> list[RunSpec]:
    """Return one run for each row, seed and partition, then those on parts of the training rows, the largest first.

    A method that seeds do not touch still runs once a seed: that its scores agree is then seen, not assumed.

    Args:
        ready: what was asked for, its seeds and its tuning settled, and how its rows are divided.
        model: its model, pinned.

    """
    comparison = ready.comparison
    return [
        RunSpec(
            name=row,
            method=method,
            settings=identity_of(build(method, settings).settings),
            model=model,
            protocol=protocol_of(comparison.protocol, written).model_copy(update={"split": ready.split}),
            seed=seed,
            partition=partition,
            train_fraction=fraction,
            data_fingerprint=ready.fingerprint,
            task=comparison.task,
            needs=method_class(method).needs(),
        )
        for fraction in sorted(comparison.learning_curve, reverse=True)
        for row, written in comparison.methods.items()
        for method, settings in [method_and_settings(row, written)]
        if fraction == 1.0 or method_class(method).learns
        for seed in _seeds(comparison)
        for partition in range(ready.partitions)
    ]


def _seeds(comparison: Comparison) -> list[int]:
    assert isinstance(comparison.seeds, list)
    return comparison.seeds


def refuse_unusable_model(specs: Sequence[RunSpec], labels: Sequence[str]) -> None:
    """Refuse a comparison whose model a method cannot use, before anything is trained.

    Raises:
        UserError: naming the methods that can.

    """
    from showdown.models.usable import refuse_unusable
    from showdown.stages.artifact import job_of

    refuse_unusable(job_of(specs[0], tuple(labels)), {spec.name: build(spec.method, spec.settings) for spec in specs})

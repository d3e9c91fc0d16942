"""The runs of a comparison, in the order of the table."""

from collections.abc import Mapping, Sequence

from showdown.core.errors import Unavailable, UserError
from showdown.core.method import Job, Method, TunedMethod, TunedSettings
from showdown.core.spec import Comparison, ModelSpec, RunSpec
from showdown.core.strict import identity_of
from showdown.methods.table import build, method_and_settings, method_class, protocol_of
from showdown.runner.prepared import Ready


def plan(ready: Ready, model: ModelSpec) -> list[RunSpec]:
    """Return one run for each row, seed and partition, then those on parts of the training rows, the largest first.

    A method whose answers no seed changes still runs with every seed, to show that its scores agree.

    Args:
        ready: the comparison, with seeds and tuning chosen, and how its rows are divided.
        model: its model, pinned.

    """
    comparison = ready.comparison
    return [
        RunSpec(
            name=row,
            method=method,
            settings=identity_of(build(method, settings).settings),
            model=model,
            protocol=protocol.model_copy(update={"split": ready.split}),
            seed=seed,
            partition=partition,
            train_fraction=fraction,
            data_fingerprint=ready.fingerprint,
            task=comparison.task,
            scorer_digest=None if protocol.scorer is None else ready.scorers[protocol.scorer],
            needs=method_class(method).needs(),
        )
        for fraction in sorted(comparison.learning_curve, reverse=True)
        for row, written in comparison.methods.items()
        for method, settings in [method_and_settings(row, written)]
        for protocol in [protocol_of(comparison.protocol, written)]
        if fraction == 1.0 or method_class(method).learns
        for seed in _seeds(comparison)
        for partition in range(ready.partitions)
    ]


def _seeds(comparison: Comparison) -> list[int]:
    assert isinstance(comparison.seeds, list)
    return comparison.seeds


def refuse_unusable_model(specs: Sequence[RunSpec], labels: Sequence[str]) -> None:
    """Refuse a comparison whose model a method cannot use, or whose settings do not fit it, before any run starts.

    Raises:
        UserError: naming the rows, and what to change.

    """
    from showdown.models.usable import refuse_unusable
    from showdown.stages.artifact import job_of

    methods = {spec.name: build(spec.method, spec.settings) for spec in specs}
    job = job_of(specs[0], tuple(labels))
    refuse_unusable(job, methods)
    _refuse_settings(job, methods)


def _refuse_settings(job: Job, methods: Mapping[str, Method]) -> None:
    """Refuse settings that do not fit the network, of which a skeleton without weights is made.

    Default settings fit every network or make their row unavailable, so that no skeleton is made for them.
    """
    changed = {
        row: method for row, method in methods.items() if isinstance(method, TunedMethod) and _has_own_settings(method)
    }
    if not changed:
        return
    from showdown.models.network import network_skeleton
    from showdown.models.source import locate

    network = network_skeleton(locate(job.model), job)
    for row, method in changed.items():
        try:
            method.check(network)
        except Unavailable:
            continue  # its row says so
        except UserError as error:
            raise UserError(f"`methods.{row}`: {error}") from error


def _has_own_settings(method: TunedMethod) -> bool:
    """Return whether the user changed a setting other than the learning rate, which no network refuses."""
    rates = set(TunedSettings.model_fields)
    default = type(method.settings)()
    return bool(method.settings.model_dump(exclude=rates) != default.model_dump(exclude=rates))

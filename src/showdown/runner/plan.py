"""From a comparison to its runs, in the order of the table."""

from showdown.core.spec import Comparison, ModelSpec, RunSpec
from showdown.methods.table import build, method_and_settings


def plan(comparison: Comparison, model: ModelSpec, data_fingerprint: str) -> list[RunSpec]:
    """Return one run for each row and seed.

    A method that seeds do not touch still runs once a seed: that its scores agree is then seen, not assumed.

    Args:
        comparison: what was asked for.
        model: its model, pinned.
        data_fingerprint: of the rows and their split.

    """
    return [
        RunSpec(
            name=row,
            method=method,
            settings=build(method, settings).settings.model_dump(),
            model=model,
            protocol=comparison.protocol,
            seed=seed,
            data_fingerprint=data_fingerprint,
        )
        for row, written in comparison.methods.items()
        for method, settings in [method_and_settings(row, written)]
        for seed in comparison.seeds
    ]

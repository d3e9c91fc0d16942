"""Sentences on arms that train fewer parameters than another one and took more memory."""

from collections.abc import Mapping, Sequence

from showdown.core.record import RunRecord
from showdown.verdict.confounds import Confound

_MORE = 1.05
"""A peak larger by less than this is expected: a CPU's resident set moves by as much."""
_CHANGES_MEMORY = (
    "micro_batch_rows",
    "micro_batch_tokens",
    "recompute",
    "max_tokens",
    "precision",
    "step_in_backward",
    "weight_rounding",
    "moments_on_host",
    "forward",
)
"""Settings that the memory of a training depends on, beside the method, as the engine records them."""


def unexpected_memory(rows: Mapping[str, Sequence[RunRecord]], differing: Sequence[Confound]) -> list[str]:
    """Explain each arm that trains fewer parameters than another and took more memory while training.

    Args:
        rows: completed runs by arm.
        differing: what differs between rows beyond the method.

    """
    trained = {name: run for name, runs in rows.items() if (run := _largest(runs)) is not None}
    lines = []
    for name, run in trained.items():
        less = [other for other in trained.values() if _is_unexpected(run, other)]
        if less:
            lines.append(_said(name, run, min(less, key=_training_gb), differing))
    return lines


def _largest(runs: Sequence[RunRecord]) -> RunRecord | None:
    """Return the run with the largest peak while training, of those that trained a network."""
    networks = [run for run in runs if run.memory_split is not None and run.peak_memory_allocated_gb is not None]
    return max(networks, key=_training_gb, default=None)


def _training_gb(run: RunRecord) -> float:
    peak = run.peak_memory_allocated_gb
    return (peak.training or 0.0) if peak else 0.0


def _is_unexpected(run: RunRecord, other: RunRecord) -> bool:
    return (
        run.memory_kind == other.memory_kind
        and (run.trainable_parameters or 0) < (other.trainable_parameters or 0)
        and _training_gb(run) > _MORE * _training_gb(other)
    )


def _said(name: str, run: RunRecord, other: RunRecord, differing: Sequence[Confound]) -> str:
    causes = [
        f"{item.key} {'/'.join(item.values[name])} against {'/'.join(item.values[other.name])}"
        for item in differing
        if item.key in _CHANGES_MEMORY
        and item.kind == "engine"
        and name in item.values
        and other.name in item.values
        and item.values[name] != item.values[other.name]
    ]
    causes = list(dict.fromkeys(causes))
    assert run.memory_split is not None
    assert other.memory_split is not None
    start = (
        f"{name} took more memory than {other.name} ({_training_gb(run):.3g} against {_training_gb(other):.3g} GB) "
        f"while it trains {_share(run)} of the parameters against {_share(other)}"
    )
    where = (
        f"activations, {run.memory_split.activations_gb:.3g} GB of its peak against "
        f"{other.memory_split.activations_gb:.3g}, grow with the rows of a micro-batch and with what is kept for the "
        "backward pass"
    )
    if not causes:
        return f"{start}; {where}. Nothing recorded differs that would explain it."
    return f"{start}: they differ in {', '.join(causes)}. That is not the method: {where}."


def _share(run: RunRecord) -> str:
    share = 100 * (run.trainable_parameters or 0) / max(1, run.total_parameters or 0)
    return f"{share:.0f} %" if share >= 10 else f"{share:.2g} %"

"""A sentence on what other processes did beside the timing of runs."""

from collections.abc import Iterable, Mapping, Sequence

from showdown.core.record import BUSY_OTHERS_SHARE, RunRecord


def load_said(rows: Mapping[str, Sequence[RunRecord]]) -> list[str]:
    """Say beside which rows other processes were busy, and what that makes of their times; nothing where none was.

    Args:
        rows: completed runs by row of the table.

    """
    loads = [run.load for runs in rows.values() for run in runs if run.load and run.load.is_busy]
    if not loads:
        return []
    names = [name for name, runs in rows.items() if any(run.load and run.load.is_busy for run in runs)]
    processors = _most(share for load in loads for share in (load.training_others_share, load.speed_others_share))
    gpu = _most(load.gpu_others_share for load in loads)
    shares = ((processors, "of the processors"), (gpu, "of the GPU"))
    used = [f"{100 * share:.0f} % {where}" for share, where in shares if share >= BUSY_OTHERS_SHARE]
    whose = "its" if len(names) == 1 else "their"
    return [
        f"Beside the timing of {_listed(names)} other processes used up to {' and '.join(used)}: {whose} seconds and "
        "latencies may be too high. Compare speeds after a run with nothing beside it."
    ]


def _most(shares: Iterable[float | None]) -> float:
    return max((share for share in shares if share is not None), default=0.0)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

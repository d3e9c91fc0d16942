"""A sentence on the load by other processes while runs were timed."""

from collections.abc import Mapping, Sequence

from showdown.core.load import used_by_others
from showdown.core.record import RunRecord
from showdown.verdict.listing import listed


def load_sentences(rows: Mapping[str, Sequence[RunRecord]]) -> list[str]:
    """Name the arms that were timed beside other busy processes; empty where none was.

    Args:
        rows: completed runs by arm.

    """
    loads = {name: [run.load for run in runs if run.load and run.load.is_busy] for name, runs in rows.items()}
    names = [name for name, found in loads.items() if found]
    used = used_by_others(load for found in loads.values() for load in found)
    if used is None:
        return []
    whose = "its" if len(names) == 1 else "their"
    return [
        f"Beside the timing of {listed(names)} other processes used up to {used}: {whose} seconds and latencies may "
        "be too high. Compare speeds after a run with nothing beside it."
    ]

"""What a run's record says of the load beside it."""

from showdown.core.record import BUSY_OTHERS_SHARE, Load


def load_notes(load: Load | None) -> list[str]:
    """Return a note where other processes were so busy that seconds and latencies are in doubt; else nothing.

    Shares are rounded to tens of percent, so that the runs of a row say the same and are listed once.
    """
    if load is None or not load.is_busy:
        return []
    shares = (
        (load.training_others_share, "of the processors while it was trained"),
        (load.speed_others_share, "of the processors while its speed was measured"),
        (load.gpu_others_share, "of the GPU"),
    )
    said = [f"{_percent(share)} {where}" for share, where in shares if share is not None and share >= BUSY_OTHERS_SHARE]
    return [f"other processes used {' and '.join(said)}: its seconds and latencies may be too high"]


def _percent(share: float) -> str:
    return f"about {round(10 * share) * 10} %"

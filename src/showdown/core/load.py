"""The machine's load from other processes during a run, from samples of the system."""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from statistics import fmean

from showdown.core.record import BUSY_OTHERS_SHARE, TRAINING_PHASE, Load
from showdown.core.samples import Sample


def load_of(samples: Sequence[Sample], speed_others_share: float | None) -> Load | None:
    """Return the load from other processes during a run; None when nothing could be read.

    Args:
        samples: the run's samples, in order.
        speed_others_share: share of the processors that other processes used while prediction speed was measured, 0 to
            1. The run's own process reads it, because that measurement is shorter than the time between two samples.

    """
    training = _others_share(samples, {TRAINING_PHASE})
    averages = [sample.load_average for sample in samples if sample.load_average is not None]
    on_gpu = [sample.gpu_others_percent for sample in samples if sample.gpu_others_percent is not None]
    found = Load(
        training_others_share=_others_share(samples, None) if training is None else training,
        speed_others_share=None if speed_others_share is None else round(speed_others_share, 3),
        average=round(fmean(averages), 3) if averages else None,
        gpu_others_share=round(fmean(on_gpu) / 100, 3) if on_gpu else None,
    )
    return None if found == Load.model_validate(dict.fromkeys(Load.model_fields)) else found


def _others_share(samples: Sequence[Sample], phases: Collection[str] | None) -> float | None:
    """Return the mean over time. The use between two samples counts for the phase of the first."""
    spans = [
        (after.seconds - before.seconds, after.others_share)
        for before, after in pairwise(samples)
        if after.others_share is not None and (phases is None or before.phase in phases)
    ]
    seconds = sum(span for span, _ in spans)
    return round(sum(span * share for span, share in spans) / seconds, 3) if seconds > 0 else None


def used_by_others(loads: Iterable[Load]) -> str | None:
    """Return the most that other processes used, such as `about 90 % of the processors`; None when no load is busy.

    Shares are rounded to tens of percent, so that runs under the same load get the same words.
    """
    busy = [load for load in loads if load.is_busy]
    shares = (
        (
            _most(share for load in busy for share in (load.training_others_share, load.speed_others_share)),
            "processors",
        ),
        (_most(load.gpu_others_share for load in busy), "GPU"),
    )
    return " and ".join(f"about {_tens(share)} % of the {what}" for share, what in shares if share) or None


def _most(shares: Iterable[float | None]) -> float | None:
    return max((share for share in shares if share is not None and share >= BUSY_OTHERS_SHARE), default=None)


def _tens(share: float) -> int:
    return 10 * round(10 * share)

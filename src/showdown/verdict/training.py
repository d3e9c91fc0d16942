"""How trainings ended, in sentences: not converged, diverged, under-trained, a learning rate at an end of its range."""

from collections.abc import Iterator, Mapping, Sequence

from showdown.core.metric import ACCURACY, Metric
from showdown.core.record import RunRecord
from showdown.verdict.listing import listed
from showdown.verdict.model import ArmVerdict, PairVerdict
from showdown.verdict.paired import ALPHA
from showdown.verdict.recommend import not_converged

_AT_END = "end of the range"
"""What a run's notes say where its best learning rate lay at an end of the range searched."""


def rate_at_end(runs: Sequence[RunRecord]) -> bool:
    """Return whether the best learning rate of any run lay at an end of the range searched."""
    return any(_AT_END in note for run in runs for note in run.notes)


def cut_short_first(scored: Sequence[ArmVerdict]) -> str | None:
    """Name the arms below the leader that had not converged; None where all had."""
    names = [row.name for row in scored[1:] if row.cut_short]
    return not_converged(names) if names else None


def under_trained(
    rows: Sequence[ArmVerdict],
    pairs: Sequence[PairVerdict],
    networks: Mapping[str, str | None],
    metric: Metric = ACCURACY,
) -> Iterator[str]:
    """Name the fine-tuned arms that ended below the linear probe of their own network by more than chance.

    A fine-tuned network holds its linear probe as a special case, so that one that ends below it was not trained enough
    or not well. Each pair is tested by itself, without adjustment for many pairs.

    Args:
        rows: all arms.
        pairs: all pairs.
        networks: by arm, what names its pretrained network.
        metric: what rows are ranked by.

    """
    traits = {row.name: row.traits for row in rows}
    for pair in pairs:
        less = pair.score.value < 0
        low, high = (pair.first, pair.second) if less else (pair.second, pair.first)
        same = networks.get(low) is not None and networks.get(low) == networks.get(high)
        probe_won = traits[high].linear_probe and traits[low].role == "fine-tuned"
        if probe_won and same and pair.p_value <= ALPHA:
            yield (
                f"{low} is under-trained or badly tuned: it scored {metric.size(abs(pair.score.value))} less "
                f"than {high}, the linear probe of the same network. Its score says little of its method."
            )


def endings(scored: Sequence[ArmVerdict]) -> Iterator[str]:
    """Yield the other sentences on how trainings ended."""
    if scored and scored[0].cut_short:
        yield f"{scored[0].name} had not converged: more training may raise its score."
    for row in scored:
        if row.unconverged and not row.cut_short:
            yield f"{row.unconverged} of {row.trained} runs of {row.name} had not converged."
    at_end = [row.name for row in scored if row.rate_at_end]
    if at_end:
        yield (
            f"The best learning rate of {listed(at_end)} lay at an end of the range searched: a better one may "
            "lie beyond it."
        )


def divergences(rows: Sequence[ArmVerdict]) -> Iterator[str]:
    """Name the arms with runs that diverged, and how many."""
    for row in rows:
        if row.diverged:
            rest = "its score counts only the others" if row.score else "it has no score"
            yield f"{diverged_runs(row)} diverged: {rest}."


def diverged_runs(row: ArmVerdict) -> str:
    """Return how many runs of an arm diverged, of how many."""
    return f"{row.diverged} of {row.runs} runs of {row.name}"

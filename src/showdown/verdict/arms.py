"""From what single runs scored to what an arm did: seeds and folds joined, incomplete ones left out."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from showdown.core.errors import UserError
from showdown.core.record import Results, RunRecord
from showdown.verdict.outcomes import ArmOutcomes, Part


def arms_of(results: Results, read: Callable[[RunRecord], Part]) -> dict[str, ArmOutcomes]:
    """Join what all completed runs scored, by arm; an arm without a completed run is left out.

    Args:
        results: the comparison.
        read: gives what one completed run scored, with one seed.

    Raises:
        UserError: where seeds of an arm were tested on different rows; and what ``read`` raises.

    """
    by_name: dict[str, list[RunRecord]] = {}
    for run in results.runs:
        by_name.setdefault(run.name, []).append(run)
    found = {name: _arm(name, runs, read) for name, runs in by_name.items()}
    return {name: row for name, row in found.items() if row}


def _arm(name: str, runs: Sequence[RunRecord], read: Callable[[RunRecord], Part]) -> ArmOutcomes | None:
    done = [run for run in runs if run.status == "completed" and run.predictions_file]
    if not done:
        return None
    scored = {(run.seed, run.partition): read(run) for run in done}
    seeds, partitions = _largest_grid(scored.keys())
    split = done[0].spec.protocol.split
    by_partition = {p: _stack([scored[seed, p] for seed in seeds], name) for p in partitions}
    trained = split.train * done[0].spec.train_fraction if split.kind == "repeated" else 1.0
    pooled = {0: type(by_partition[partitions[0]]).of_folds(by_partition)}
    return ArmOutcomes(
        name=name,
        traits=done[0].traits,
        parts=by_partition if split.kind == "repeated" else pooled,
        seeds=len(seeds),
        test_over_train=split.test / trained if split.kind == "repeated" else 0.0,
        notes=tuple(_left_out(name, runs, seeds, partitions)),
    )


def _largest_grid(done: Collection[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return seeds and partitions of which every pair completed: as many pairs as can be; of equals, more partitions.

    Scores of seeds are averaged row by row, so that all seeds must have answered the same test rows.
    """
    of_seed = {seed: {partition for other, partition in done if other == seed} for seed, _ in done}
    choices = [
        ([seed for seed, found in of_seed.items() if found >= partitions], partitions)
        for partitions in of_seed.values()
    ]
    seeds, partitions = max(choices, key=lambda choice: (len(choice[0]) * len(choice[1]), len(choice[1])))
    return sorted(seeds), sorted(partitions)


def _left_out(name: str, runs: Sequence[RunRecord], seeds: Sequence[int], partitions: Sequence[int]) -> Iterator[str]:
    """Yield a sentence on seeds, and on folds or repeats, that do not count, with the reason."""
    lost = Counter(run.status for run in runs if run.status != "completed")
    why = f" ({', '.join(f'{count} {status}' for status, count in lost.items())})" if lost else ""
    every_seed, every_partition = {run.seed for run in runs}, {run.partition for run in runs}
    if len(seeds) < len(every_seed):
        yield (
            f"{name}: {len(every_seed) - len(seeds)} of {len(every_seed)} seeds left out, runs of them did not "
            f"complete{why}: its scores are those of the seeds that did"
        )
    if len(partitions) < len(every_partition):
        yield (
            f"{name}: {len(every_partition) - len(partitions)} of {len(every_partition)} parts of the test rows left "
            f"out, runs on them did not complete{why}"
        )


def _stack(runs: Sequence[Part], name: str) -> Part:
    """Join the seeds of one partition; all of them tested the same rows."""
    first = runs[0]
    if any(not np.array_equal(run.row_ids, first.row_ids) for run in runs):
        raise UserError(f"{name}: its seeds were tested on different rows; run the comparison again")
    return first.with_seeds(runs[1:])

"""Do the intervals of scores hold the truth?"""

import numpy as np

from showdown.verdict.arm_intervals import accuracy_interval
from showdown.verdict.classification.macro_f1 import f1_interval, rare_labels
from showdown.verdict.pairs import compare
from showdown.verdict.simulation import World, simulate, true_macro_f1
from showdown.verdict.spread import reruns_of

from .cell import Cell, Lines, grid, shares, with_target

_COVERED = 0.93
"""The target of 95 % intervals; they hold the truth more often where less spreads than assumed."""


def _world(cell: Cell) -> World:
    labels = cell.get("labels", 5)
    return World(
        labels=labels,
        rarity=cell.get("rarity", 0.5),
        row_share=cell.get("row_share", 0.5),
        method_share=cell.get("method_share", 0.25),
    )


def accuracy(cell: Cell) -> dict[str, float | None]:
    """How often does the 95 % interval of a method's accuracy hold its mean over all rows and seeds?"""
    rng, world, truth = cell.rng(), _world(cell), float(cell["accuracy"])
    mean = truth + cell.get("collapsing", 0.0) * (1 / world.labels - truth)
    hits, above, width = 0, 0, 0.0
    for _ in range(cell.times):
        drawn = simulate(
            rng,
            world,
            accuracies=np.full(cell.get("methods", 1), truth),
            rows=cell["rows"],
            trainings=cell.trainings,
            copies=cell.get("copies", 1),
        )
        rows = [drawn.row(index) for index in range(len(drawn.predicted))]
        found = accuracy_interval(rows[0].parts[0], reruns_of(rows[0], rows))
        hits += found.low <= mean <= found.high
        above += found.low > mean
        width += found.high - found.low
    return {**shares(hits, cell.times), "truth_below": above / cell.times, "width_points": 100 * width / cell.times}


def accuracy_lines() -> Lines:
    """Accuracies, rows, seeds, spreads; then the adversarial ones."""
    reruns = grid(seeds=[1, 2, 3, 5], spread=[0.0, 0.01, 0.02])
    plain = [{**score, **rerun} for score in grid(accuracy=[0.6, 0.8, 0.9], rows=[166, 500, 2000]) for rerun in reruns]
    # At 97 % of 50 rows the truth cannot lie below the interval: one side alone can miss.
    one_sided = grid(accuracy=[0.97], rows=[50], seeds=[5], spread=[0.0, 0.01])
    named = grid(accuracy=[0.8], rows=[3000], seeds=[1, 2], spread=[0.02])
    hard = [
        *grid(accuracy=[0.8, 0.9], rows=[3000], seeds=[1, 2], spread=[0.01], methods=[1, 3]),
        *grid(accuracy=[0.9], rows=[3000], seeds=[1, 2, 3], spread=[0.02], methods=[1, 3]),
        *grid(accuracy=[0.97, 0.99], rows=[166, 1000], seeds=[1, 3, 5], spread=[0.0, 0.005]),
        *grid(accuracy=[0.75], rows=[425, 1900], seeds=[1, 3], spread=[0.03], folds=[5]),
        *grid(accuracy=[0.8], rows=[600], seeds=[3], spread=[0.01], copies=[3]),
        *grid(accuracy=[0.8], rows=[1000], seeds=[3, 5], spread=[0.02], tails=[3.0]),
        *grid(accuracy=[0.8], rows=[1000], seeds=[3], spread=[0.01], row_share=[0.8], method_share=[0.15]),
    ]
    collapsing = grid(accuracy=[0.85], rows=[1000], seeds=[1, 3, 5], spread=[0.01], collapsing=[0.05])
    return [*with_target([*plain, *one_sided, *named, *hard], _COVERED), *with_target(collapsing)]


def macro_f1(cell: Cell) -> dict[str, float | None]:
    """How often does a 95 % interval of macro F1 hold the truth, of those that are printed?"""
    rng, world = cell.rng(), _world(cell)
    truth, hits, printed, width = true_macro_f1(world, cell["accuracy"]), 0, 0, 0.0
    for _ in range(cell.times):
        drawn = simulate(
            rng, world, accuracies=np.array([cell["accuracy"]]), rows=cell["rows"], trainings=cell.trainings
        )
        part = drawn.outcomes(0)
        if rare_labels(part):
            continue
        found = f1_interval(part, reruns_of(drawn.row(0)))
        printed += 1
        hits += found.low <= truth <= found.high
        width += found.high - found.low
    return {**shares(hits, printed), "printed": printed / cell.times, "width_points": 100 * width / max(1, printed)}


def macro_f1_lines() -> Lines:
    """Few and many labels, even and Zipf-distributed, near 100 %, a label of a test row or two."""
    few = grid(labels=[5, 25], rarity=[0.7], accuracy=[0.6, 0.8, 0.95], rows=[166, 500], seeds=[1, 5], spread=[0.01])
    many = grid(labels=[77], rarity=[0.0, 1.0], accuracy=[0.8, 0.93], rows=[425, 1000, 3080], seeds=[1], spread=[0.0])
    reruns = grid(labels=[77], rarity=[0.0, 1.0], accuracy=[0.85], rows=[3080], seeds=[2, 3, 5], spread=[0.01, 0.02])
    rare = grid(labels=[5], rarity=[2.5, 3.0], accuracy=[0.8, 0.9], rows=[166, 300], seeds=[1, 3], spread=[0.0])
    zipf = grid(labels=[77], rarity=[1.5], accuracy=[0.9], rows=[3080, 10_000], seeds=[1, 3], spread=[0.0])
    return with_target([*few, *many, *reruns, *rare, *zipf], _COVERED)


def f1_difference(cell: Cell) -> dict[str, float | None]:
    """How often does the interval of a difference in macro F1 hold the truth, of those that are printed?"""
    rng, world = cell.rng(), _world(cell)
    accuracies = np.array([cell["accuracy"], cell["accuracy"] + cell["gap"]])
    truth = true_macro_f1(world, accuracies[0]) - true_macro_f1(world, accuracies[1])
    hits, printed = 0, 0
    for _ in range(cell.times):
        drawn = simulate(rng, world, accuracies=accuracies, rows=cell["rows"], trainings=cell.trainings)
        found = compare(drawn.row(0), drawn.row(1))
        if found and found.f1_macro:
            printed += 1
            hits += found.f1_macro.low <= truth <= found.f1_macro.high
    return {**shares(hits, printed), "printed": printed / cell.times}


def f1_difference_lines() -> Lines:
    """Equal methods and unequal ones, with reruns that spread."""
    plain = grid(labels=[5, 25], accuracy=[0.8], gap=[0.0, 0.05], rows=[500], seeds=[3, 5], spread=[0.01, 0.02])
    many = grid(labels=[77], accuracy=[0.85], gap=[0.0, 0.05], rows=[1000, 3080], seeds=[1, 3], spread=[0.02])
    return with_target([*plain, *many], _COVERED)

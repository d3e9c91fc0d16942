"""Is the right method recommended?"""

import itertools
from collections.abc import Sequence

import numpy as np

from showdown.verdict.classification.macro_f1 import macro_f1
from showdown.verdict.margin import with_margin
from showdown.verdict.model import PairVerdict
from showdown.verdict.outcomes import Floats
from showdown.verdict.pair_words import turned
from showdown.verdict.pairs import judge_pairs
from showdown.verdict.recommend import Candidate, Limits, recommend
from showdown.verdict.simulation import Simulated, World, simulate, true_macro_f1
from showdown.verdict.summary import beside_of

from .cell import Cell, Line, Lines, grid, shares, with_target

MARGIN = 0.01
_ACCURACY = 0.85
_F1_ROOM = 0.1
"""The limit of macro F1 lies this far below the best method's true value, which might miss a closer limit by chance."""
_MOST_DEAR = 0.07
"""How often the expensive one of two equal methods may be recommended. The test of its lead has a level of 5 %."""


def recommendations(cell: Cell) -> dict[str, float | None]:
    """How often is the true best under limits recommended, where it is best by a clear gap?

    Limits are of memory alone, or of memory, cost, latency and macro F1 together. Rows outside may be better.
    """
    rng, gap, every, hits, kept = cell.rng(), cell["gap"], cell["limits"] == "all", 0, 0
    for _ in range(cell.times):
        methods = int(rng.integers(3, 8))
        amounts = {"memory_gb": rng.uniform(2, 80, methods), "cost": rng.uniform(0.01, 5, methods)}
        amounts |= {"latency_ms": rng.uniform(5, 200, methods)} if every else {}
        bounds = _bounds(rng, amounts if every else {"memory_gb": amounts["memory_gb"]})
        best = rng.uniform(0.75, 0.95)
        inside = np.all([amounts[key] <= bound for key, bound in bounds.items()], axis=0)
        truth = np.where(inside, best - gap - rng.uniform(0, 0.1, methods), rng.uniform(0.6, 0.97, methods))
        winner, second = (int(index) for index in rng.choice(np.flatnonzero(inside), 2, replace=False))
        truth[winner], truth[second] = best, best - gap
        drawn = simulate(rng, World(), accuracies=truth, rows=cell["rows"], trainings=cell.trainings)
        limits = {f"max_{key}": bound for key, bound in bounds.items()}
        limits |= {"min_f1_macro": true_macro_f1(World(), best) - _F1_ROOM} if every else {}
        chosen = recommend(candidates(drawn, amounts), Limits.model_validate(limits))
        hits += chosen.chosen == str(winner)
        kept += int(inside.sum())
    return {**shares(hits, cell.times), "rows_within_limits": kept / cell.times}


def _bounds(rng: np.random.Generator, amounts: dict[str, Floats]) -> dict[str, float]:
    """Draw a limit for each amount, at a measured value; at least two methods meet all of them."""
    while True:
        bounds = {key: float(np.sort(found)[rng.integers(1, len(found))]) for key, found in amounts.items()}
        if np.all([amounts[key] <= bound for key, bound in bounds.items()], axis=0).sum() > 1:
            return bounds


def candidates(drawn: Simulated, amounts: dict[str, Floats]) -> list[Candidate]:
    """Judge simulated methods as the arms of a comparison, with the measured costs of each."""
    rows = [drawn.row(index) for index in range(len(drawn.predicted))]
    pairs = with_margin(judge_pairs(list(itertools.combinations(rows, 2))), MARGIN)
    correct, ones = drawn.correct, np.ones((1, len(drawn.true)))
    found = []
    for index, answers in enumerate(drawn.predicted):
        f1 = float(macro_f1(ones, drawn.true, answers).mean())
        measured = {key: float(values[index]) for key, values in amounts.items()}
        found.append(
            Candidate(
                name=str(index),
                score=float(correct[index].mean()),
                floor=False,
                accuracy=float(correct[index].mean()),
                f1_macro=f1,
                f1_macro_low=f1,
                memory_gb=measured.get("memory_gb"),
                cost=measured.get("cost"),
                latency_ms=measured.get("latency_ms"),
                train_seconds=None,
                runs=1,
                diverged=0,
                cut_short=False,
                beside={pair.first: beside_of(pair) for pair in _beside(index, pairs)},
            )
        )
    return found


def _beside(index: int, pairs: Sequence[PairVerdict]) -> list[PairVerdict]:
    both = itertools.chain(pairs, map(turned, pairs))
    return [pair for pair in both if pair.second == str(index)]


def recommendation_lines() -> Lines:
    """Limits of memory alone and of all; clear gaps and small ones."""
    lines = grid(limits=["memory", "all"], gap=[0.03, 0.05, 0.1], rows=[166, 500, 1000], seeds=[5], spread=[0.01])
    return [(line, 0.95 if line["gap"] == 0.1 and line["rows"] >= 500 else None, None) for line in lines]


def _chosen(cell: Cell, rng: np.random.Generator, accuracies: Sequence[float], costs: Sequence[float]) -> str | None:
    world = World(row_share=0.6, method_share=0.2)
    drawn = simulate(rng, world, accuracies=np.array(accuracies), rows=cell["rows"], trainings=cell.trainings)
    return recommend(candidates(drawn, {"cost": np.array(costs)}), Limits()).chosen


def dear(cell: Cell) -> dict[str, float | None]:
    """Methods of equal accuracy, the first of which costs 50 times as much as the last: how often is it recommended?"""
    rng, methods = cell.rng(), cell["methods"]
    costs = np.geomspace(50.0, 1.0, methods)
    chosen = [_chosen(cell, rng, [_ACCURACY] * methods, list(costs)) for _ in range(cell.times)]
    cheapest = sum(name == str(methods - 1) for name in chosen)
    return {**shares(sum(name == "0" for name in chosen), cell.times), "cheapest": cheapest / cell.times}


def worse(cell: Cell) -> dict[str, float | None]:
    """Two methods, of which the cheaper one is worse by ``gap``, more than the margin: how often is it recommended?"""
    rng, accuracies = cell.rng(), [_ACCURACY, _ACCURACY - cell["gap"]]
    taken = sum(_chosen(cell, rng, accuracies, [cell["ratio"], 1.0]) == "1" for _ in range(cell.times))
    return shares(taken, cell.times)


def _designs(**axes: Sequence[float]) -> list[Line]:
    """A small set, the default on the built-in resumes, and larger ones."""
    designs = [(166, 1), (425, 1), (425, 3), (1000, 3), (3000, 5)]
    return [{"rows": rows, "seeds": seeds, **line} for line in grid(**axes) for rows, seeds in designs]


def dear_lines() -> Lines:
    """Two equal methods, and five with costs between those of the two."""
    lines = _designs(methods=[2, 5], spread=[0.0, 0.01])
    return [(line, None, _MOST_DEAR if line["methods"] == 2 else None) for line in lines]


def worse_lines() -> Lines:
    """A loss of 2, 5 and 10 points at half and at a fiftieth of the cost."""
    lines = _designs(gap=[0.02, 0.05, 0.1], ratio=[2.0, 50.0], spread=[0.01])
    clear = [line for line in lines if line["gap"] == 0.1 and line["rows"] > 166]
    return [*with_target(clear, most=0.1), *with_target([line for line in lines if line not in clear])]

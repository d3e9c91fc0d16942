"""Is the true best under limits recommended?"""

import numpy as np

from showdown.verdict.outcomes import Floats
from showdown.verdict.paired import ALPHA, holm
from showdown.verdict.recommend import Candidate, Limits, recommend
from showdown.verdict.resample import macro_f1
from showdown.verdict.simulation import Simulated, World, simulate, true_macro_f1

from .cell import Cell, Lines, grid, shares, tests_of

_F1_ROOM = 0.1
"""The limit of macro F1 lies this far below the true one of the best: a limit at it would be kept by chance."""


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
        chosen = recommend(_candidates(drawn, amounts), Limits.model_validate(limits))
        hits += chosen.chosen == str(winner)
        kept += int(inside.sum())
    return {**shares(hits, cell.times), "rows_within_limits": kept / cell.times}


def _bounds(rng: np.random.Generator, amounts: dict[str, Floats]) -> dict[str, float]:
    """Draw a limit for each amount, at a measured value; two rows at least keep to all of them."""
    while True:
        bounds = {key: float(np.sort(found)[rng.integers(1, len(found))]) for key, found in amounts.items()}
        if np.all([amounts[key] <= bound for key, bound in bounds.items()], axis=0).sum() > 1:
            return bounds


def _candidates(drawn: Simulated, amounts: dict[str, Floats]) -> list[Candidate]:
    tests = tests_of(drawn)
    adjusted = holm([test.p_value for test in tests.values()])
    alike = [pair for pair, p_holm in zip(tests, adjusted, strict=True) if p_holm > ALPHA]
    correct, ones = drawn.correct, np.ones((1, len(drawn.true)))
    found = []
    for index, answers in enumerate(drawn.predicted):
        f1 = float(macro_f1(ones, drawn.true, answers).mean())
        found.append(
            Candidate(
                name=str(index),
                accuracy=float(correct[index].mean()),
                f1_macro=f1,
                f1_macro_low=f1,
                memory_gb=float(amounts["memory_gb"][index]),
                cost=float(amounts["cost"][index]),
                latency_ms=float(amounts["latency_ms"][index]) if "latency_ms" in amounts else None,
                train_seconds=None,
                not_told_apart=[str(b if a == index else a) for a, b in alike if index in (a, b)],
            )
        )
    return found


def recommendation_lines() -> Lines:
    """Limits of memory alone and of all; clear gaps and small ones."""
    lines = grid(limits=["memory", "all"], gap=[0.03, 0.05, 0.1], rows=[166, 500, 1000], seeds=[5], spread=[0.01])
    return [(line, 0.95 if line["gap"] == 0.1 and line["rows"] >= 500 else None, None) for line in lines]

"""Is the recommendation right? Simulated comparisons with known truth, judged by the product's own rules.

Usage (from the checkout; all parts take about ten minutes on one core):

    python benchmarks/recommendation.py                   # every part
    python benchmarks/recommendation.py equal --scale 0.1 # one part, a tenth of the comparisons

Parts:

    equal   methods of equal accuracy, of which one costs 50 times as much: how often is the dear one recommended?
    worse   a cheaper method that is truly worse by more than the margin: how often is it recommended?
    limits  limits of memory, or of four things, and a true best within them: how often is it recommended?
    margin  how often is "at most 1 point worse" said where methods are equal, and where the loss is exactly 1 point?

Each part prints a table and writes `benchmarks/results/recommendation-PART.json`.
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy import stats

from showdown.core.files import write_json
from showdown.verdict.margin import with_margin
from showdown.verdict.outcomes import Floats
from showdown.verdict.pair_words import turned
from showdown.verdict.pairs import judge_pairs
from showdown.verdict.recommend import Candidate, Limits, recommend
from showdown.verdict.resample import macro_f1
from showdown.verdict.simulation import Simulated, Trainings, World, simulate, true_macro_f1
from showdown.verdict.summary import beside_of

HERE = Path(__file__).resolve().parent
BASE_SEED = 20261125
MARGIN = 0.01
WORLD = World(row_share=0.6, method_share=0.2)
ACCURACY = 0.85
DESIGNS = [(166, 1), (425, 1), (425, 3), (1000, 3), (3000, 5)]
"""Test rows and seeds: a small set, the default on the built-in resumes, and larger ones."""
_F1_ROOM = 0.1
"""The limit of macro F1 lies this far below the true one of the best: a limit at it would be kept by chance."""
MOST_EQUAL = 0.06
"""The most comparisons of two equal methods in which the dear one may be recommended."""


def judged(drawn: Simulated, measured: Sequence[dict[str, float]]) -> list[Candidate]:
    """Judge simulated methods as a comparison's are; the first is named `0`."""
    rows = [drawn.row(at) for at in range(len(drawn.predicted))]
    pairs = with_margin(judge_pairs(list(itertools.combinations(rows, 2))), MARGIN)
    found = [
        _candidate(row.name, float(one.mean()), amounts)
        for row, one, amounts in zip(rows, drawn.correct, measured, strict=True)
    ]
    for pair in itertools.chain(pairs, map(turned, pairs)):
        found[int(pair.second)]["beside"][pair.first] = beside_of(pair)
    return found


def _candidate(name: str, accuracy: float, measured: dict[str, float]) -> Candidate:
    f1_macro = measured.get("f1_macro", accuracy)
    return Candidate(
        name=name,
        accuracy=accuracy,
        f1_macro=f1_macro,
        f1_macro_low=f1_macro,
        memory_gb=measured.get("memory_gb"),
        cost=measured.get("cost"),
        latency_ms=measured.get("latency_ms"),
        train_seconds=1.0,
        runs=1,
        diverged=0,
        cut_short=False,
        beside={},
    )


def equal(rng: np.random.Generator, times: int, line: dict[str, Any]) -> dict[str, float]:
    """Equal methods: `0` costs 50 times as much as the cheapest, others lie between."""
    costs = np.geomspace(50.0, 1.0, line["methods"])
    dear = cheapest = 0
    for _ in range(times):
        chosen = _choose(rng, np.full(line["methods"], ACCURACY), costs, line)
        dear += chosen == "0"
        cheapest += chosen == str(line["methods"] - 1)
    return {"dear": dear / times, "dear_high": _high(dear, times), "cheapest": cheapest / times}


def worse(rng: np.random.Generator, times: int, line: dict[str, Any]) -> dict[str, float]:
    """Two methods: the cheaper one is worse by ``gap``."""
    accuracies = np.array([ACCURACY, ACCURACY - line["gap"]])
    taken = sum(_choose(rng, accuracies, [line["ratio"], 1.0], line) == "1" for _ in range(times))
    return {"worse_recommended": taken / times}


def margin(rng: np.random.Generator, times: int, line: dict[str, Any]) -> dict[str, float]:
    """Two methods, the second worse by ``loss``: how often is it said to be at most the margin worse?"""
    said = 0
    for _ in range(times):
        found = judged(_drawn(rng, line["accuracy"] - np.array([0.0, line["loss"]]), line), [{}, {}])
        said += found[1]["beside"]["0"]["standing"] == "non-inferior"
    return {"said": said / times, "said_high": _high(said, times)}


def _choose(
    rng: np.random.Generator, accuracies: Floats, costs: Sequence[float] | Floats, line: dict[str, Any]
) -> str | None:
    measured = [{"cost": float(cost)} for cost in costs]
    return recommend(judged(_drawn(rng, accuracies, line), measured), Limits()).chosen


def _drawn(rng: np.random.Generator, accuracies: Floats, line: dict[str, Any]) -> Simulated:
    trainings = Trainings(spread=line["spread"], seeds=line["seeds"])
    return simulate(rng, WORLD, accuracies=accuracies, rows=line["rows"], trainings=trainings)


def limits(rng: np.random.Generator, times: int, line: dict[str, Any]) -> dict[str, float]:
    """Three to seven methods, some outside of limits and perhaps better; costs are drawn without regard to accuracy."""
    every, hits = line["limits"] == "all", 0
    for _ in range(times):
        methods = int(rng.integers(3, 8))
        amounts = {"memory_gb": rng.uniform(2, 80, methods), "cost": rng.uniform(0.01, 5, methods)}
        amounts |= {"latency_ms": rng.uniform(5, 200, methods)} if every else {}
        bounds = _bounds(rng, amounts if every else {"memory_gb": amounts["memory_gb"]})
        best = rng.uniform(0.75, 0.95)
        inside = np.all([amounts[key] <= bound for key, bound in bounds.items()], axis=0)
        truth = np.where(inside, best - line["gap"] - rng.uniform(0, 0.1, methods), rng.uniform(0.6, 0.97, methods))
        winner, second = (int(at) for at in rng.choice(np.flatnonzero(inside), 2, replace=False))
        truth[winner], truth[second] = best, best - line["gap"]
        drawn = _drawn(rng, truth, line)
        asked = {f"max_{key}": bound for key, bound in bounds.items()}
        asked |= {"min_f1_macro": true_macro_f1(WORLD, best) - _F1_ROOM} if every else {}
        f1 = [macro_f1(np.ones((1, len(drawn.true))), drawn.true, one).mean() for one in drawn.predicted]
        measured = [
            {"f1_macro": float(f1[at]), **{key: float(values[at]) for key, values in amounts.items()}}
            for at in range(methods)
        ]
        hits += recommend(judged(drawn, measured), Limits.model_validate(asked)).chosen == str(winner)
    return {"best_recommended": hits / times}


def _bounds(rng: np.random.Generator, amounts: dict[str, Floats]) -> dict[str, float]:
    """Draw a limit for each amount, at a measured value; two rows at least keep to all of them."""
    while True:
        bounds = {key: float(np.sort(found)[rng.integers(1, len(found))]) for key, found in amounts.items()}
        if np.all([amounts[key] <= bound for key, bound in bounds.items()], axis=0).sum() > 1:
            return bounds


def _high(hits: int, times: int) -> float:
    return float(stats.binomtest(hits, times).proportion_ci(0.95, method="exact").high)


def _lines(**axes: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"rows": rows, "seeds": seeds, **dict(zip(axes, values, strict=True))}
        for values in itertools.product(*axes.values())
        for rows, seeds in DESIGNS
    ]


def _limit_lines() -> list[dict[str, Any]]:
    return [
        {"rows": rows, "seeds": 5, "spread": 0.01, "limits": kind, "gap": gap}
        for kind in ("memory", "all")
        for gap in (0.03, 0.05, 0.1)
        for rows in (166, 500, 1000)
    ]


def _margin_lines() -> list[dict[str, Any]]:
    return [
        {"rows": rows, "seeds": seeds, "accuracy": accuracy, "loss": loss, "spread": spread}
        for rows, seeds in [(1000, 3), (3000, 5)]
        for accuracy in (0.85, 0.9, 0.95)
        for loss in (0.0, 0.01)
        for spread in (0.0, 0.005)
    ]


Part = tuple[
    Callable[[np.random.Generator, int, dict[str, Any]], dict[str, float]], int, Callable[[], list[dict[str, Any]]]
]
PARTS: dict[str, Part] = {
    "equal": (equal, 400, lambda: _lines(methods=[2, 5], spread=[0.0, 0.01])),
    "worse": (worse, 300, lambda: _lines(gap=[0.02, 0.05, 0.1], ratio=[2.0, 50.0], spread=[0.01])),
    "limits": (limits, 200, _limit_lines),
    "margin": (margin, 500, _margin_lines),
}


def meets_target(part: str, line: dict[str, Any]) -> bool | None:
    """Tell whether a line meets its target; None where it has none."""
    if part == "equal" and line["methods"] == 2:
        return bool(line["dear"] <= MOST_EQUAL)
    if part == "worse" and line["gap"] == 0.1 and line["rows"] >= 425:
        return bool(line["worse_recommended"] <= 0.1)
    if part == "limits" and line["gap"] == 0.1 and line["rows"] >= 500:
        return bool(line["best_recommended"] >= 0.95)
    if part == "margin" and line["loss"] == 0.01:
        return bool(line["said"] <= 0.06)
    if part == "margin" and (line["rows"], line["seeds"]) == (3000, 5) and line["accuracy"] >= 0.9:
        return bool(line["said"] >= 0.5)
    return None


def run_part(part: str, scale: float) -> bool:
    """Run one part, print its table, write its file; return whether all targets are met."""
    simulation, times, lines = PARTS[part]
    times, started, found = max(20, round(times * scale)), time.perf_counter(), []
    for number, line in enumerate(lines()):
        rng = np.random.default_rng([BASE_SEED, sum(part.encode()), number])
        measured = {key: round(value, 4) for key, value in simulation(rng, times, line).items()}
        found.append({**line, **measured})
        found[-1]["meets_target"] = meets_target(part, found[-1])
        print(part, *(f"{key} {value}" for key, value in found[-1].items()), flush=True)
    met = [line["meets_target"] for line in found if line["meets_target"] is not None]
    print(f"{part}: {sum(met)} of {len(met)} judged lines meet the target")
    report = {"part": part, "comparisons_per_line": times, "seconds": round(time.perf_counter() - started, 1)}
    write_json(HERE / "results" / f"recommendation-{part}.json", {**report, "lines": found})
    return all(met)


def main() -> int:
    """Run the parts named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="parts to run; all without any")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the comparisons, for a quick look")
    chosen = parser.parse_args()
    return 0 if all([run_part(part, chosen.scale) for part in chosen.parts or PARTS]) else 1


if __name__ == "__main__":
    sys.exit(main())

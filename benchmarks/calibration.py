"""Is the verdict calibrated? Simulated comparisons with known truth, and one cheap method entered twice for real.

Usage (from the checkout; all parts take about ten minutes on two cores):

    python benchmarks/calibration.py                      # every part
    python benchmarks/calibration.py accuracy --scale 0.1 # one part, a tenth of the comparisons

Each part prints a table and writes `benchmarks/results/calibration-PART.json`. The statistics are the product's own.
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy import stats

from showdown.core.files import write_json
from showdown.core.spec import DataSpec
from showdown.data.duplicates import find_clusters
from showdown.data.read import read_table
from showdown.verdict.intervals import accuracy_interval, f1_interval
from showdown.verdict.outcomes import Floats, Ints, Outcomes
from showdown.verdict.paired import (
    ALPHA,
    POWER,
    PairTest,
    corrected_resampled_t,
    holm,
    mcnemar_exact,
    paired_test,
    rows_to_decide,
)
from showdown.verdict.simulation import World, simulate, true_macro_f1

HERE = Path(__file__).resolve().parent
STUDY = HERE.parent.parent / "shared" / "data" / "resumes.csv"
BASE_SEED = 20261123
DRIFTING = (False, False)
"""No method is taken for one that answers alike at every seed."""
_PILOT_ROWS, _MOST_ROWS = 120, 20_000
"""Rows of a comparison that asks how many more it needs, and the most that are simulated then."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One line of a table: what is simulated and how often."""

    part: str
    settings: dict[str, Any]
    times: int
    number: int

    def rng(self) -> np.random.Generator:
        """Chance of this cell alone, whatever runs beside it."""
        return np.random.default_rng([BASE_SEED, sum(self.part.encode()), self.number])


def shares(hits: int, times: int) -> dict[str, float]:
    """A share with its exact 95 % interval (Clopper and Pearson 1934)."""
    interval = stats.binomtest(hits, times).proportion_ci(0.95, method="exact")
    return {"share": hits / times, "low": float(interval.low), "high": float(interval.high)}


def tests_of(correct: Floats, steady: tuple[bool, bool] = DRIFTING) -> dict[tuple[int, int], float]:
    """P-value of every pair of methods in answers of shape (methods, seeds, rows)."""
    clusters = np.arange(correct.shape[2])
    pairs = list(itertools.combinations(range(len(correct)), 2))
    return {(a, b): paired_test(correct[a], correct[b], clusters, steady=steady).p_value for a, b in pairs}


def equal_methods(cell: Cell) -> dict[str, float]:
    """Comparisons of 2 to 7 equal methods: how often is any difference declared?

    Where they are steady, as TF-IDF is, all seeds give one answer and no spread is assumed.
    """
    rng, false, plain, settings = cell.rng(), 0, 0, dict(cell.settings)
    steady, seeds = bool(settings.pop("steady", False)), int(settings.pop("seeds"))
    for _ in range(cell.times):
        methods, rows = int(rng.integers(2, 8)), int(rng.choice([166, 500, 2000]))
        accuracies = np.full(methods, rng.uniform(0.6, 0.95))
        drawn = simulate(rng, World(), accuracies=accuracies, rows=rows, seeds=1 if steady else seeds, **settings)
        correct = np.repeat(drawn.correct, seeds, axis=1) if steady else drawn.correct
        false += min(holm(list(tests_of(correct, (steady, steady)).values()))) <= ALPHA
        exact = [mcnemar_exact(a[0], b[0]) for a, b in itertools.combinations(correct, 2)]
        plain += min(holm(exact)) <= ALPHA
    return {**shares(false, cell.times), "plain_mcnemar": plain / cell.times}


def coverage(cell: Cell) -> dict[str, float]:
    """How often does a 95 % interval hold the truth? Accuracy or macro F1 of one method."""
    rng, settings = cell.rng(), dict(cell.settings)
    metric, accuracy, labels = settings.pop("metric"), settings.pop("accuracy"), settings.pop("labels")
    world = World(labels=labels, rarity=0.7 if labels > 10 else 0.5)
    truth = accuracy if metric == "accuracy" else true_macro_f1(world, accuracy)
    hits, width = 0, 0.0
    for _ in range(cell.times):
        drawn = simulate(rng, world, accuracies=np.array([accuracy]), **settings)
        rows = np.arange(len(drawn.true))
        if metric == "accuracy":
            found = accuracy_interval(drawn.correct[0], rows)
        else:
            one = Outcomes(predicted=drawn.predicted[0], true=drawn.true, clusters=rows, row_ids=rows)
            found = f1_interval(one, rng)
        hits += found.low <= truth <= found.high
        width += found.high - found.low
    return {**shares(hits, cell.times), "mean_width_points": 100 * width / cell.times}


def power(cell: Cell) -> dict[str, float]:
    """How often is a true gap between two methods found?"""
    rng, settings = cell.rng(), dict(cell.settings)
    gap, world = settings.pop("gap"), World(row_share=settings.pop("row_share"), method_share=0.2)
    found, discordance = 0, 0.0
    for _ in range(cell.times):
        correct = simulate(rng, world, accuracies=np.array([0.75, 0.75 + gap]), **settings).correct
        discordance += float((correct[0, 0] != correct[1, 0]).mean())
        found += tests_of(correct)[0, 1] <= ALPHA
    return {**shares(found, cell.times), "discordance": discordance / cell.times}


def rows_promised(cell: Cell) -> dict[str, float]:
    """How often do the rows that "would decide it four times in five" decide it, where the seen gap is the true one?"""
    rng, settings = cell.rng(), dict(cell.settings)
    gap, found, tried, never, asked = settings.pop("gap"), 0, 0, 0, []
    while tried < cell.times:
        pilot = _pair(rng, gap, rows=_PILOT_ROWS, **settings)
        seen = abs(pilot.effect.value)
        if not 0.5 * gap < seen < min(1.5 * gap, 0.25):
            continue
        rows = rows_to_decide(pilot, pairs=1)
        if rows is None:
            never += 1
            continue
        asked.append(rows)
        found += _pair(rng, seen, rows=min(rows, _MOST_ROWS), **settings).p_value <= ALPHA
        tried += 1
    return {**shares(found, tried), "no_rows_would": never / (never + tried), "median_rows": float(np.median(asked))}


def _pair(rng: np.random.Generator, gap: float, **settings: Any) -> PairTest:
    first, second = simulate(rng, World(), accuracies=np.array([0.7, 0.7 + gap]), **settings).correct
    return paired_test(first, second, np.arange(first.shape[1]), steady=DRIFTING)


def different_texts(source: str) -> tuple[list[str], Ints]:
    """One text of each duplicate cluster of a data set, and its label's number."""
    table = read_table(DataSpec(source=source))
    columns = {name.casefold(): index for index, name in enumerate(table.names)}
    texts = [str(cell) for cell in table.column(columns["resume" if "resume" in columns else "text"])]
    labels = [str(cell) for cell in table.column(columns["category" if "category" in columns else "label"])]
    first = np.unique(find_clusters(texts, 0.8).clusters, return_index=True)[1]
    return [texts[index] for index in first], np.unique([labels[index] for index in first], return_inverse=True)[1]


def twice_for_real(cell: Cell) -> dict[str, float]:
    """TF-IDF with a linear support-vector machine under two names, each run on a resample of the training rows."""
    from sklearn.feature_extraction.text import CountVectorizer

    rng = cell.rng()
    texts, targets = different_texts(cell.settings["source"])
    counts = CountVectorizer().fit_transform(texts)
    seeds, total = int(cell.settings["seeds"]), len(targets)
    test_rows = round(0.3 * total)
    false, single, plain, by_repeat = 0, 0, 0, []
    for _ in range(cell.times):
        order = rng.permutation(total)
        test, train = order[:test_rows], order[test_rows:]
        answers = np.array(
            [[_resampled_run(counts, targets, train, test, rng) for _ in range(seeds)] for _ in range(2)]
        )
        correct = (answers == targets[test]).astype(np.float64)
        clusters = np.arange(test_rows)
        false += tests_of(correct)[0, 1] <= ALPHA
        single += paired_test(correct[0][:1], correct[1][:1], clusters, steady=DRIFTING).p_value <= ALPHA
        plain += mcnemar_exact(correct[0, 0], correct[1, 0]) <= ALPHA
        by_repeat.append(float(correct[0, 0].mean() - correct[1, 0].mean()))
    repeats = np.array(by_repeat[: len(by_repeat) // 10 * 10]).reshape(-1, 10)
    corrected = [
        corrected_resampled_t(d, test_over_train=test_rows / (total - test_rows), rows=test_rows) for d in repeats
    ]
    return {
        **shares(false, cell.times),
        "one_seed": single / cell.times,
        "plain_mcnemar": plain / cell.times,
        "ten_repeats": sum(item.p_value <= ALPHA for item in corrected) / max(1, len(corrected)),
        "repeated_comparisons": len(corrected),
        "test_rows": test_rows,
    }


def _resampled_run(counts: Any, targets: Ints, train: Ints, test: Ints, rng: np.random.Generator) -> Ints:
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.svm import LinearSVC

    drawn = rng.choice(train, len(train))
    known = np.flatnonzero(counts[drawn].getnnz(axis=0))
    weigh = TfidfTransformer(sublinear_tf=True)
    machine = LinearSVC().fit(weigh.fit_transform(counts[drawn][:, known]), targets[drawn])
    return np.asarray(machine.predict(weigh.transform(counts[test][:, known])))


def _grid(**axes: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _accuracy_grid() -> list[dict[str, Any]]:
    scores = _grid(metric=["accuracy"], labels=[5], accuracy=[0.6, 0.7, 0.8, 0.9, 0.95], rows=[166, 500, 2000])
    reruns = [*_grid(seeds=[1], spread=[0.0]), *_grid(seeds=[3, 5], spread=[0.0, 0.01, 0.02])]
    return [{**score, **rerun} for score in scores for rerun in reruns]


def _f1_grid() -> list[dict[str, Any]]:
    scores = _grid(metric=["f1_macro"], labels=[5, 25], accuracy=[0.6, 0.8, 0.95], rows=[166, 500])
    reruns = [{"seeds": 1, "spread": 0.0}, {"seeds": 3, "spread": 0.01}, *_grid(seeds=[5], spread=[0.0, 0.01, 0.02])]
    return [{**score, **rerun} for score in scores for rerun in reruns]


def _power_grid() -> list[dict[str, Any]]:
    wanted = _grid(gap=[0.1], row_share=[0.35], rows=[500], seeds=[5], spread=[0.0, 0.01, 0.02])
    others = _grid(gap=[0.03, 0.05, 0.1], row_share=[0.35, 0.6], rows=[166, 500, 2000], seeds=[1, 3, 5], spread=[0.01])
    less_discordant = _grid(gap=[0.1], row_share=[0.42], rows=[500], seeds=[5], spread=[0.0, 0.01, 0.02])
    return wanted + others + less_discordant


def _covers(row: dict[str, Any]) -> bool:
    return bool(0.93 <= row["share"] <= 0.97)


_LEAST_POWER, _MOST_POWER = POWER - 0.1, POWER + 0.1
Simulation = Callable[[Cell], dict[str, float]]
PARTS: dict[
    str, tuple[Simulation, int, Callable[[], list[dict[str, Any]]], Callable[[dict[str, Any]], bool | None]]
] = {
    "equal": (
        equal_methods,
        2000,
        lambda: (
            _grid(seeds=[1, 2, 3, 5], spread=[0.0, 0.01, 0.02])
            + _grid(seeds=[1, 5], spread=[0.04])
            + _grid(seeds=[1, 3, 5], spread=[0.0], steady=[True])
        ),
        lambda row: (row["share"] <= 0.05 and row["high"] <= 0.06) if row["spread"] <= 0.02 else None,
    ),
    "accuracy": (coverage, 2000, _accuracy_grid, _covers),
    "macro-f1": (coverage, 2000, _f1_grid, _covers),
    "power": (
        power,
        1000,
        _power_grid,
        lambda row: row["share"] >= 0.9 if (row["gap"], row["rows"], row["seeds"]) == (0.1, 500, 5) else None,
    ),
    "decide": (
        rows_promised,
        1000,
        lambda: [
            {"gap": 0.25, "seeds": 1, "spread": 0.02},
            {"gap": 0.1, "seeds": 2, "spread": 0.01},
            {"gap": 0.1, "seeds": 3, "spread": 0.02},
            {"gap": 0.06, "seeds": 5, "spread": 0.01},
        ],
        lambda row: bool(_LEAST_POWER <= row["share"] <= _MOST_POWER),
    ),
    "real": (
        twice_for_real,
        500,
        lambda: _grid(source=["resumes", *([str(STUDY)] if STUDY.exists() else [])], seeds=[3]),
        lambda row: row["high"] <= 0.06 or row["share"] <= 0.05,
    ),
}
"""For each part: what is simulated, how often a line, the lines, and whether one meets its target (None: none set)."""


def _work(cell: Cell) -> dict[str, Any]:
    started = time.perf_counter()
    found = PARTS[cell.part][0](cell)
    named = {key: "study" if value == str(STUDY) else value for key, value in cell.settings.items()}
    return {**named, "comparisons": cell.times, **found, "seconds": round(time.perf_counter() - started, 1)}


def run_part(part: str, scale: float, workers: int) -> bool:
    """Run one part, print its table, write its file; return whether all targets are met."""
    _, times, grid, target = PARTS[part]
    cells = [
        Cell(part=part, settings=settings, times=max(20, round(times * scale)), number=number)
        for number, settings in enumerate(grid())
    ]
    started = time.perf_counter()
    with ProcessPoolExecutor(workers) as pool:
        lines = list(pool.map(_work, cells))
    for line in lines:
        line["meets_target"] = target(line)
    judged = [line["meets_target"] for line in lines if line["meets_target"] is not None]
    print(f"\n{part}: {sum(judged)} of {len(judged)} judged lines meet the target")
    for line in lines:
        print(
            "  " + "  ".join(f"{key} {_short(value)}" for key, value in line.items() if key != "comparisons"),
            flush=True,
        )
    report = {
        "part": part,
        "comparisons_per_line": cells[0].times,
        "seconds": round(time.perf_counter() - started, 1),
        "judged": len(judged),
        "met": sum(judged),
        "lines": [{key: round(v, 5) if isinstance(v, float) else v for key, v in line.items()} for line in lines],
    }
    write_json(HERE / "results" / f"calibration-{part}.json", report)
    return all(judged)


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> int:
    """Run the parts named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="parts to run; all without any")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the comparisons, for a quick look")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    chosen = parser.parse_args()
    met = [run_part(part, chosen.scale, chosen.workers) for part in chosen.parts or PARTS]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())

"""How reliable the confidence figures are: the chance in a calibration error, a threshold's coverage, the best order.

    python -m benchmarks.statistics.confidence --out benchmarks/results

Three parts. `chance`: models whose probabilities are true, on 64 to 3,080 test rows; the calibration error that they
show beside the one that is predicted. `coverage`: a threshold chosen on some validation rows, and the share of test
rows that pass it. `order`: TF-IDF, zero-shot and frozen embeddings on the built-in resumes, five folds; the accuracy of
the most confident answers where confidence is the best score, and where it is its lead over the second.
"""

from typing import Any

import numpy as np

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.texts import examples_at
from showdown.config.target import comparison_for
from showdown.core.calibration import calibration_error, error_if_calibrated
from showdown.core.method import Job, Placement
from showdown.data.gather import gather
from showdown.methods.table import build
from showdown.tasks.classification.confidence import confidence_of, reliability_bins, threshold_for
from showdown.tasks.classification.task import Classification

DRAWS, LABELS, FOLDS = 400, 10, 5
SHARPNESS = {"unsure": 1.0, "middling": 3.0, "sure": 8.0}
"""Standard deviation of the logits."""


def drawn(rows: int, sharpness: float, chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the confidence of each answer and whether it is right, of a model whose probabilities are true."""
    logits = sharpness * chance.normal(size=(rows, LABELS))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    sure = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
    return sure, chance.random(rows) < sure


def chance_part() -> list[dict[str, Any]]:
    """Measure the error of calibrated models."""
    chance = np.random.default_rng(20261125)
    found = []
    for rows in (64, 425, 3080):
        for name, sharpness in SHARPNESS.items():
            bins = [reliability_bins(*drawn(rows, sharpness, chance)) for _ in range(DRAWS)]
            errors = [(calibration_error(one), error_if_calibrated(one)) for one in bins]
            shown, foretold = (round(float(mean), 4) for mean in np.mean(errors, axis=0))
            found.append({"rows": rows, "model": name, "shown": shown, "foretold": foretold})
    return found


def coverage_part() -> list[dict[str, Any]]:
    """Measure the share of test rows that pass a threshold for 90 %."""
    chance = np.random.default_rng(20261126)
    found = []
    for validation, test in ((64, 64), (64, 425), (300, 300), (1500, 1500)):
        shares = []
        for _ in range(DRAWS):
            threshold = threshold_for(0.9, drawn(validation, 3.0, chance)[0])
            shares.append(float((drawn(test, 3.0, chance)[0] >= threshold).mean()))
        low, high = np.percentile(shares, [2.5, 97.5])
        found.append(
            {
                "validation_rows": validation,
                "test_rows": test,
                "answered_mean": round(float(np.mean(shares)), 3),
                "answered_95_percent": [round(float(low), 3), round(float(high), 3)],
            }
        )
    return found


def order_part() -> list[dict[str, Any]]:
    """Measure both orders of real answers."""
    comparison = comparison_for("resumes")
    rows = gather(comparison.data)
    job = Job(
        task=Classification(),
        labels=rows.labels,
        model=comparison.model,
        protocol=comparison.protocol,
        placement=Placement(device="cpu", dtype="float32"),
        seed=0,
    )
    fold = np.random.default_rng(0).permutation(len(rows.texts)) % FOLDS
    found = []
    for name in ("tfidf", "zero-shot", "frozen"):
        scores = np.zeros((len(fold), len(rows.labels)))
        for turn in range(FOLDS):
            test = np.flatnonzero(fold == turn)
            train = np.flatnonzero(fold != turn)
            none = examples_at(rows, train[:0])
            fitted = build(name, {}).fit(examples_at(rows, train), job, validation=none).predictor
            scores[test] = fitted.scores([rows.texts[row] for row in test], batch_rows=16)
        right = scores.argmax(axis=1) == np.asarray(rows.targets)
        orders = {"best": scores.max(axis=1), "lead": confidence_of(scores, "decision score")}
        found.append({"method": name, "rows": len(right), "accuracy": round(float(right.mean()), 3)})
        found[-1] |= {
            f"surest_{share}_percent_by_{by}": _of_surest(share, order, right)
            for by, order in orders.items()
            for share in (50, 90)
        }
    return found


def _of_surest(percent: int, order: np.ndarray, right: np.ndarray) -> float:
    kept = np.argsort(-order, kind="stable")[: percent * len(right) // 100]
    return round(float(right[kept].mean()), 3)


def main() -> None:
    """Measure the three parts, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    found: dict[str, Any] = {"draws": DRAWS}
    for name, part in (("chance", chance_part), ("coverage", coverage_part), ("order", order_part)):
        found[name] = part()
        for line in found[name]:
            print(name, *(f"{key} {value}" for key, value in line.items()), sep="  ", flush=True)
    write_result(options, found)


if __name__ == "__main__":
    main()

"""Which rule of when training ends is best: what patience watches, and how the learning rate falls.

    python -m benchmarks.statistics.schedules --data FOLDER --out benchmarks/results

FOLDER holds CSV files with the columns `text` and `label`. Every training goes through the product's loop at the
default learning rate; only the rule of when it ends differs. The weights that it keeps answer the test rows, once.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.statistics.learning_rates import Bench, Measured
from showdown.core.task import Validation


def _judged_by(found: Validation, score: float) -> Validation:
    return replace(found, score=score, values={**found.values, "true_label_probability": score})


def _by_f1(found: Validation) -> Validation:
    return _judged_by(found, found.values["f1_macro"])


def _by_loss(found: Validation) -> Validation:
    """Watch the geometric mean of the right labels' probabilities, which falls as the loss rises."""
    return _judged_by(found, math.exp(-found.loss))


RULES: Mapping[str, tuple[Measured, Mapping[str, Any]]] = {
    "default: patience on the right label's probability": (lambda found: found, {}),
    "patience on macro F1": (_by_f1, {}),
    "patience on the loss": (_by_loss, {}),
    "linear fall over 3 epochs": (lambda found: found, {"epochs": 3, "patience_epochs": None}),
    "linear fall over 10 epochs": (lambda found: found, {"epochs": 10, "patience_epochs": None}),
    "linear fall over 20 epochs": (lambda found: found, {"epochs": 20, "patience_epochs": None}),
}


def trainings(data: Path, model: str, method: str) -> Iterator[dict[str, Any]]:
    """Train by each rule; yield its scores and epochs."""
    bench = Bench(data, model, method, 0)
    for rule, (measured, protocol) in RULES.items():
        record = bench.train(1.0, measured=measured, **protocol)
        kept = ("data", "model", "method", "train_rows", "test_rows", "accuracy", "epochs", "best_epoch", "stopped")
        yield {"rule": rule, **{key: record.get(key) for key in kept}}


def summary(found: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line a rule: mean accuracy, mean distance to the best rule of a cell, and epochs."""
    best: dict[tuple[str, str], float] = {}
    for one in found:
        cell = (one["data"], one["method"])
        best[cell] = max(best.get(cell, 0.0), one["accuracy"] or 0.0)
    for rule in RULES:
        of_rule = [one for one in found if one["rule"] == rule]
        scores = [100 * (one["accuracy"] or 0.0) for one in of_rule]
        losses = [100 * (best[one["data"], one["method"]] - (one["accuracy"] or 0.0)) for one in of_rule]
        epochs = mean(one["epochs"] or 0 for one in of_rule)
        yield f"{rule}: {mean(scores):.1f} %, loss {mean(losses):.1f} (most {max(losses):.1f}), {epochs:.0f} epochs"


def main() -> None:
    """Train by every rule on every data set with every method, print and write."""
    parser = argument_parser(__file__, __doc__)
    parser.add_argument("--model", default="all-minilm-l6-v2")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--names", nargs="+", default=["resumes", "requests", "custody"])
    parser.add_argument("--methods", nargs="+", default=["full", "lora"])
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for name in options.names:
        for method in options.methods:
            for record in trainings(options.data / f"{name}.csv", options.model, method):
                print(json.dumps(record), flush=True)
                found.append(record)
    print(*summary(found), sep="\n")
    write_result(options, {"trainings": found})


if __name__ == "__main__":
    main()

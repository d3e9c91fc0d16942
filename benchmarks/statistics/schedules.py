"""Which rule ends a training best: what is watched, and how the rate falls.

    python benchmarks/schedules.py --data FOLDER --out benchmarks/results/schedules.json

FOLDER holds CSV files with the columns `text` and `label`. Every training goes through the product's loop at the
default rate; only the rule of its end differs. The test rows are answered by the weights that it leaves, once.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from rates import Bench, Measured

from showdown.training.loop import Validation


def _by_f1(found: Validation) -> Validation:
    return replace(found, true_label_probability=found.f1_macro)


def _by_loss(found: Validation) -> Validation:
    """The geometric mean of what the right labels get, which falls as the loss rises."""
    return replace(found, true_label_probability=math.exp(-found.loss))


RULES: Mapping[str, tuple[Measured, Mapping[str, Any]]] = {
    "default: patience on the right label's probability": (lambda found: found, {}),
    "patience on macro F1": (_by_f1, {}),
    "patience on the loss": (_by_loss, {}),
    "linear fall over 3 epochs": (lambda found: found, {"epochs": 3, "patience_epochs": None}),
    "linear fall over 10 epochs": (lambda found: found, {"epochs": 10, "patience_epochs": None}),
    "linear fall over 20 epochs": (lambda found: found, {"epochs": 20, "patience_epochs": None}),
}


def trainings(data: Path, model: str, method: str) -> Iterator[dict[str, Any]]:
    """Train by each rule; yield what each came to."""
    bench = Bench(data, model, method, 0)
    for rule, (measured, protocol) in RULES.items():
        said = bench.train(1.0, measured=measured, **protocol)
        kept = ("data", "model", "method", "train_rows", "test_rows", "accuracy", "epochs", "best_epoch", "stopped")
        yield {"rule": rule, **{key: said.get(key) for key in kept}}


def summary(found: list[dict[str, Any]]) -> Iterator[str]:
    """Say each rule's mean accuracy, its mean loss to the best rule of a cell, and its epochs."""
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
    """Train by every rule on every cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="all-minilm-l6-v2")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--names", nargs="+", default=["resumes", "requests", "custody"])
    parser.add_argument("--methods", nargs="+", default=["full", "lora"])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: list[dict[str, Any]] = []
    for name in options.names:
        for method in options.methods:
            for said in trainings(options.data / f"{name}.csv", options.model, method):
                print(json.dumps(said), flush=True)
                found.append(said)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(*summary(found), sep="\n")


if __name__ == "__main__":
    main()

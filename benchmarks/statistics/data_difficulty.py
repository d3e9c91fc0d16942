"""How hard the built-in resumes are for methods without fine-tuning: grouped, stratified 5-fold cross-validation.

python -m benchmarks.statistics.data_difficulty --out benchmarks/results
"""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.texts import examples_at
from showdown.core.method import Job, Placement
from showdown.core.spec import DataSpec, ModelSpec, SharedProtocol
from showdown.data.gather import gather
from showdown.methods.table import build
from showdown.tasks.classification.task import Classification

FOLDS = 5
METHODS = {"tfidf": {}, "zero-shot": {"template": "Resume of a {label}"}, "frozen": {}}


def main() -> None:
    """Measure the accuracy of each method over all rows, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    rows = gather(DataSpec())
    job = Job(
        task=Classification(),
        labels=rows.labels,
        model=ModelSpec(),
        protocol=SharedProtocol(max_tokens=256),
        placement=Placement(device="cpu", dtype="float32"),
        seed=0,
    )
    targets, groups = np.array(rows.targets), np.array(rows.duplicate_groups)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    splits = list(folds.split(targets, targets, groups))
    found = []
    for name, settings in METHODS.items():
        right = 0
        for train, test in splits:
            none = examples_at(rows, train[:0])
            fitted = build(name, settings).fit(examples_at(rows, train), job, validation=none)
            scores = fitted.predictor.scores([rows.texts[index] for index in test], batch_rows=32)
            right += int((scores.argmax(axis=1) == targets[test]).sum())
        found.append({"method": name, "rows": len(targets), "right": right, "accuracy": right / len(targets)})
        print(f"{name:<10} accuracy {100 * right / len(targets):.1f} % ({right} of {len(targets)} rows)")
    write_result(options, {"folds": FOLDS, "methods": found})


if __name__ == "__main__":
    main()

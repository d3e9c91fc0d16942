"""How hard the built-in resumes are for methods that need no fine-tuning: grouped, stratified 5-fold cross-validation.

python benchmarks/data_difficulty.py
"""

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from showdown.core.method import Job, LabelledTexts, Placement
from showdown.core.spec import DataSpec, ModelSpec, SharedProtocol
from showdown.data.rows import Rows, gather
from showdown.methods.table import build

FOLDS = 5
METHODS = {"tfidf": {}, "zero-shot": {"template": "Resume of a {label}"}, "frozen": {}}


def main() -> None:
    """Print the accuracy of each method over all rows."""
    rows = gather(DataSpec())
    job = Job(
        labels=rows.labels,
        model=ModelSpec(),
        protocol=SharedProtocol(max_tokens=256),
        placement=Placement(device="cpu", dtype="float32"),
        seed=0,
    )
    targets, clusters = np.array(rows.targets), np.array(rows.clusters)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    splits = list(folds.split(targets, targets, clusters))
    for name, settings in METHODS.items():
        right = 0
        for train, test in splits:
            fitted = build(name, settings).fit(_subset(rows, train), job)
            scores = fitted.classifier.scores([rows.texts[index] for index in test], batch_rows=32)
            right += int((scores.argmax(axis=1) == targets[test]).sum())
        print(f"{name:<10} accuracy {100 * right / len(targets):.1f} % ({right} of {len(targets)} rows)")


def _subset(rows: Rows, indices: np.ndarray) -> LabelledTexts:
    return LabelledTexts(
        texts=tuple(rows.texts[index] for index in indices),
        targets=tuple(rows.targets[index] for index in indices),
        row_ids=tuple(rows.row_ids[index] for index in indices),
        clusters=tuple(rows.clusters[index] for index in indices),
    )


if __name__ == "__main__":
    main()

"""Confidences of known calibration for the runs of a written comparison."""

from pathlib import Path

import numpy as np

from showdown.core.record import Results, RunRecord, ScoreKind
from showdown.tasks.classification.confidence import measure_confidence

KINDS: dict[str, ScoreKind] = {"tfidf": "decision score", "zero-shot": "similarity"}
"""By method; the others give probabilities."""
TEMPERATURES = {"full": 2.5}
"""Above 1 a method is surer of itself than it may be."""
VALIDATION_ROWS = 150


def with_confidences(folder: Path, results: Results, rows: int) -> Results:
    """Give every completed run test rows, drawn from what its scores are worth, and write the results anew."""
    measured = results.model_copy(
        update={"runs": [_measured(run, rows, place, folder) for place, run in enumerate(results.runs)]}
    )
    (folder / "results.json").write_text(measured.model_dump_json(), encoding="utf-8")
    return measured


def _measured(run: RunRecord, rows: int, place: int, folder: Path) -> RunRecord:
    if run.status != "completed":
        return run
    chance = np.random.default_rng(place)
    labels, kind = len(run.labels), KINDS.get(run.method, "probability")
    logits = 3.0 * chance.normal(size=(rows + VALIDATION_ROWS, labels))
    true = _draw(_softmax(logits / TEMPERATURES.get(run.method, 1.0)), chance)
    scores = _softmax(logits) if kind == "probability" else logits
    if run.method == "majority":
        scores = np.tile(np.arange(labels, 0, -1) / np.arange(labels + 1).sum(), (len(logits), 1))
    test, targets = scores[VALIDATION_ROWS:], true[VALIDATION_ROWS:]
    matrix = np.zeros((labels, labels), dtype=int)
    np.add.at(matrix, (targets, test.argmax(axis=1)), 1)
    answers = test.argmax(axis=1).tolist()
    lines = [
        f"{row},{row},{run.labels[target]},{run.labels[answer]}"
        for row, (target, answer) in enumerate(zip(targets.tolist(), answers, strict=True), start=1)
    ]
    content = "\n".join(["row,cluster,label,predicted", *lines]) + "\n"
    (folder / str(run.predictions_file)).write_text(content, encoding="utf-8")
    return run.model_copy(
        update={
            "confidence": measure_confidence(kind, scores[:VALIDATION_ROWS], test, targets.tolist()),
            "score_kind": kind,
            "confusion_matrix": matrix.tolist(),
            "accuracy": float(matrix.trace() / rows),
        }
    )


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _draw(shares: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    drawn = (shares.cumsum(axis=1) < chance.random((len(shares), 1))).sum(axis=1)
    return np.minimum(drawn, shares.shape[1] - 1)

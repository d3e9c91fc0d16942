"""A real comparison of a cheap method with itself: is a difference declared?"""

from typing import Any

import numpy as np

from benchmarks.lib.texts import STUDY, different_texts
from showdown.verdict.classification.answers import Answers
from showdown.verdict.classification.mcnemar import mcnemar_exact, paired_test
from showdown.verdict.outcomes import ArmOutcomes, Ints
from showdown.verdict.paired import ALPHA, Side, corrected_resampled_t
from showdown.verdict.simulation import SIMULATED
from showdown.verdict.spread import reruns_of

from .cell import Cell, Lines, grid, shares, with_target


def twice_for_real(cell: Cell) -> dict[str, float | None]:
    """Compare TF-IDF with a linear SVM with itself under another name; each run trains on a resample of the rows."""
    from sklearn.feature_extraction.text import CountVectorizer

    rng = cell.rng()
    texts, labels = different_texts(cell.settings["source"])
    targets = np.unique(labels, return_inverse=True)[1]
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
        false += _p_value(answers, targets[test]) <= ALPHA
        single += _p_value(answers[:, :1], targets[test]) <= ALPHA
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


def _p_value(answers: Ints, true: Ints) -> float:
    """Test two arms, given as answers of shape (2, seeds, rows)."""
    rows = np.arange(len(true))
    parts = [Answers(predicted=one, true=true, clusters=rows, row_ids=rows) for one in answers]
    entries = [
        ArmOutcomes(name=str(place), traits=SIMULATED, parts={0: part}, seeds=len(part.predicted), test_over_train=0.0)
        for place, part in enumerate(parts)
    ]
    sides = [Side(values=row.parts[0].values, reruns=reruns_of(row, entries)) for row in entries]
    return paired_test(sides[0], sides[1], rows).p_value


def _resampled_run(counts: Any, targets: Ints, train: Ints, test: Ints, rng: np.random.Generator) -> Ints:
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.svm import LinearSVC

    drawn = rng.choice(train, len(train))
    known = np.flatnonzero(counts[drawn].getnnz(axis=0))
    weigh = TfidfTransformer(sublinear_tf=True)
    machine = LinearSVC().fit(weigh.fit_transform(counts[drawn][:, known]), targets[drawn])
    return np.asarray(machine.predict(weigh.transform(counts[test][:, known])))


def real_lines() -> Lines:
    """Return the built-in resumes and, where it is present, the study's data."""
    return with_target(grid(source=["resumes", *([str(STUDY)] if STUDY.exists() else [])], seeds=[3]), most=0.05)

"""Is the search for rows to look at first as precise as it claims, and does it name nothing where it is not?

    python -m benchmarks.statistics.look_first --out benchmarks/results       # under a minute

Texts of 30 words drawn by Zipf's law, of which a share comes from 40 words of their label's own: the smaller the share,
the harder the labels. The labels of some rows are wrong, and the search does not know which: the true precision is the
share of these among the rows that it names; the measured bounds are what it estimates by swapping labels itself.
"""

import numpy as np

from benchmarks.lib.result import argument_parser, write_result
from benchmarks.lib.texts import zipf_texts
from showdown.data.inspection import vectors_of
from showdown.data.suspects import find_suspects, measure_precision

ROWS, LABELS, WORDS, VOCABULARY, OWN_WORDS = 2_000, 10, 30, 5_000, 40
OWN_SHARES = (0.04, 0.06, 0.08, 0.10, 0.15, 0.20)
WRONG_SHARES = (0.0, 0.02, 0.05, 0.10)
SEEDS = 3


def rows(own_share: float, seed: int) -> tuple[list[str], np.ndarray]:
    """Return texts and their true labels."""
    rng = np.random.default_rng([seed, round(1_000 * own_share)])
    words, labels = zipf_texts(
        rng, rows=ROWS, labels=LABELS, words=WORDS, vocabulary=VOCABULARY, own_words=OWN_WORDS, own_share=own_share
    )
    return [" ".join(row) for row in words], labels


def case(own_share: float, wrong_share: float) -> dict[str, float]:
    """Measure one case over all seeds."""
    accuracy: list[float] = []
    bounds: list[tuple[float, float]] = []
    named = right = clean_named = spoke = 0
    for seed in range(SEEDS):
        texts, labels = rows(own_share, seed)
        rng = np.random.default_rng([seed, 7])
        wrong = rng.choice(ROWS, round(wrong_share * ROWS), replace=False)
        given = labels.copy()
        given[wrong] = (labels[wrong] + rng.integers(1, LABELS, len(wrong))) % LABELS
        vectors = vectors_of(texts)
        precision = measure_precision(vectors, given)
        found, probabilities = find_suspects(vectors, given)
        accuracy.append(float(np.mean(probabilities.argmax(axis=1) == labels)))
        bounds.append(precision.bounds)
        spoke += precision.enough
        named, right = named + len(found), right + int(np.isin(found, wrong).sum())
        clean_named += int((~np.isin(found, wrong)).sum())
    return {
        "own_share": own_share,
        "wrong_share": wrong_share,
        "witness_accuracy": round(float(np.mean(accuracy)), 3),
        "measured_low": round(float(np.mean(bounds, axis=0)[0]), 3),
        "measured_high": round(float(np.mean(bounds, axis=0)[1]), 3),
        "true_precision": round(right / max(1, named), 3),
        "clean_rows_named": round(clean_named / (SEEDS * ROWS * (1 - wrong_share)), 4),
        "spoke": spoke,
        "of": SEEDS,
    }


def main() -> None:
    """Measure every case, print and write."""
    options = argument_parser(__file__, __doc__).parse_args()
    lines = []
    for own_share in OWN_SHARES:
        for wrong_share in WRONG_SHARES:
            lines.append(case(own_share, wrong_share))
            print("  ".join(f"{key} {value}" for key, value in lines[-1].items()), flush=True)
    write_result(options, {"rows": ROWS, "labels": LABELS, "seeds": SEEDS, "lines": lines})


if __name__ == "__main__":
    main()

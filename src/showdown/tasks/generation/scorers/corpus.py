"""Scores of all answers together, from sums over the rows: corpus chrF and perplexity.

Each has the same two parts: statistics of each row, shape (rows, k), and a function from their sums, shape (..., k), to
the score, shape (...). `bootstrap_interval` takes both.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from sacrebleu import extract_char_ngrams

Floats = npt.NDArray[np.float64]
ORDER = 6
"""Longest character n-gram of chrF, sacrebleu's default."""
_BETA_SQUARED = 4
"""Square of chrF's beta, sacrebleu's default of 2."""


def chrf_statistics(wanted: Iterable[str], written: Iterable[str]) -> Floats:
    """Return what corpus chrF is computed from: shape (rows, 3 * `ORDER`), counts.

    For each length of n-grams, the shortest first: n-grams of the written answer (0 where the wanted one has none), of
    the wanted one, and of both.

    Raises:
        ValueError: where there are not as many of both.

    """
    rows = [_row(right, answer) for right, answer in zip(wanted, written, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(-1, 3 * ORDER)


def chrf_of_sums(sums: Floats) -> Floats:
    """Return chrF from 0 to 1 of summed statistics, shape (..., 3 * `ORDER`) to (...).

    It is sacrebleu's `corpus_score` over 100: the F-measure of precision and recall, each the mean over the lengths of
    which both sides have n-grams; 0 where there are none.
    """
    written, wanted, both = np.moveaxis(np.asarray(sums).reshape(*np.shape(sums)[:-1], ORDER, 3), -1, 0)
    counts = (written > 0) & (wanted > 0)
    lengths = np.maximum(1, counts.sum(-1))
    precision = (both * counts / np.maximum(1, written)).sum(-1) / lengths
    recall = (both * counts / np.maximum(1, wanted)).sum(-1) / lengths
    below = _BETA_SQUARED * precision + recall
    found: Floats = (1 + _BETA_SQUARED) * precision * recall / np.where(below > 0, below, 1)
    return np.minimum(found, 1.0)


def perplexity_statistics(losses: Sequence[float], tokens: Sequence[int]) -> Floats:
    """Return what perplexity is computed from: shape (rows, 2).

    Args:
        losses: of each row the sum over its tokens of the negative logarithm (natural) of the token's probability.
        tokens: of each row the number of these tokens, at least 1.

    """
    return np.stack([np.asarray(losses, dtype=np.float64), np.asarray(tokens, dtype=np.float64)], axis=1)


def perplexity_of_sums(sums: Floats) -> Floats:
    """Return exp(sum of losses / sum of tokens), shape (..., 2) to (...): at least 1, lower is better.

    Infinite where the mean loss is over 709, which no float holds.
    """
    sums = np.asarray(sums)
    with np.errstate(over="ignore"):
        found: Floats = np.exp(sums[..., 0] / sums[..., 1])
    return found


def _row(wanted: str, written: str) -> list[int]:
    found: list[int] = []
    for length in range(1, ORDER + 1):
        right, answer = extract_char_ngrams(wanted, length), extract_char_ngrams(written, length)
        both = sum(min(count, right[ngram]) for ngram, count in answer.items() if ngram in right)
        found += [answer.total() if right else 0, right.total(), both]
    return found

"""chrF: the character n-grams that two texts share, by sacrebleu."""

import functools

from sacrebleu.metrics.chrf import CHRF


def chrf(wanted: str, written: str) -> float:
    """Return chrF of one answer, from 0 to 1 (Popović 2015), with sacrebleu's defaults.

    Character n-grams of 1 to 6 characters without white space, no word n-grams, beta 2: recall weighs twice as much as
    precision. sacrebleu's figure over 100. An answer without characters scores 0.
    """
    return min(1.0, float(_metric().sentence_score(written, [wanted]).score) / 100)


@functools.cache
def _metric() -> CHRF:
    return CHRF()

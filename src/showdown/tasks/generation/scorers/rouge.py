"""ROUGE-L: the longest common subsequence of the words of two texts.

It gives what the package rouge-score gives without its stemmer (a test compares the two). The package is no dependency,
because it computes the subsequence in a table of all pairs of words: docs/decisions/0004-libraries.md has the figures.
"""

import re
from collections.abc import Sequence

_WORD = re.compile("[a-z0-9]+")


def rouge_l(wanted: str, written: str) -> float:
    """Return the F-measure of ROUGE-L, from 0 to 1 (Lin 2004, with beta 1 as rouge-score has it).

    2 LCS / (words wanted + words written), the harmonic mean of recall and precision. Words are runs of the letters a
    to z and of digits, in lower case. They are not stemmed, as by rouge-score's default: its stemmer is of English, and
    an answer with a wrong ending is not the wanted one. A text without such letters scores 0.
    """
    right, answer = words(wanted), words(written)
    return 2 * _common(right, answer) / (len(right) + len(answer)) if right and answer else 0.0


def words(text: str) -> list[str]:
    """Return the words of a text as rouge-score's tokenizer splits it."""
    return _WORD.findall(text.lower())


def are_latin(wanted: Sequence[str]) -> bool:
    """Return whether at least half of the wanted answers keep at least half of their letters and digits as words."""
    return bool(wanted) and 2 * sum(_is_latin(answer) for answer in wanted) >= len(wanted)


def _is_latin(text: str) -> bool:
    letters = sum(map(str.isalnum, text.lower()))
    return letters > 0 and 2 * sum(map(len, words(text))) >= letters


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence.

    One whole row of the usual table is the bits of one number (Hyyrö 2004, "Bit-parallel LCS-length computation
    revisited"): 0 where the length grows. So time is that of words times words over the bits of a machine word, and
    memory grows with the words and not with their square.
    """
    long, short = sorted((first, second), key=len, reverse=True)
    places: dict[str, int] = dict.fromkeys(short, 0)
    for place, word in enumerate(long):
        if word in places:
            places[word] |= 1 << place
    every = (1 << len(long)) - 1
    row = every
    for word in short:
        same = row & places[word]
        row = ((row + same) | (row - same)) & every
    return len(long) - row.bit_count()

"""Find truncated copies: texts that are the beginning or the end of another one."""

from collections.abc import Iterator, Sequence

import numpy as np

from showdown.data.similarity import Ints
from showdown.data.wording import Wording

LEAST_WORDS = {"spaced": 8, "characters": 20, "unspaced": 40}
"""Fewest words (characters) of a truncated copy. Many texts have a shorter beginning in common."""
LEAST_SHARE = 0.52
"""Lowest share of the longer text's words in a truncated copy. Half of a text may be boilerplate."""
_LEAST_LOST = 2
"""Fewest words that were cut off. In a short text, one word more may carry the meaning."""
_FOLLOWERS = 25
"""Most texts that are compared with each beginning."""


def truncated_pairs(texts: Sequence[Wording], groups: Ints) -> tuple[Ints, Ints]:
    """Return the pairs of texts of which one is the beginning or the end of the other, even if cut within a word.

    A text that begins several texts that are not near-copies of each other is boilerplate, such as a greeting or a
    heading, and no copy.

    Args:
        texts: different texts.
        groups: the group of near-copies of each text, shape (texts,).

    """
    long_enough = [index for index, text in enumerate(texts) if len(text.words) >= LEAST_WORDS[text.script]]
    joined = [" ".join(texts[index].words) for index in long_enough]
    lengths = [len(texts[index].words) for index in long_enough]
    found = {
        (long_enough[first], long_enough[second])
        for strings in (joined, [text[::-1] for text in joined])
        for first, second in _beginnings(strings, groups[long_enough])
        if LEAST_SHARE * lengths[second] <= lengths[first] <= lengths[second] - _LEAST_LOST
    }
    pairs = np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _beginnings(strings: Sequence[str], groups: Ints) -> Iterator[tuple[int, int]]:
    """Yield the pairs where the first string begins the second. A string that begins unrelated texts has no pair."""
    order = sorted(range(len(strings)), key=strings.__getitem__)
    for position, first in enumerate(order):
        followers = []
        for second in order[position + 1 : position + 1 + _FOLLOWERS]:
            if not strings[second].startswith(strings[first]):
                break
            followers.append(second)
        if len({int(groups[second]) for second in followers} - {int(groups[first])}) == 1:
            yield from ((first, second) for second in followers)

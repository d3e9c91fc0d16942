"""Texts that are the beginning or the end of another one: copies that were cut."""

from collections.abc import Iterator, Sequence

import numpy as np

from showdown.data.alike import Ints
from showdown.data.wording import Wording

LEAST_WORDS = {"spaced": 8, "characters": 20, "unspaced": 40}
"""A shorter beginning is what many texts have in common."""
LEAST_SHARE = 0.52
"""Of the longer text's words that the cut one holds. Half may be boilerplate that another text begins with."""
_LEAST_LOST = 2
"""Words that were cut off; one word more may be what a short text asks for."""
_FOLLOWERS = 25
"""Texts with one beginning that are looked at."""


def truncated_pairs(texts: Sequence[Wording], groups: Ints) -> tuple[Ints, Ints]:
    """Return the pairs of texts of which one begins or ends the other; a cut within a word counts, too.

    A text that begins several that are no near-copies of each other is a greeting, a heading or boilerplate, and no
    copy of any of them.

    Args:
        texts: different texts.
        groups: the group of near-copies of each.

    """
    long_enough = [index for index, text in enumerate(texts) if len(text.words) >= LEAST_WORDS[text.script]]
    said = [" ".join(texts[index].words) for index in long_enough]
    lengths = [len(texts[index].words) for index in long_enough]
    found = {
        (long_enough[first], long_enough[second])
        for strings in (said, [text[::-1] for text in said])
        for first, second in _beginnings(strings, groups[long_enough])
        if LEAST_SHARE * lengths[second] <= lengths[first] <= lengths[second] - _LEAST_LOST
    }
    pairs = np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _beginnings(strings: Sequence[str], groups: Ints) -> Iterator[tuple[int, int]]:
    """Yield the pairs of which the first string begins the second; none of a string that begins different texts."""
    order = sorted(range(len(strings)), key=strings.__getitem__)
    for position, first in enumerate(order):
        begun = []
        for second in order[position + 1 : position + 1 + _FOLLOWERS]:
            if not strings[second].startswith(strings[first]):
                break
            begun.append(second)
        if len({int(groups[second]) for second in begun} - {int(groups[first])}) == 1:
            yield from ((first, second) for second in begun)

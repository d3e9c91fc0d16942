"""Networks that give a row other answers beside a longer one."""

from collections.abc import Sequence
from itertools import groupby

PADDING_COUNTS = ("canine", "convbert", "fnet", "nystromformer", "xlnet", "yoso")
"""transformers' `model_type` of networks whose convolutions, Fourier transforms, landmarks or hashes take padding in,
or which are pooled at the last position, padding or not."""


def of_equal_length(lengths: Sequence[int]) -> list[list[int]]:
    """Return the rows, by number, in groups of one length each."""
    by_length = sorted(range(len(lengths)), key=lambda row: lengths[row])
    return [list(rows) for _, rows in groupby(by_length, key=lambda row: lengths[row])]

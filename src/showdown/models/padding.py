"""Networks whose answer for a row depends on the padding of its batch."""

from collections.abc import Sequence
from itertools import groupby

PADDING_COUNTS = ("canine", "convbert", "fnet", "nystromformer", "xlnet", "yoso")
"""transformers' `model_type` of networks whose convolutions, Fourier transforms, landmarks or hashes include padding,
or which are pooled at the last position, padding or not."""


def of_equal_length(lengths: Sequence[int]) -> list[list[int]]:
    """Return the numbers of the rows, in groups of one length each."""
    by_length = sorted(range(len(lengths)), key=lambda row: lengths[row])
    return [list(rows) for _, rows in groupby(by_length, key=lambda row: lengths[row])]

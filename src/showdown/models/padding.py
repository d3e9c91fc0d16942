"""Rows that are padded: networks whose answer for a row depends on the padding, and attention over such rows."""

from collections.abc import Sequence
from itertools import groupby

PADDING_COUNTS = ("canine", "convbert", "fnet", "nystromformer", "xlnet", "yoso")
"""transformers' `model_type` of networks whose convolutions, Fourier transforms, landmarks or hashes include padding,
or which are pooled at the last position, padding or not."""


def of_equal_length(lengths: Sequence[int]) -> list[list[int]]:
    """Return the numbers of the rows, in groups of one length each."""
    by_length = sorted(range(len(lengths)), key=lambda row: lengths[row])
    return [list(rows) for _, rows in groupby(by_length, key=lambda row: lengths[row])]


def attend_without_plans() -> None:
    """Keep torch's own attention from cuDNN's kernel in this process, also where activations are recomputed.

    On a Hopper GPU torch prefers it, and it builds a plan for each new number of rows and tokens: padded rows come in
    new shapes all the time, and steps of BERT-base took two to five times as long (`docs/forecast.md`). Packed decoders
    are not affected: they call cuDNN themselves, with one plan for all packs.
    """
    import torch

    torch.backends.cuda.enable_cudnn_sdp(False)

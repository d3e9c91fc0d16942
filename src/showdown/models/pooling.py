"""How the vectors of a text's tokens become one."""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Pooling = Literal["mean", "last", "cls"]
"""The mean of the last layer's vectors, that of the last token, or that of the first one, where BERT has `[CLS]`."""


def pooled(hidden: "torch.Tensor", mask: "torch.Tensor", pooling: Pooling) -> "torch.Tensor":
    """Make one vector of those of a text's tokens: shape (rows, width).

    Args:
        hidden: of each token, shape (rows, tokens, width); padding comes last.
        mask: 1 for a token and 0 for padding, shape (rows, tokens).
        pooling: how.

    """
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        ends = (mask.sum(dim=1) - 1)[:, None, None].expand(-1, 1, hidden.shape[2])
        return hidden.gather(1, ends).squeeze(1)
    return (hidden * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)

"""torch's attention over packed sequences as an attention of transformers, where flash-attn is not installed.

It is the same kernel: torch has FlashAttention 2 built in. TRL's padding-free batches need an attention of this kind.
"""

from typing import Any

import torch

NAME = "torch_varlen"


def register() -> None:
    """Have transformers know the attention under `NAME`."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import flash_attention_mask

    AttentionInterface.register(NAME, _attend)
    AttentionMaskInterface.register(NAME, flash_attention_mask)


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend within each sequence of a pack; query, key and value have shape (1, heads, tokens, width)."""
    from torch.nn.attention.varlen import varlen_attn

    assert attention_mask is None, "a pack has no padding"
    starts, longest = kwargs["cu_seq_lens_q"], kwargs["max_length_q"]
    kind = query.dtype
    if kind == torch.float32 and torch.is_autocast_enabled(query.device.type):
        kind = torch.get_autocast_dtype(query.device.type)  # as transformers' own FlashAttention does
    heads = (states[0].transpose(0, 1).to(kind) for states in (query, key, value))
    return varlen_attn(*heads, starts, starts, longest, longest, scale=scaling, window_size=(-1, 0))[None], None


def add_starts(batch: dict[str, Any]) -> dict[str, Any]:
    """Add to a padding-free batch where its sequences begin, so that no layer has to look for it.

    Args:
        batch: with `position_ids` of shape (1, tokens), which begin anew with each sequence.

    """
    positions = batch["position_ids"][0]
    starts = torch.cat([(positions == 0).nonzero()[:, 0], torch.tensor([positions.numel()])]).to(torch.int32)
    longest = int(starts.diff().max())
    return batch | {
        "cu_seq_lens_q": starts, "cu_seq_lens_k": starts, "max_length_q": longest, "max_length_k": longest,
    }  # fmt: skip

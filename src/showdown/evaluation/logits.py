"""The logits of many examples, computed in batches of similar length."""

from collections.abc import Sequence

import torch

from showdown.core.task import ForwardPath


def logits_of(
    module: torch.nn.Module, forward: ForwardPath, ids: Sequence[Sequence[int]], batch_rows: int
) -> torch.Tensor:
    """Return the logits of each example, without gradients, dropout off: shape (examples, labels), float32, on the CPU.

    Args:
        module: the network. It is left in the mode (training or not) that it was in.
        forward: its forward path.
        ids: token ids of each example.
        batch_rows: examples in one forward pass.

    """
    by_length = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    was_training = module.training
    if was_training:  # the walk through the modules of a 7B with adapters takes longer than some of its answers
        module.eval()
    blocks = []
    with torch.no_grad():
        for start in range(0, len(by_length), batch_rows):
            rows = by_length[start : start + batch_rows]
            blocks.append(forward.logits([torch.tensor(ids[row]) for row in rows]).float().cpu())
    if was_training:
        module.train()
    found = torch.cat(blocks)
    return found[torch.argsort(torch.tensor(by_length))]

"""How a language model is judged on the validation examples after each epoch.

The selection score is the mean probability that the network gives to the right next token of the wanted answers. It
needs no writing, uses every token at every epoch, and changes smoothly, where the exact matches of a few dozen answers
jump.
"""

from collections.abc import Sequence

import torch
from torch import nn

from showdown.core.language import LanguagePath
from showdown.core.task import EncodedExamples, Validation

SCORE, ACCURACY = "token_probability", "token_accuracy"
"""Keys of an epoch in `curve.json`."""
_BATCH_ROWS = 16


def validate(module: nn.Module, forward: LanguagePath, examples: EncodedExamples) -> Validation:
    """Judge a network on the validation examples. It is left in the mode (training or not) that it was in."""
    losses, right = token_losses(module, forward, examples)
    every = torch.cat(losses)
    score, loss = float(every.neg().exp().mean()), float(every.mean())
    values = {ACCURACY: float(torch.cat(right).double().mean()), "loss": loss, SCORE: score}
    return Validation(score=score, loss=loss, values=values)


def token_losses(
    module: nn.Module, forward: LanguagePath, examples: EncodedExamples
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the loss of each token that counts, and whether it was the network's first choice, for each example.

    Returns:
        Losses in nats, float64, and booleans: one tensor of shape (tokens that count,) for each example.

    """
    was_training = module.training
    module.eval()
    by_length = sorted(range(len(examples.ids)), key=lambda row: len(examples.ids[row]))
    losses: list[torch.Tensor] = [torch.empty(0)] * len(by_length)
    right = list(losses)
    for start in range(0, len(by_length), _BATCH_ROWS):
        rows = by_length[start : start + _BATCH_ROWS]
        of_rows = _of_batch(forward, [examples.ids[row] for row in rows], [examples.targets[row] for row in rows])
        for row, loss, hit in zip(rows, *of_rows, strict=True):
            losses[row], right[row] = loss, hit
    module.train(was_training)
    return losses, right


def _of_batch(
    forward: LanguagePath, ids: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    losses, right = [], []
    flat = torch.tensor([target for row in targets for target in row])
    for logits, block in forward.logit_blocks([torch.tensor(row) for row in ids], flat):
        wanted = block.to(logits.device)
        chosen = torch.log_softmax(logits, dim=-1).gather(1, wanted[:, None])[:, 0]
        losses.append(chosen.double().neg().cpu())
        right.append((logits.argmax(dim=-1) == wanted).cpu())
    counts = [sum(target >= 0 for target in row) for row in targets]
    return list(torch.split(torch.cat(losses), counts)), list(torch.split(torch.cat(right), counts))

"""Contrastive fine-tuning of a sentence encoder: texts of one label are drawn together, those of two labels apart.

After SetFit (Tunstall et al., arXiv 2209.11055): the squared difference of a pair's cosine from 1, for two texts of one
label, or from 0 is minimised. In a round each training row stands in one pair of either kind, its partners drawn anew.
The rate warms up as the protocol says and then falls linearly to 0.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from showdown.core.spec import SharedProtocol
from showdown.engine.optim.settings import OptimizerSettings
from showdown.engine.optim.table import build_optimizer
from showdown.models.embedding import Embedder

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs of training rows, by their numbers."""

    first: Places
    second: Places
    cosine: npt.NDArray[np.float32]
    """What the cosine of their embeddings should be: 1 or 0."""


def train_on_pairs(
    embedder: Embedder,
    ids: Sequence[Sequence[int]],
    targets: Sequence[int],
    protocol: SharedProtocol,
    *,
    learning_rate: float,
    rounds: int,
    seed: int,
) -> int:
    """Train the embedder's network in place, and return how many rounds were begun.

    Args:
        embedder: with its network in float32.
        ids: token ids of each training row.
        targets: label of each.
        protocol: says how many rows make a step, how the rate warms up, and the limits of gradient and time.
        learning_rate: the peak.
        rounds: the most rounds; fewer where the time that the protocol allows is over.
        seed: of the pairs, and of dropout.

    Raises:
        FloatingPointError: when the loss is no number.

    """
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    labels = np.asarray(targets, dtype=np.int64)
    parameters = dict(embedder.module.named_parameters())
    optimizer = build_optimizer(parameters, OptimizerSettings(weight_decay=protocol.weight_decay))
    a_round = math.ceil(len(ids) / protocol.effective_batch_rows)
    steps = rounds * a_round
    warmup = math.ceil(protocol.warmup_fraction * steps) if protocol.warmup_steps is None else protocol.warmup_steps
    allowed, began = protocol.seconds_allowed, time.perf_counter()
    embedder.module.train()
    step = 0
    for _ in range(rounds):
        if allowed is not None and time.perf_counter() - began >= allowed:
            break
        order = generator.permutation(len(ids))
        for start in range(0, len(order), protocol.effective_batch_rows):
            optimizer.begin(learning_rate * rate_factor(step, warmup=warmup, steps=steps))
            loss = pair_loss(
                embedder, ids, drawn_pairs(order[start : start + protocol.effective_batch_rows], labels, generator)
            )
            if not torch.isfinite(loss):
                raise FloatingPointError(
                    f"the loss of pairs is {float(loss)} at step {step + 1}; a lower learning rate may hold"
                )
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.end(protocol.max_gradient_norm)
            step += 1
    embedder.module.eval()
    return math.ceil(step / a_round)


def rate_factor(step: int, *, warmup: int, steps: int) -> float:
    """Return what the peak rate is multiplied by at a 0-based step: up to 1 in the warm-up, then down to 0."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (steps - step) / max(1, steps - warmup)


def drawn_pairs(rows: Places, labels: Places, generator: np.random.Generator) -> Pairs:
    """Draw two partners for each row: one of its own label, and one of another.

    A row that is alone in its label gets no partner of its own label, and where there is one label none gets another.

    Args:
        rows: numbers of the rows.
        labels: of all rows.
        generator: draws.

    """
    found: list[tuple[int, int, float]] = []
    for row in rows:
        same = labels == labels[row]
        for cosine, allowed in ((1.0, same & (np.arange(len(labels)) != row)), (0.0, ~same)):
            candidates = np.flatnonzero(allowed)
            if len(candidates):
                found.append((int(row), int(generator.choice(candidates)), cosine))
    first, second, cosines = zip(*found, strict=True) if found else ((), (), ())
    return Pairs(
        first=np.array(first, dtype=np.int64),
        second=np.array(second, dtype=np.int64),
        cosine=np.array(cosines, dtype=np.float32),
    )


def pair_loss(embedder: Embedder, ids: Sequence[Sequence[int]], pairs: Pairs) -> torch.Tensor:
    """Return the mean squared error of the pairs' cosines: a scalar. Each text of them is embedded once."""
    rows, places = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    vectors = embedder.vectors([ids[row] for row in rows])
    first, second = (torch.tensor(half, device=vectors.device) for half in np.split(places.ravel(), 2))
    wanted = torch.tensor(pairs.cosine, device=vectors.device)
    return ((vectors[first] * vectors[second]).sum(dim=-1) - wanted).square().mean()

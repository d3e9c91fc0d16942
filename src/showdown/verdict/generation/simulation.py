"""Simulated written answers with known true scores, for tests and for calibration."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from showdown.core.metric import METRICS, Metric
from showdown.verdict.generation.writings import Writings
from showdown.verdict.outcomes import ArmOutcomes, Floats, Ints
from showdown.verdict.simulation import SIMULATED

Kind = Literal["right", "fields", "overlap", "losses"]
"""What rows score: 1 or 0, as exact match; the share of some fields that are right, as the F1 of JSON fields; any value
between 0 and 1, as ROUGE-L; or losses of answers of unequal length, as the token loss and perplexity."""
METRIC_OF: dict[Kind, Metric] = {
    "right": METRICS["exact_match"],
    "fields": METRICS["json_fields"],
    "overlap": METRICS["rouge_l"],
    "losses": METRICS["token_loss"],
}
_FIELDS = 4
_WIDTH = 0.8
"""Standard deviation of the normal variable behind an overlap, and of the logarithm of a row's loss a token."""
_TOKENS = np.arange(5, 60)
"""Numbers of tokens of a wanted answer, all alike frequent."""
_LONGER_IS_EASIER = 0.3
"""A row's loss a token falls with its tokens to this power: so rows and tokens do not weigh alike."""


@dataclass(frozen=True, kw_only=True)
class WrittenWorld:
    """How the scores of simulated methods depend on each other.

    The score of a row follows a normal variable. Shares of its variance: how hard the row is for all, how hard it is
    for one method, the rest for each run anew.
    """

    kind: Kind
    row_share: float = 0.5
    method_share: float = 0.25
    copies: int = 1
    """Rows of a cluster, which are equally hard."""
    spread: float = 0.0
    """Standard deviation of the true mean between trainings of one method, in the metric."""


def draw_arms(
    rng: np.random.Generator, world: WrittenWorld, *, means: Floats, rows: int, seeds: int
) -> list[ArmOutcomes]:
    """Draw methods on the same test rows.

    Args:
        rng: the source of chance.
        world: how scores hang together.
        means: shape (methods,): the true mean score of each over all rows and trainings; of losses, that a token.
        rows: test rows.
        seeds: trainings of each method.

    """
    clusters = np.arange(rows) // world.copies
    hard = np.sqrt(world.row_share) * rng.standard_normal(clusters.max() + 1)[clusters]
    tokens = rng.choice(_TOKENS, clusters.max() + 1)[clusters]
    arms = []
    for place, mean in enumerate(means):
        own = np.sqrt(world.method_share) * rng.standard_normal(clusters.max() + 1)[clusters]
        parts = _FIELDS if world.kind == "fields" else 1
        rest = np.sqrt(1.0 - world.row_share - world.method_share) * rng.standard_normal((seeds, parts, rows))
        trained = mean + np.clip(world.spread * rng.standard_normal(seeds), -_room(world, mean), _room(world, mean))
        part = _part(world, hard + own + rest, trained[:, None], tokens, clusters)
        arms.append(ArmOutcomes(name=str(place), traits=SIMULATED, parts={0: part}, seeds=seeds, test_over_train=0.0))
    return arms


def _room(world: WrittenWorld, mean: float) -> float:
    """Return how far a training's true mean may lie from that of all trainings, on either side."""
    return float(mean if world.kind == "losses" else min(mean, 0.999 - mean))


def _part(world: WrittenWorld, normal: Floats, means: Floats, tokens: Ints, clusters: Ints) -> Writings:
    """Return the rows of one method.

    Args:
        world: how scores hang together.
        normal: shape (seeds, parts, rows), of variance 1.
        means: shape (seeds, 1): the true mean of each training.
        tokens: shape (rows,).
        clusters: shape (rows,).

    """
    seeds, _, rows = normal.shape
    metric = METRIC_OF[world.kind]
    losses = scores = None
    if world.kind == "losses":
        losses = tokens * _losses_a_token(normal[:, 0], means, tokens)
    elif world.kind == "overlap":
        scores = special.ndtr(_WIDTH * normal[:, 0] + np.sqrt(1 + _WIDTH**2) * special.ndtri(means))
    else:
        scores = (normal < special.ndtri(means)[:, :, None]).mean(axis=1)
    return Writings(
        row_ids=np.arange(rows),
        clusters=clusters,
        metric=metric,
        keys=() if scores is None else (metric.key,),
        scores=np.zeros((0, seeds, rows)) if scores is None else np.asarray(scores, dtype=np.float64)[None],
        answers=np.zeros((seeds, rows), dtype=np.int64),
        losses=losses,
        tokens=None if losses is None else np.broadcast_to(tokens, losses.shape).astype(np.float64),
    )


def _losses_a_token(normal: Floats, means: Floats, tokens: Ints) -> Floats:
    """Return lognormal losses a token whose mean over all tokens is what is asked for."""
    easier = tokens**-_LONGER_IS_EASIER
    mean = (_TOKENS ** (1 - _LONGER_IS_EASIER)).sum() / _TOKENS.sum()
    return np.asarray(means * np.exp(_WIDTH * normal - _WIDTH**2 / 2) * easier / mean)

"""Comparisons with known truth: methods that agree as real ones do, reruns that spread."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from showdown.verdict.outcomes import Floats, Ints


@dataclass(frozen=True, kw_only=True)
class World:
    """How the answers of simulated methods hang together.

    A row is answered rightly where a normal score passes the threshold of the run's accuracy. Shares of that score's
    variance: how hard the row is for all, how hard it is for one method, the rest for each run anew.
    """

    row_share: float = 0.5
    method_share: float = 0.25
    labels: int = 5
    rarity: float = 0.5
    """Label k has a weight of 1 / k to this power: 0 makes all labels equally frequent."""

    @property
    def label_weights(self) -> Floats:
        """Share of each label."""
        weights = 1.0 / np.arange(1, self.labels + 1) ** self.rarity
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    @property
    def label_ease(self) -> Floats:
        """What is added to a label's accuracy, in shares of the method's error; nothing over all rows."""
        ease = np.linspace(-0.4, 0.4, self.labels)
        return np.asarray(ease - ease @ self.label_weights, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Answers of simulated methods on the same test rows."""

    true: Ints
    """Shape (rows,)."""
    predicted: Ints
    """Shape (methods, seeds, rows)."""

    @property
    def correct(self) -> Floats:
        """Shape (methods, seeds, rows)."""
        return np.asarray(self.predicted == self.true, dtype=np.float64)


def simulate(
    rng: np.random.Generator, world: World, *, accuracies: Floats, spread: float, seeds: int, rows: int
) -> Simulated:
    """Draw one comparison.

    Args:
        rng: the source of chance.
        world: how answers hang together.
        accuracies: shape (methods,): the true mean accuracy of each over all rows and reruns.
        spread: standard deviation of a rerun's true accuracy, as a fraction of 1. It is less than asked for where
            an accuracy near 1 leaves no room: a rerun's accuracy stays as far below 1 as its mean allows above.
        seeds: reruns of each method.
        rows: test rows.

    """
    methods = len(accuracies)
    true = rng.choice(world.labels, rows, p=world.label_weights)
    usual_rival = (true + 1) % world.labels
    other_rival = (true + rng.integers(1, world.labels, rows)) % world.labels
    rival = np.where(rng.random(rows) < 0.6, usual_rival, other_rival)
    rest = 1.0 - world.row_share - world.method_share
    score = (
        np.sqrt(world.row_share) * rng.standard_normal(rows)
        + np.sqrt(world.method_share) * rng.standard_normal((methods, 1, rows))
        + np.sqrt(rest) * rng.standard_normal((methods, seeds, rows))
    )
    mean = np.asarray(accuracies, dtype=np.float64)[:, None]
    room = 0.999 - mean
    swing = np.clip(spread * rng.standard_normal((methods, seeds)), -room, room)
    accuracy = (mean + swing)[..., None]
    right = score < special.ndtri(accuracy + world.label_ease[true] * (1.0 - accuracy))
    return Simulated(true=true, predicted=np.where(right, true, rival))


def true_macro_f1(world: World, accuracy: float) -> float:
    """Macro F1 over all rows of a simulated method.

    A rerun's macro F1 is linear in its accuracy only nearly; over spreads of 2 points the difference is below 0.0005.
    """
    share = world.label_weights
    wrong_to = np.zeros((world.labels, world.labels))
    for label in range(world.labels):
        wrong_to[label, (label + 1) % world.labels] += 0.6
        for step in range(1, world.labels):
            wrong_to[label, (label + step) % world.labels] += 0.4 / (world.labels - 1)
    hits = share * (accuracy + world.label_ease * (1.0 - accuracy))
    predicted = hits + (share - hits) @ wrong_to
    return float(np.mean(2 * hits / (share + predicted)))

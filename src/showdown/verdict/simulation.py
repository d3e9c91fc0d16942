"""Simulated comparisons with known truth, for tests and for calibration."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from showdown.core.traits import Traits, fine_tuned
from showdown.verdict.classification.answers import Answers
from showdown.verdict.outcomes import ArmOutcomes, Floats, Ints

SIMULATED = fine_tuned()
"""Traits of a simulated method, unless others are given: its answers depend on its seed."""
DETERMINISTIC = Traits(role="cheap", deterministic=True, reads="words")
"""Traits of a simulated method that answers alike with every seed."""


@dataclass(frozen=True, kw_only=True)
class World:
    """How the answers of simulated methods depend on each other.

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
class Trainings:
    """How trainings of one method differ that differ in their seed alone."""

    spread: float = 0.0
    """Standard deviation of a training's true accuracy, as a fraction of 1. It is less than asked for where an accuracy
    near 1 leaves no room: a training's accuracy stays as far below 1 as its mean allows above."""
    seeds: int = 1
    folds: int = 1
    """Trainings of each seed; each answers a part of the rows, as in a cross-validation."""
    collapsing: float = 0.0
    """Share of trainings that end at chance, 1 / labels."""
    tails: float = float("inf")
    """Degrees of freedom of Student's distribution from which spreads are drawn; infinite for normal ones."""


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """Answers of simulated methods on the same test rows."""

    true: Ints
    """Shape (rows,)."""
    predicted: Ints
    """Shape (methods, seeds, rows)."""
    clusters: Ints
    """Shape (rows,)."""
    folds: Ints | None
    """Shape (rows,): which training of a seed answered a row; None where one answered all."""

    @property
    def correct(self) -> Floats:
        """Shape (methods, seeds, rows)."""
        return np.asarray(self.predicted == self.true, dtype=np.float64)

    def outcomes(self, method: int) -> Answers:
        """Return one method's answers as the verdict reads them."""
        return Answers(
            predicted=self.predicted[method],
            true=self.true,
            clusters=self.clusters,
            row_ids=np.arange(len(self.true)),
            folds=self.folds,
        )

    def row(self, method: int, traits: Traits = SIMULATED) -> ArmOutcomes:
        """Return one method as an arm."""
        seeds = self.predicted.shape[1]
        return ArmOutcomes(
            name=str(method), traits=traits, parts={0: self.outcomes(method)}, seeds=seeds, test_over_train=0.0
        )


def simulate(
    rng: np.random.Generator,
    world: World,
    *,
    accuracies: Floats,
    rows: int,
    trainings: Trainings = Trainings(),
    copies: int = 1,
) -> Simulated:
    """Draw one comparison.

    Args:
        rng: the source of chance.
        world: how answers hang together.
        accuracies: shape (methods,): the true mean accuracy of each over all rows and reruns that did not
            collapse.
        rows: test rows.
        trainings: the trainings of each method.
        copies: rows of a cluster, which are equally hard and have one label.

    """
    methods, seeds = len(accuracies), trainings.seeds
    clusters = np.arange(rows) // copies
    of_cluster = clusters.max() + 1
    true = rng.choice(world.labels, of_cluster, p=world.label_weights)[clusters]
    usual_rival = (true + 1) % world.labels
    other_rival = (true + rng.integers(1, world.labels, rows)) % world.labels
    rival = np.where(rng.random(rows) < 0.6, usual_rival, other_rival)
    rest = 1.0 - world.row_share - world.method_share
    score = (
        np.sqrt(world.row_share) * rng.standard_normal(of_cluster)[clusters]
        + np.sqrt(world.method_share) * rng.standard_normal((methods, 1, of_cluster))[..., clusters]
        + np.sqrt(rest) * rng.standard_normal((methods, seeds, rows))
    )
    folds = rng.permutation(rows) % trainings.folds if trainings.folds > 1 else None
    accuracy = _accuracies(rng, world, accuracies, trainings)[..., np.zeros(rows, np.int64) if folds is None else folds]
    right = score < special.ndtri(np.clip(accuracy + world.label_ease[true] * (1.0 - accuracy), 1e-9, 1 - 1e-9))
    return Simulated(true=true, predicted=np.where(right, true, rival), clusters=clusters, folds=folds)


def _accuracies(rng: np.random.Generator, world: World, accuracies: Floats, trainings: Trainings) -> Floats:
    """Draw the true accuracy of each training: shape (methods, seeds, folds)."""
    shape = (len(accuracies), trainings.seeds, trainings.folds)
    mean = np.asarray(accuracies, dtype=np.float64)[:, None, None]
    room = 0.999 - mean
    if np.isinf(trainings.tails):
        drawn = rng.standard_normal(shape)
    else:
        drawn = rng.standard_t(trainings.tails, shape) * np.sqrt((trainings.tails - 2) / trainings.tails)
    accuracy = mean + np.clip(trainings.spread * drawn, -room, room)
    return np.asarray(np.where(rng.random(shape) < trainings.collapsing, 1.0 / world.labels, accuracy))


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

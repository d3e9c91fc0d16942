"""Is the verdict right where it ranks by another metric than accuracy, and one label is rare?"""

import numpy as np
from scipy import special

from showdown.core.metric import Metric, metric_named
from showdown.verdict.arm_intervals import arm_intervals
from showdown.verdict.classification.answers import Answers
from showdown.verdict.influence import row_values
from showdown.verdict.outcomes import ArmOutcomes, Floats
from showdown.verdict.paired import ALPHA
from showdown.verdict.pairs import compare
from showdown.verdict.simulation import DETERMINISTIC, SIMULATED

from .cell import Cell, Lines, grid, shares, with_target

_RARE = "1"
_LABELS = {"0": 0, _RARE: 1}
_ALARMS = 0.005
"""Share of the frequent label's rows that every method takes for the rare one."""
_ROW_SHARE, _METHOD_SHARE = 0.5, 0.25
"""As in `showdown.verdict.simulation.World`."""
_MANY_TRAININGS, _MANY_ROWS = 400, 40_000


def _trained_recalls(rng: np.random.Generator, recall: float, spread: float, seeds: int) -> Floats:
    """Draw the true recall of each training, in a symmetric range around the mean that stays between 0 and 1."""
    room = min(recall, 1 - recall)
    return recall + np.clip(spread * rng.standard_normal(seeds), -room, room)


def _draw(rng: np.random.Generator, cell: Cell, recalls: Floats) -> list[ArmOutcomes]:
    """Draw methods on the same test rows; each finds its share of the rare label's rows.

    Args:
        rng: the source of chance.
        cell: the line.
        recalls: shape (methods,): how much of the rare label each method finds, the mean over its trainings; 0 is the
            constant answer.

    """
    rows, seeds = cell["rows"], cell["seeds"]
    true = (rng.random(rows) < cell["share_of_label"]).astype(np.int64)
    hard = np.sqrt(_ROW_SHARE) * rng.standard_normal(rows)
    found = []
    for place, recall in enumerate(recalls):
        own = hard + np.sqrt(_METHOD_SHARE) * rng.standard_normal(rows)
        noise = np.sqrt(1 - _ROW_SHARE - _METHOD_SHARE) * rng.standard_normal((seeds, rows))
        trained = _trained_recalls(rng, recall, cell["spread"], seeds)[:, None]
        ease = np.where(true == 1, special.ndtri(np.clip(trained, 1e-9, 1 - 1e-9)), special.ndtri(_ALARMS))
        scores = (ease + own + noise) if recall > 0 else np.zeros((seeds, rows))
        part = Answers(
            predicted=(scores > 0).astype(np.int64),
            true=true,
            clusters=np.arange(rows),
            row_ids=np.arange(rows),
            scores=scores,
        )
        traits = SIMULATED if recall > 0 else DETERMINISTIC
        found.append(ArmOutcomes(name=str(place), traits=traits, parts={0: part}, seeds=seeds, test_over_train=0.0))
    return found


def _truth(rng: np.random.Generator, cell: Cell, metric: Metric, recall: float) -> float:
    """Return a method's metric over very many rows, as the mean over its trainings."""
    if recall == 0 or metric.of_counts is None:
        many = Cell(part="metric", settings={**cell.settings, "rows": _MANY_ROWS, "seeds": 50}, times=1, number=0)
        return row_values(metric, _draw(rng, many, np.array([recall]))[0].parts[0]).value
    trained, share = _trained_recalls(rng, recall, cell["spread"], _MANY_TRAININGS), cell["share_of_label"]
    right = np.stack([np.full(_MANY_TRAININGS, (1 - share) * (1 - _ALARMS)), share * trained], axis=1)
    true = np.broadcast_to([1 - share, share], right.shape)
    predicted = right + (true - right)[:, ::-1]
    if metric.place is not None:
        true, predicted, right = (found[:, metric.place :][:, :1] for found in (true, predicted, right))
    return float(np.mean(metric.of_counts(true, predicted, right)))


def metric(cell: Cell) -> dict[str, float | None]:
    """How often is a false difference shown, does an interval hold the truth, or is a true difference found?"""
    rng, by = cell.rng(), metric_named(cell["metric"]).at(_LABELS)
    recalls = np.array(cell["recalls"])
    truths = [_truth(rng, cell, by, recall) for recall in recalls] if cell["asks"] == "interval" else []
    hits, width = 0, 0.0
    for _ in range(cell.times):
        rows = _draw(rng, cell, recalls)
        if cell["asks"] == "interval":
            found = arm_intervals(rows[0], rows, by)["score"]
            hits += found.low <= truths[0] <= found.high
            width += found.high - found.low
            continue
        judged = compare(rows[0], rows[1], metric=by)
        hits += judged is not None and judged.test.p_value <= ALPHA
        width += judged.test.effect.high - judged.test.effect.low if judged else 0.0
    return {**shares(hits, cell.times), "width_points": 100 * width / cell.times}


def metric_lines() -> Lines:
    """Equal methods, the intervals of one, and one that finds 60 % of the label beside one that finds nothing."""
    of_label = {"share_of_label": [0.03]}
    seeds = {"seeds": [1, 3], "spread": [0.0, 0.03]}
    data = [
        *grid(metric=["f1_macro"], rows=[1000, 3000], **seeds, **of_label),
        *grid(
            metric=["balanced_accuracy", "mcc", f"f1:{_RARE}", f"average_precision:{_RARE}"],
            rows=[1000],
            seeds=[1, 3],
            spread=[0.03],
            **of_label,
        ),
    ]
    return [
        *with_target([{"asks": "equal", "recalls": (0.6, 0.6), **line} for line in data], most=0.05),
        *with_target([{"asks": "interval", "recalls": (0.6,), **line} for line in data], least=0.93),
        *with_target([{"asks": "power", "recalls": (0.0, 0.6), **line} for line in data], least=0.9),
        *with_target([{"asks": "interval", "recalls": (0.1,), **line} for line in data if line["spread"]], least=0.93),
    ]

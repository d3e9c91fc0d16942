"""Is the verdict right about written answers, whose scores are any number?"""

import numpy as np

from showdown.core.metric import METRICS, Metric
from showdown.verdict.arm_intervals import arm_intervals
from showdown.verdict.generation.simulation import METRIC_OF, WrittenWorld, draw_arms
from showdown.verdict.paired import ALPHA
from showdown.verdict.pairs import compare

from .cell import Cell, Lines, grid, shares, with_target

_MEANS = {"right": 0.7, "fields": 0.8, "overlap": 0.6, "losses": 1.0}
_GAPS = {"right": 0.1, "fields": 0.08, "overlap": 0.05, "losses": 0.2}
"""How much better the better one of two methods is, where one is."""
_SPREADS = {"right": 0.01, "fields": 0.01, "overlap": 0.006, "losses": 0.02}
"""Standard deviation between trainings, where they differ: about 2 % of that between test rows."""


def _metric(cell: Cell) -> Metric:
    return METRICS["perplexity"] if cell.get("perplexity", False) else METRIC_OF[cell["kind"]]


def written(cell: Cell) -> dict[str, float | None]:
    """How often is a false difference shown, does an interval hold the truth, or is a true difference found?"""
    rng, metric, mean = cell.rng(), _metric(cell), _MEANS[cell["kind"]]
    gap = metric.sign * _GAPS[cell["kind"]] if cell["asks"] == "power" else 0.0
    truth = float(np.exp(mean)) if cell.get("perplexity", False) else mean
    spread = _SPREADS[cell["kind"]] if cell["spreads"] else 0.0
    world = WrittenWorld(kind=cell["kind"], copies=cell.get("copies", 1), spread=spread)
    hits, width = 0, 0.0
    for _ in range(cell.times):
        arms = draw_arms(rng, world, means=np.array([mean + gap, mean]), rows=cell["rows"], seeds=cell["seeds"])
        if cell["asks"] == "interval":
            found = arm_intervals(arms[1], arms, metric)["score"]
            hits += found.low <= truth <= found.high
            width += found.high - found.low
            continue
        judged = compare(arms[0], arms[1], arms, metric)
        assert judged is not None
        hits += judged.test.p_value <= ALPHA and judged.test.value > 0 if gap else judged.test.p_value <= ALPHA
        width += judged.test.effect.high - judged.test.effect.low
    return {**shares(hits, cell.times), "width": width / cell.times}


def written_lines() -> Lines:
    """Each kind of score with few rows and many, copies, one seed and three; then planted differences."""
    kinds = [*grid(kind=["right", "fields", "overlap", "losses"]), {"kind": "losses", "perplexity": True}]
    rows = [*grid(rows=[60, 150, 600]), {"rows": 150, "copies": 3}]
    reruns = grid(seeds=[1, 3], spreads=[False, True])
    data = [{**kind, **some, **rerun} for kind in kinds for some in rows for rerun in reruns]
    many = [{**kind, "rows": 600, "seeds": 3, "spreads": True} for kind in kinds]
    return [
        *with_target([{"asks": "equal", **line} for line in data], most=0.05),
        *with_target([{"asks": "interval", **line} for line in data], least=0.93),
        *with_target([{"asks": "power", **line} for line in many], least=0.9),
    ]

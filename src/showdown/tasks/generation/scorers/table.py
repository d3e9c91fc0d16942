"""The table of scores of written answers: one entry each in `SCORERS`.

`core/metric.py` has what each is called and its bounds, under the same key.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from showdown.core.metric import METRICS, Metric

_HERE = "showdown.tasks.generation.scorers"


@dataclass(frozen=True)
class Scorer:
    """A score of one written answer beside the wanted one. Higher is better. The score of a model is the mean."""

    key: str
    """That of its metric."""
    where: str
    """`module:function` of a function (wanted, written) -> float; nothing is imported before it is asked for."""
    applies: str | None
    """`module:function` of a function (wanted answers) -> bool: whether the score makes sense on this data. None: on
    any data."""

    @property
    def metric(self) -> Metric:
        """Return its title, unit and bounds."""
        return METRICS[self.key]

    def function(self) -> Callable[[str, str], float]:
        """Import the score: a function of the wanted and the written answer. It raises nothing, whatever the texts."""
        found: Callable[[str, str], float] = _imported(self.where)
        return found

    def fits(self, wanted: Sequence[str]) -> bool:
        """Return whether the score makes sense on data with these wanted answers."""
        return self.applies is None or bool(_imported(self.applies)(wanted))


def _imported(where: str) -> Any:
    module, _, function = where.partition(":")
    return getattr(importlib.import_module(module), function)


SCORERS: Mapping[str, Scorer] = {
    scorer.key: scorer
    for scorer in (
        Scorer("exact_match", f"{_HERE}.exact_match:exact_match", None),
        Scorer("numeric_match", f"{_HERE}.numeric_match:numeric_match", f"{_HERE}.numeric_match:are_numbers"),
        Scorer("json_valid", f"{_HERE}.json_scores:json_valid", f"{_HERE}.json_scores:are_json"),
        Scorer("json_fields", f"{_HERE}.json_scores:json_fields", f"{_HERE}.json_scores:are_json_objects"),
        Scorer("rouge_l", f"{_HERE}.rouge:rouge_l", f"{_HERE}.rouge:are_latin"),
        Scorer("chrf", f"{_HERE}.chrf:chrf", None),
    )
}
"""All built-in scores, in the order of reports."""

"""Which scores the rows of a comparison get: those that make sense on its wanted answers, and the user's own."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from showdown.core.metric import OWN
from showdown.core.record import OwnScore
from showdown.tasks.generation.scorers.own import OwnScorer, load_scorer
from showdown.tasks.generation.scorers.table import SCORERS

RowScorer = Callable[[int, str, str, str], float]
"""From the row's number, the prompt, the wanted and the written answer to a score."""


@dataclass(frozen=True, kw_only=True)
class Scorers:
    """The scores of the rows of a comparison."""

    functions: Mapping[str, RowScorer]
    """By the key of the metric."""
    own: OwnScore | None
    """What the user's own score is called, and its bounds; None where there is none."""


def fitting_scores(wanted: Sequence[str]) -> list[str]:
    """Return the keys of the built-in scores that make sense on data with these wanted answers."""
    return [key for key, scorer in SCORERS.items() if scorer.fits(wanted)]


def scorers_for(wanted: Sequence[str], own: str | None) -> Scorers:
    """Return the scores of these data.

    Args:
        wanted: all wanted answers.
        own: `protocol.scorer`.

    Raises:
        UserError: where the user's own score cannot be loaded.

    """
    found = {key: _of_answers(SCORERS[key].function()) for key in fitting_scores(wanted)}
    if own is None:
        return Scorers(functions=found, own=None)
    scorer = load_scorer(own, Path())
    lowest, highest = (bound if math.isfinite(bound) else None for bound in (scorer.lowest, scorer.highest))
    return Scorers(
        functions=found | {OWN: _of_rows(scorer)}, own=OwnScore(title=scorer.title, lowest=lowest, highest=highest)
    )


def _of_answers(function: Callable[[str, str], float]) -> RowScorer:
    return lambda row, prompt, wanted, written: function(wanted, written)


def _of_rows(own: OwnScorer) -> RowScorer:
    from showdown.core.chat import shown_prompt

    return lambda row, prompt, wanted, written: own(shown_prompt(prompt), wanted, written, f"data row {row}")

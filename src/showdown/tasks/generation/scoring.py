"""Which scores the rows of a comparison get: those that make sense on its wanted answers, and the user's own."""

from collections.abc import Callable, Sequence
from pathlib import Path

from showdown.tasks.generation.scorers.own import OwnScorer, load_scorer
from showdown.tasks.generation.scorers.table import SCORERS

OWN = "own"
"""Key of the user's own score."""
RowScorer = Callable[[int, str, str, str], float]
"""From the row's number, the prompt, the wanted and the written answer to a score."""


def scorers_for(wanted: Sequence[str], own: str | None) -> dict[str, RowScorer]:
    """Return the scores of these data, by key.

    Args:
        wanted: all wanted answers.
        own: `protocol.scorer`.

    Raises:
        UserError: where the user's own score cannot be loaded.

    """
    found = {key: _of_answers(scorer.function()) for key, scorer in SCORERS.items() if scorer.fits(wanted)}
    return found | ({OWN: _of_rows(load_scorer(own, Path()))} if own else {})


def _of_answers(function: Callable[[str, str], float]) -> RowScorer:
    return lambda row, prompt, wanted, written: function(wanted, written)


def _of_rows(own: OwnScorer) -> RowScorer:
    from showdown.core.chat import shown_prompt

    return lambda row, prompt, wanted, written: own(shown_prompt(prompt), wanted, written, f"data row {row}")

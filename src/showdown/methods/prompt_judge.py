"""Judges prompts by validation rows, within a limit of time, and goes on where an interrupted search stopped."""

import time
from collections.abc import Callable, Sequence

from showdown.core.journal import Journal
from showdown.core.strict import Strict
from showdown.methods.halving import Tally


class _Step(Strict):
    """What one prompt was worth on some rows, as a journal keeps it."""

    prompt: int
    start: int
    stop: int
    """Behind the last row."""
    tokens: int
    probability_sum: float
    loss_sum: float
    seconds: float

    @property
    def tally(self) -> Tally:
        return Tally(
            rows=self.stop - self.start,
            tokens=self.tokens,
            probability_sum=self.probability_sum,
            loss_sum=self.loss_sum,
        )


class PromptJudge:
    """Tells what prompts are worth on rows. No row is judged twice for a prompt, an interruption included."""

    def __init__(
        self, measure: Callable[[int, range], Tally], prompts: int, journal: Journal, seconds_allowed: float | None
    ) -> None:
        """Prepare.

        Args:
            measure: returns what a prompt is worth on some rows.
            prompts: how many there are.
            journal: keeps what was measured.
            seconds_allowed: the most seconds of measuring, an interrupted search's included; the first measurement is
                always made, and one that goes on when they are over is finished. None: no limit.

        """
        self._measure, self._prompts, self._journal, self._allowed = measure, prompts, journal, seconds_allowed
        self._known: dict[tuple[int, int, int], _Step] = {}
        self.seconds = 0.0
        """Spent on all measurements so far."""
        self.cut = False
        """Whether the time was over before the search was."""
        try:
            steps = [_Step.model_validate(written) for written in journal.steps]
        except ValueError:  # not of this search: it starts again
            steps = []
            journal.steps.clear()
        for step in steps:
            self._keep(step)

    def __call__(self, prompt: int, rows: range) -> Tally | None:
        """Return what a prompt is worth on some rows; None where the time is over."""
        known = self._known.get((prompt, rows.start, rows.stop))
        if known is not None:
            return known.tally
        if self._allowed is not None and self.seconds >= self._allowed:
            self.cut = True
            return None
        self._journal.tell(f"training, prompts on {rows.stop} validation rows")
        began = time.perf_counter()
        found = self._measure(prompt, rows)
        step = _Step(
            prompt=prompt,
            start=rows.start,
            stop=rows.stop,
            tokens=found.tokens,
            probability_sum=found.probability_sum,
            loss_sum=found.loss_sum,
            seconds=time.perf_counter() - began,
        )
        self._keep(step)
        self._journal.add(step.model_dump())
        return step.tally

    def _keep(self, step: _Step) -> None:
        self._known[step.prompt, step.start, step.stop] = step
        self.seconds += step.seconds

    def cut_note(self, tallies: Sequence[Tally], rows: int) -> list[str]:
        """Say how far a search came that the limit of time has cut; nothing of one that was finished.

        Args:
            tallies: what each prompt was worth.
            rows: that the last two prompts are judged by in a whole search.

        """
        if not self.cut:
            return []
        judged = [one.rows for one in tallies if one.rows]
        return [
            f"prompt search: cut short by the time limit after {self.seconds:.1f} s; {len(judged)} of {self._prompts} "
            f"prompts were judged, on {max(judged)} of {rows} rows at the most"
        ]

"""A comparison as its trackers follow it: a display that also mirrors each run when it is over."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.core.record import Results, RunRecord
from showdown.trackers.entry import entry_of, summary_of
from showdown.trackers.mirror import Mirror
from showdown.trackers.tracker import Entry
from showdown.verdict.summary import judge

if TYPE_CHECKING:
    from showdown.display.plain import Display


class Tracked:
    """Passes everything on to another display, and mirrors runs between runs, so that no measurement is touched."""

    def __init__(self, shown: "Display", trackers: Sequence[str], output: Path, project: str) -> None:
        """Prepare.

        Args:
            shown: what the user sees.
            trackers: their names.
            output: the comparison's folder.
            project: name of the comparison.

        """
        self._shown = shown
        self._output = output
        self._mirrors = [Mirror(name, output, project, shown.say) for name in trackers]

    def data(self, notices: Sequence[str]) -> None:
        """Pass it on."""
        self._shown.data(notices)

    def plan(self, runs: Sequence[tuple[str, int]], records: Sequence[RunRecord | None]) -> None:
        """Pass it on."""
        self._shown.plan(runs, records)

    def start(self, number: int, name: str, seed: int) -> None:
        """Pass it on."""
        self._shown.start(number, name, seed)

    def event(self, event: dict[str, Any]) -> None:
        """Pass it on."""
        self._shown.event(event)

    def say(self, message: str) -> None:
        """Pass it on."""
        self._shown.say(message)

    def finish(self, record: RunRecord | None) -> None:
        """Pass it on, and mirror the run."""
        self._shown.finish(record)
        if record:
            self._mirror([record])

    def complete(self, results: Results) -> None:
        """Mirror what is not mirrored yet, and the comparison's table."""
        self._mirror([record for record in results.runs if record.status != "cancelled"])
        verdict = judge(results, self._output)
        self._hand_on([summary_of(verdict, results.runs, self._output)])

    def _mirror(self, records: Sequence[RunRecord]) -> None:
        self._hand_on([entry_of(record, self._output) for record in records])

    def _hand_on(self, entries: Sequence[Entry]) -> None:
        for mirror in self._mirrors:
            mirror.write(entries)

"""A display that also mirrors each run for the trackers when it is over."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.events import Event
from showdown.core.record import Results, RunRecord
from showdown.trackers.entry import entry_of, summary_of
from showdown.trackers.mirror import Mirror
from showdown.trackers.tracker import Entry
from showdown.verdict.summary import judge

if TYPE_CHECKING:
    from showdown.display.display import Display, PlannedRun


class Tracked:
    """Passes everything on to another display, and mirrors a run as soon as it is over.

    The comparison waits meanwhile: where one run goes at a time, no measurement is disturbed.
    """

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

    def plan(self, runs: "Sequence[PlannedRun]", records: Sequence[RunRecord | None]) -> None:
        """Pass it on."""
        self._shown.plan(runs, records)

    def start(self, run: "PlannedRun") -> None:
        """Pass it on."""
        self._shown.start(run)

    def event(self, event: Event) -> None:
        """Pass it on."""
        self._shown.event(event)

    def say(self, message: str) -> None:
        """Pass it on."""
        self._shown.say(message)

    def finish(self, run_id: str, record: RunRecord | None) -> None:
        """Pass it on, and mirror the run."""
        self._shown.finish(run_id, record)
        if record:
            self._mirror([record])

    def complete(self, results: Results) -> None:
        """Mirror what is not mirrored yet, and the comparison's table."""
        self._mirror([record for record in results.runs if record.status != "waiting"])
        verdict = judge(results, self._output)
        self._write([summary_of(verdict, results.runs, self._output)])

    def _mirror(self, records: Sequence[RunRecord]) -> None:
        self._write([entry_of(record, self._output) for record in records])

    def _write(self, entries: Sequence[Entry]) -> None:
        for mirror in self._mirrors:
            mirror.write(entries)

"""The file `results.json` while a comparison goes: written after every run, but no more often than it is worth."""

import time
from collections.abc import Mapping, Sequence

from showdown.core.files import write_pieces
from showdown.core.record import Results, RunRecord
from showdown.core.spec import RunSpec
from showdown.data.inspection import DeepAudit, deep_lines
from showdown.runner.prepared import Ready
from showdown.runner.record import waiting_record
from showdown.runner.results_text import pieces
from showdown.runner.store import Store

_ALWAYS = 200
"""The most runs of a comparison whose file is written after each of them."""
_SHARE = 0.05
"""Of the time, that a larger comparison may spend on writing the file."""


class ResultsFile:
    """Writes the results of a comparison. It can be made anew from the folders of the runs at any time."""

    def __init__(self, store: Store, ready: Ready) -> None:
        """Prepare; nothing is written yet.

        Args:
            store: the comparison's folder.
            ready: the comparison.

        """
        self._store, self._ready = store, ready
        self.inspection: DeepAudit | None = None
        """Of the rows; set before the first `write`."""
        self._waiting: dict[str, RunRecord] = {}
        """Records of runs that are not over, by run id."""
        self._due_at = 0.0
        self._behind = False

    def changed(self, run_id: str) -> None:
        """Say that the folder of a run that is not over has changed."""
        self._waiting.pop(run_id, None)

    def seconds_until_due(self) -> float | None:
        """Return how long the last change may still wait to be written; None where there is none."""
        return max(0.0, self._due_at - time.monotonic()) if self._behind else None

    def write_if_due(self, specs: Sequence[RunSpec], records: Mapping[str, RunRecord | None]) -> None:
        """Write as `write` does, unless writing would then take too large a share of the time."""
        if len(specs) > _ALWAYS and time.monotonic() < self._due_at:
            self._behind = True
        else:
            self.write(specs, records)

    def write(self, specs: Sequence[RunSpec], records: Mapping[str, RunRecord | None]) -> Results:
        """Write what there is now.

        Args:
            specs: all runs, in the order of the table.
            records: by run id; None for a run that is not over.

        """
        began = time.monotonic()
        results = self._results([(spec, records[run_id]) for spec, run_id in zip(specs, records, strict=True)])
        write_pieces(self._store.results_file, pieces(results))
        now = time.monotonic()
        self._due_at, self._behind = now + (now - began) / _SHARE, False
        return results

    def _results(self, runs: Sequence[tuple[RunSpec, RunRecord | None]]) -> Results:
        ready, inspection = self._ready, self.inspection
        assert inspection is not None
        return Results(
            name=ready.comparison.name,
            comparison=ready.comparison.model_dump(mode="json"),
            data={
                "fingerprint": ready.fingerprint,
                "labels": ready.labels,
                "allow_leakage": ready.comparison.data.allow_leakage,
                "split": ready.split.model_dump(mode="json"),
                "partitions": ready.partitions,
                "audit": ready.audit.model_dump(mode="json"),
                **({} if ready.written is None else {"written": ready.written.model_dump(mode="json")}),
                "inspection": inspection.model_dump(mode="json"),
                "notices": [*ready.notices, *deep_lines(inspection)],
            },
            runs=[record or self._record_of_waiting(spec) for spec, record in runs],
        )

    def _record_of_waiting(self, spec: RunSpec) -> RunRecord:
        run_id = spec.run_id
        if run_id not in self._waiting:
            self._waiting[run_id] = waiting_record(spec, self._store, self._ready)
        return self._waiting[run_id]

"""MLflow: a SQLite store in the comparison's folder. `showdown sync` copies it to a tracking server."""

import os
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from showdown.core.errors import UserError
from showdown.trackers.tracker import Entry, Tracker

if TYPE_CHECKING:
    from mlflow.entities import Metric

_KEY_TAG = "showdown.key"
_DIGEST_TAG = "showdown.digest"
_BATCH = 1000
"""The most metrics that the server accepts in one request."""
_TABLE = "comparison.json"
_ENTRIES = "entries"
SERVER = "MLFLOW_TRACKING_URI"
_QUIET = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"


class Mlflow(Tracker):
    """Writes each entry as one MLflow run, in an experiment named like the project."""

    def write(self, entry: Entry) -> None:
        """Write a run into the folder's store, and keep the entry as JSON for `upload`."""
        kept = self.folder / _ENTRIES / f"{entry.key}.json"
        _Store(f"sqlite:///{self.folder / 'mlflow.db'}", self.project, (self.folder / "artifacts").as_uri()).put(entry)
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(entry.model_dump_json(), encoding="utf-8")

    def upload(self) -> str:
        """Copy the runs to the server that `MLFLOW_TRACKING_URI` names, except those that it already has."""
        server = os.environ.get(SERVER)
        if not server:
            raise UserError(f"mlflow: set {SERVER} to the server's address, as in {SERVER}=http://127.0.0.1:5000")
        os.environ[_QUIET] = "true"
        store = _Store(server, self.project, None)
        sent = [
            store.put(Entry.model_validate_json(path.read_bytes()))
            for path in sorted((self.folder / _ENTRIES).glob("*.json"))
        ]
        return f"{sum(sent)} runs sent, {len(sent) - sum(sent)} there already"


class _Store:
    """An MLflow store, in the folder or on a server."""

    def __init__(self, uri: str, project: str, artifacts: str | None) -> None:
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        found = self._client.get_experiment_by_name(project)
        self._experiment = (
            found.experiment_id if found else self._client.create_experiment(project, artifact_location=artifacts)
        )

    def put(self, entry: Entry) -> bool:
        """Write an entry unless the store has the same one; return whether it was written."""
        import hashlib

        digest = hashlib.sha256(entry.model_dump_json().encode()).hexdigest()
        for run in self._client.search_runs([self._experiment], f"tags.`{_KEY_TAG}` = '{entry.key}'"):
            if run.data.tags.get(_DIGEST_TAG) == digest:
                return False
            self._client.delete_run(run.info.run_id)
        began = round(1000 * entry.began_unix_seconds)
        run = self._client.create_run(
            self._experiment, start_time=began, tags={_KEY_TAG: entry.key}, run_name=entry.name
        )
        self._fill(run.info.run_id, entry, began)
        # The digest is set last, so that a run that a kill left incomplete is written again.
        self._client.set_tag(run.info.run_id, _DIGEST_TAG, digest)
        finished = "FINISHED" if entry.status == "completed" else "FAILED"
        self._client.set_terminated(run.info.run_id, status=finished)
        return True

    def _fill(self, run_id: str, entry: Entry, began: int) -> None:
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in {**entry.config, "status": entry.status}.items()]
        for start in range(0, len(params), 100):
            self._client.log_batch(run_id, params=params[start : start + 100])
        metrics = _metrics(entry, began)
        while batch := list(islice(metrics, _BATCH)):
            self._client.log_batch(run_id, metrics=batch)
        if entry.table:
            self._client.log_dict(run_id, entry.table.model_dump(), _TABLE)


def _metrics(entry: Entry, began: int) -> "Iterator[Metric]":
    from mlflow.entities import Metric

    for series in entry.series:
        for row in series.rows:
            at = row[series.axis]
            stamp = began + round(1000 * at) if series.axis == "seconds" else began
            for key, value in row.items():
                if key != series.axis:
                    yield Metric(f"{series.name}/{key}", value, stamp, round(at))
    for key, value in entry.scores.items():
        yield Metric(key, value, began, 0)

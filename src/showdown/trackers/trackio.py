"""Trackio: a SQLite file in the comparison's folder. `showdown sync` sends it to a Hugging Face Space."""

import os
from contextlib import suppress
from importlib import import_module
from types import ModuleType

from showdown.core.errors import UserError
from showdown.trackers.tracker import Entry, Tracker

_FOLDER = "TRACKIO_DIR"
SPACE = "TRACKIO_SPACE_ID"


class Trackio(Tracker):
    """Writes each entry as one Trackio run."""

    def write(self, entry: Entry) -> None:
        """Write a run into the folder's database, named by the entry's key."""
        trackio = self._client()
        with suppress(FileNotFoundError, ValueError):
            for before in [run for run in trackio.Api().runs(self.project) if run.name == entry.key]:
                before.delete()
        # Trackio's own monitor would sample this process, not the run.
        trackio.init(
            project=self.project,
            name=entry.key,
            config={**entry.config, "name": entry.name, "status": entry.status},
            embed=False,
            auto_log_cpu=False,
            auto_log_gpu=False,
        )
        for series in entry.series:
            for row in series.rows:
                trackio.log({f"{series.name}/{key}": value for key, value in row.items()}, step=round(row[series.axis]))
        if entry.scores:
            trackio.log(entry.scores)
        if entry.table:
            rows = [dict(zip(entry.table.columns, row, strict=True)) for row in entry.table.rows]
            trackio.log({"comparison": trackio.Table(rows=rows)})
        trackio.finish()

    def upload(self) -> str:
        """Send the project to the Space that `TRACKIO_SPACE_ID` names. A new Space is private."""
        space = os.environ.pop(SPACE, None)
        if not space:
            raise UserError(f"trackio: set {SPACE} to a Hugging Face Space, as in {SPACE}=me/experiments")
        self._client().sync(self.project, space_id=space, private=True, force=True)
        return f"sent to {space}"

    def _client(self) -> ModuleType:
        os.environ[_FOLDER] = str(self.folder)
        return import_module("trackio")

"""Weights & Biases: offline runs. `showdown sync` sends them to an account by way of `wandb sync`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from showdown.core.errors import UserError
from showdown.trackers.tracker import Entry, Tracker

if TYPE_CHECKING:
    from wandb import Settings

_OFFLINE = "wandb"
"""The folder that the client creates inside the tracker's folder."""

_TIMEOUT_SECONDS = 600.0


class Wandb(Tracker):
    """Writes each entry as one offline run."""

    def write(self, entry: Entry) -> None:
        """Write an offline run; its id is the entry's key."""
        for name in ("DIR", "CONFIG_DIR", "CACHE_DIR", "DATA_DIR", "ARTIFACT_DIR"):
            os.environ[f"WANDB_{name}"] = str(self.folder)
        import wandb

        for before in self._runs(entry.key):
            shutil.rmtree(before)
        with wandb.init(
            project=self.project, id=entry.key, name=entry.name, config=entry.config, settings=self._settings(wandb)
        ) as run:
            for series in entry.series:
                run.define_metric(f"{series.name}/{series.axis}")
                run.define_metric(f"{series.name}/*", step_metric=f"{series.name}/{series.axis}")
                for row in series.rows:
                    run.log({f"{series.name}/{key}": value for key, value in row.items()})
            if entry.table:
                run.log({"comparison": wandb.Table(columns=entry.table.columns, data=entry.table.rows)})
            run.summary.update({**entry.scores, "status": entry.status})
        # The client's logs contain paths of this machine.
        for written in (self.folder / _OFFLINE, *self._runs(entry.key)):
            shutil.rmtree(written / "logs", ignore_errors=True)
        for link in (self.folder / _OFFLINE).iterdir():
            if link.is_symlink():
                link.unlink()  # a link to the newest run or its logs

    def _settings(self, wandb: ModuleType) -> "Settings":
        """Return settings that record nothing but the entry: no console, code, git diff, host or account."""
        return wandb.Settings(
            mode="offline",
            root_dir=str(self.folder),
            console="off",
            silent=True,
            disable_code=True,
            disable_git=True,
            disable_job_creation=True,
            save_code=False,
            host="",
            username="",
            email="",
            program="",
            program_relpath="",
            x_disable_meta=True,
            x_disable_stats=True,
            x_disable_machine_info=True,
            x_save_requirements=False,
        )

    def _runs(self, key: str = "*") -> list[Path]:
        return sorted((self.folder / _OFFLINE).glob(f"offline-run-*-{key}"))

    def upload(self) -> str:
        """Run `wandb sync` on every offline run that was not sent before."""
        runs = [run for run in self._runs() if not list(run.glob("*.wandb.synced"))]
        if not runs:
            return "nothing new"
        command = [sys.executable, "-P", "-m", "wandb", "sync", "--project", self.project, *map(str, runs)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise UserError(f"wandb: no answer in {_TIMEOUT_SECONDS:g} s; run the same command again") from late
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()
            last = lines[-1] if lines else f"exit {done.returncode}"
            reason = last.removeprefix("Error: ").partition(". ")[0].rstrip(".")
            raise UserError(f"wandb: upload failed: {reason}; `wandb login` sets the account")
        return f"{len(runs)} runs sent"

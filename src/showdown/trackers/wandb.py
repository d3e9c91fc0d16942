"""Weights & Biases: offline runs, which `wandb sync` sends to an account later."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError
from showdown.trackers.tracker import Entry, Tracker

_OFFLINE = "wandb"
"""The client's own folder inside the tracker's."""

_PATIENCE_SECONDS = 600.0


class Wandb(Tracker):
    """One offline run an entry."""

    def write(self, entry: Entry) -> None:
        """Write an offline run whose id is the entry's key."""
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
        # The client's own logs hold paths of this machine.
        for written in (self.folder / _OFFLINE, *self._runs(entry.key)):
            shutil.rmtree(written / "logs", ignore_errors=True)
        for link in (self.folder / _OFFLINE).iterdir():
            if link.is_symlink():
                link.unlink()  # to the newest run and its logs

    def _settings(self, wandb: Any) -> Any:
        """Return settings under which nothing but what is given is looked at: no console, code, diff, host, account."""
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
        """Run `wandb sync` on every offline run that was not sent yet."""
        runs = [run for run in self._runs() if not list(run.glob("*.wandb.synced"))]
        if not runs:
            return "nothing new"
        command = [sys.executable, "-P", "-m", "wandb", "sync", "--project", self.project, *map(str, runs)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise UserError(f"wandb: no answer in {_PATIENCE_SECONDS:g} s; sent runs stay sent") from late
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            why = said[-1].removeprefix("Error: ").partition(". ")[0].rstrip(".") if said else f"exit {done.returncode}"
            raise UserError(f"wandb: cannot be sent: {why}; `wandb login` names an account")
        return f"{len(runs)} runs sent"

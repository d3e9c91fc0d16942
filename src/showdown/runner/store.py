"""The folder of a comparison: where things are in it, and who may write.

OUT/results.json             the comparison and all its runs, written anew after every run
OUT/comparison.json          what was asked for, defaults filled in
OUT/data/findings.csv        the rows behind each finding of the audit, with inspection.json, its slower part
OUT/data/processed/          train, validation and test as CSV and JSONL, label mapping, manifest
                             (with several folds or repeats in partition-0, partition-1 and so on)
OUT/runs/RUN_ID/spec.json    what the run is
                trials.json  trials that are finished, while a tuning is not over
                tune.json    what tuning yielded
                train.json   what training yielded; committed after the artefact
                artifact/    the saved model
                score.json   what the reloaded artefact scored
                predictions.csv, curve.json, log.txt
                result.json  the run's record, committed last
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.record import Results, RunRecord

_ORPHAN_SECONDS = 3.0
"""A worker whose parent was killed holds the lock until it notices, well within this."""


class Store:
    """One comparison's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.results_file = root / "results.json"
        self.comparison_file = root / "comparison.json"
        self.runs_folder = root / "runs"
        self.data_folder = root / "data"
        self.processed_folder = self.data_folder / "processed"

    def run_folder(self, run_id: str) -> Path:
        """Where a run's files are."""
        return self.runs_folder / run_id

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Hold the folder for this process and its workers; yields the lock's file descriptor to hand on to them.

        Raises:
            UserError: when another process holds it, with its process id.

        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
            raise UserError(f"cannot write in {self.root}: {why}; choose another folder with --output") from error
        try:
            self._wait_for(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def in_use(self) -> bool:
        """Tell whether a comparison runs here now. It looks for a moment: who starts one meanwhile waits."""
        try:
            descriptor = os.open(self.root / ".lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _wait_for(self, descriptor: int) -> None:
        give_up = time.monotonic() + _ORPHAN_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > give_up:
                    holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                    raise UserError(
                        f"{self.root} is in use by PID {holder}; wait for it, or choose another folder with --output"
                    ) from error
                time.sleep(0.1)


def read_record(path: Path) -> RunRecord | None:
    """Read a run's record; None where there is none or it is cut short (the run is then done again)."""
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def read_results(root: Path) -> Results:
    """Read a comparison's results.

    Raises:
        UserError: when the folder holds none, or the file is cut short.

    """
    path = root / "results.json"
    if not path.is_file():
        raise UserError(f"no results.json in {root}; give the folder that `showdown run` wrote (its --output)")
    try:
        return Results.model_validate_json(path.read_bytes())
    except ValueError as error:
        raise UserError(
            f"{path} is cut short or of another version; run the same `showdown run` again to write it anew"
        ) from error

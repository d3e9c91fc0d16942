"""The folder of a comparison: what lies where, and which process may write.

OUT/results.json             the comparison and all its runs, written anew after every run
OUT/comparison.json          the comparison, defaults filled in
OUT/chosen.json              what `auto` seeds and tuning stood for, kept when rows are added
OUT/log.txt                  what the processes print that hold the libraries, before the first stage
OUT/forecast.json            what was forecast before the runs that were left began
OUT/memory.json              on a GPU: the memory plan, and what it was made for
OUT/data/findings.csv        the rows behind each finding of the audit, with inspection.json, its slower part
OUT/data/processed/          train, validation and test as CSV and JSONL, label mapping, manifest
                             (with several folds or repeats in partition-0, partition-1 and so on)
OUT/exports/ARM-FORM/        what an exported model scored (`core/exported.py`)
OUT/runs/RUN_ID/spec.json    what the run is
                started.json when a stage began; there while it goes, and where memory ended it
                trials.json  trials that are finished, while a tuning is not over
                steps.json   prompts that were judged, while a search for a prompt is not over
                tune.json    what tuning yielded
                train.json   what training yielded; committed after the artifact
                artifact/    the saved model, with model.json and confidence.json, which describe it
                score.json   what the reloaded artifact scored
                predictions.csv, curve.json, log.txt
                result.json  the run's record, committed last
"""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from showdown.core.bounds import RequestedComparison, RequestedData
from showdown.core.compact import compact
from showdown.core.contradiction import contradiction
from showdown.core.errors import UserError
from showdown.core.files import read_file, refuse_unsafe
from showdown.core.record import SCHEMA_VERSION, Results, RunRecord
from showdown.core.spec import Comparison, RunSpec
from showdown.runner.old_records import parse_record
from showdown.runner.results_text import read_by_run, without_runs
from showdown.stages.results import StageFile

_ORPHAN_SECONDS = 3.0
"""A worker whose parent was killed holds the lock until it notices, well within this."""
RESULT_FILE, TUNE_FILE, TRAIN_FILE, SCORE_FILE = "result.json", "tune.json", "train.json", "score.json"
FORECAST_FILE = "forecast.json"
TRIALS_FILE, STEPS_FILE = "trials.json", "steps.json"
_OWN_FILE = os.O_NOFOLLOW | os.O_NONBLOCK
"""No link is followed, and a pipe of that name does not block."""

_Stage = TypeVar("_Stage", bound=StageFile)


class Store:
    """One comparison's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock_file = root / ".lock"
        self.results_file = root / "results.json"
        self.comparison_file = root / "comparison.json"
        self.forecast_file = root / FORECAST_FILE
        self.chosen_file = root / "chosen.json"
        self.runs_folder = root / "runs"
        self.data_folder = root / "data"
        self.processed_folder = self.data_folder / "processed"

    def run_folder(self, run_id: str) -> Path:
        """Where a run's files are."""
        return self.runs_folder / run_id

    def lacks_records(self, specs: Sequence[RunSpec]) -> bool:
        """Return whether a run has no record here; a record is not read, and may be of a run that is tried again."""
        return any(not (self.run_folder(spec.run_id) / RESULT_FILE).is_file() for spec in specs)

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Hold the folder for this process and its workers; yields the lock's file descriptor to hand on to them.

        Raises:
            UserError: when another process holds it, with its process id.

        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | _OWN_FILE, 0o644)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise UserError(f"{self._lock_file} is a link; remove it") from error
            why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
            raise UserError(f"cannot write in {self.root}: {why}; choose another folder with --output") from error
        try:
            self._wait_for(descriptor)
            refuse_unsafe(self.root)
            if os.fstat(descriptor).st_nlink == 1:  # else it is some other file too, and that keeps its content
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def refuse_another(self, comparison: Comparison, fingerprint: str) -> None:
        """Refuse a folder that holds another comparison, whose table would be lost.

        Another comparison has another name or other data. Changed settings do not make one, since finished runs stay.
        Data is the same when its path is the same or, after a move, its fingerprint.

        Args:
            comparison: what is to be written here.
            fingerprint: of its data.

        Raises:
            UserError: naming what is there.

        """
        try:
            before = RequestedComparison.model_validate_json(read_file(self.comparison_file))
        except (OSError, ValueError):
            return
        now = RequestedComparison.model_validate(comparison.model_dump(mode="json"))
        same_data = _real_places(before) == _real_places(now) or self._fingerprint() == fingerprint
        if before.name != now.name or not same_data:
            raise UserError(
                f"{self.root} holds the comparison `{before.name}` of {', '.join(_places(before))}; "
                f"choose another folder with --output for `{now.name}` of {', '.join(_places(now))}"
            )

    def _fingerprint(self) -> str | None:
        try:
            return str(json.loads(without_runs(read_file(self.results_file)))["data"]["fingerprint"])
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def refuse_other_schema(self) -> None:
        """Refuse a folder whose results another version of Showdown wrote, rather than write over them.

        Raises:
            UserError: naming the file and the versions.

        """
        with contextlib.suppress(OSError):
            _refuse_other_schema(self.results_file, without_runs(read_file(self.results_file)))

    def refuse_other_stage_files(self, run_id: str) -> None:
        """Refuse the files of a run's stages where another version wrote them.

        Raises:
            UserError: naming the file and the versions.

        """
        for name in (TUNE_FILE, TRIALS_FILE, STEPS_FILE, TRAIN_FILE, SCORE_FILE):
            path = self.run_folder(run_id) / name
            with contextlib.suppress(OSError):
                _refuse_other_schema(path, read_file(path))

    def in_use(self) -> bool:
        """Tell whether a comparison runs here now. The check holds the lock for an instant."""
        try:
            descriptor = os.open(self._lock_file, os.O_RDONLY | _OWN_FILE)
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
        deadline = time.monotonic() + _ORPHAN_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()[:10]
                    raise UserError(
                        f"{self.root} is in use by PID {holder}; wait for it, or choose another folder with --output"
                    ) from error
                time.sleep(0.1)


def _places(asked: RequestedComparison) -> list[str]:
    """Return the source of the data, or its split files."""
    data = asked.data or RequestedData()
    return [place for place in data.files.values() if place] if data.files else [data.source or ""]


def _real_places(asked: RequestedComparison) -> list[str]:
    """Return the same as absolute paths without links and dots, so that one file has one name."""
    return [os.path.realpath(place) for place in _places(asked)]


def read_record(path: Path) -> RunRecord | None:
    """Read a run's record; None where there is none or it is cut short (the run is then done again).

    Raises:
        UserError: when another version of Showdown wrote it: doing the run again would destroy it.

    """
    try:
        content = read_file(path)
    except OSError:
        return None
    try:
        record = compact(parse_record(RunRecord, content))
    except ValidationError:
        _refuse_other_schema(path, content)
        return None
    return None if contradiction(record) else record


def read_stage(kind: type[_Stage], path: Path) -> _Stage | None:
    """Read the file of a run's stage; None where there is none or it is cut short (the stage is then done again).

    Args:
        kind: of the file.
        path: the file.

    Raises:
        UserError: when another version of Showdown wrote it: doing the stage again would destroy it.

    """
    try:
        content = read_file(path)
    except OSError:
        return None
    try:
        return kind.model_validate_json(content)
    except ValidationError:
        _refuse_other_schema(path, content)
        return None


def read_results(root: Path) -> Results:
    """Read a comparison's results, from a folder that may come from elsewhere.

    Raises:
        UserError: when the folder holds none or leads outside, or the file is cut short, of another version, or holds
            values that cannot be.

    """
    path = root / "results.json"
    if not path.is_file():
        raise UserError(f"no results.json in {root}; give the folder that `showdown run` wrote (its --output)")
    refuse_unsafe(root)
    return parse_results(path, read_file(path))


def parse_results(path: Path, content: bytes) -> Results:
    """Return what a results file holds.

    Args:
        path: named in errors.
        content: the file's.

    Raises:
        UserError: as `read_results`.

    """
    fix = "run the same `showdown run` again to write it anew"
    try:
        results = read_by_run(content) or parse_record(Results, content)
    except ValidationError as error:
        _refuse_other_schema(path, content)
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        why = f"`{where}`: {fault['msg']}" if where else "no whole JSON"
        raise UserError(f"{path} is cut short or was changed ({why[:200]}); {fix}") from error
    for run in results.runs:
        fault_of_run = contradiction(run)
        if fault_of_run:
            raise UserError(f"{path} was changed (`{run.run_id}`: {fault_of_run}); {fix}")
    return results


def _refuse_other_schema(path: Path, content: bytes) -> None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return  # cut short: reported by the reader that needs the rest
    version = found.get("schema_version", SCHEMA_VERSION) if isinstance(found, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise UserError(
            f"{path} is of schema {str(version)[:20]}, this version of Showdown reads {SCHEMA_VERSION}; "
            "use the version that wrote it"
        )

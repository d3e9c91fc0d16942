"""A control group with little memory: the worker that takes too much is out of memory, and the others go on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.stub_server import environment, run_folder, write_stub
from showdown.measure.limits import _V1, _V2, _groups, memory_kills

LIMIT_MB = 220
STAGE = """
held = []
while folder.name == "greedy":
    held.append(bytearray(10**7))
"""
COMPARISON = """
import json, sys, os
from pathlib import Path
from showdown.measure.limits import memory_room
from showdown.runner.executor import Resources, Stage
from showdown.runner.executors.local import LocalExecutor
root = Path(sys.argv[1])
ends = []
with (root / "lock").open("w") as lock, LocalExecutor(lock.fileno(), lambda event: None) as executor:
    for name in ("modest", "greedy", "last"):
        stage = Stage(name="train", data=root)
        end = executor.submit(stage, root / name, Resources(device="cpu")).result()
        ends.append(end and [end.status, end.error])
print(json.dumps({"ends": ends, "limit": memory_room().limit_bytes}))
"""
KILLED = """
import sys
from pathlib import Path
from showdown.runner.stage_trace import leave_trace
leave_trace(Path(sys.argv[1]) / "greedy")
held = []
while True:
    held.append(bytearray(10**7))
"""
AGAIN = """
import sys
from pathlib import Path
from showdown.runner.stage_trace import ended_for_memory
print(*[ended_for_memory(Path(sys.argv[1]) / name) for name in ("greedy", "last")], sep="\\n")
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A memory group of 220 MB below this process's own, of either version."""
    names, folders = _groups(Path("/proc"), Path("/sys/fs/cgroup"))
    above = next(folders, None)
    made = None if above is None else above / f"showdown-test-{os.getpid()}"
    try:
        assert made is not None
        made.mkdir()
    except (OSError, AssertionError) as error:
        pytest.skip(f"no control group can be made here ({error or 'none is there'})")
    try:
        try:
            (made / names.limit).write_text(str(LIMIT_MB * 10**6))
            swap = made / {_V1: "memory.memsw.limit_in_bytes", _V2: "memory.swap.max"}[names]
            if swap.exists():
                swap.write_text(str(LIMIT_MB * 10**6) if names == _V1 else "0")
        except OSError as error:
            pytest.skip(f"a control group can have no limit of memory here ({error})")
        yield made
    finally:
        made.rmdir()


def within(group: Path, folder: Path, program: str) -> "subprocess.CompletedProcess[str]":
    """Run a program as a member of the group, which its own processes are too."""
    enter = f"import os\nopen({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
    return subprocess.run(
        [sys.executable, "-c", enter + program, str(folder)],
        env={**os.environ, **environment(folder / "stub")},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write_stub(tmp_path, STAGE)
    for name in ("modest", "greedy", "last"):
        run_folder(tmp_path, name)
    return tmp_path


def test_a_worker_alone_is_killed_for_memory_and_the_others_go_on(group: Path, runs: Path) -> None:
    done = within(group, runs, COMPARISON)
    assert done.returncode == 0, done
    told = json.loads(done.stdout)
    assert told["limit"] <= LIMIT_MB * 10**6
    first, greedy, last = told["ends"]
    assert (first, last) == (None, None)
    assert greedy == [
        "out-of-memory",
        "the process was killed by the kernel, which had no more memory: the limit is 0.22 GB",
    ]
    assert (runs / "greedy" / "started.json").exists()  # by it the next call sees whether there is more memory
    assert not (runs / "last" / "started.json").exists()


def test_the_call_after_one_that_was_killed_whole_names_the_run(group: Path, runs: Path) -> None:
    before = memory_kills()
    assert within(group, runs, KILLED).returncode == -9
    greedy, last = within(group, runs, AGAIN).stdout.splitlines()
    assert greedy == "killed by the kernel, which had no more memory: the limit is 0.22 GB"
    assert last == "None"
    assert memory_kills() is not None
    assert before is not None

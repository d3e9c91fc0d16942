"""What memory a process may have, read from the files of both versions of control groups."""

import os
from pathlib import Path

import psutil
import pytest

from showdown.measure.limits import memory_kills, memory_room, raise_chance_to_be_killed

MB = 10**6


def written(root: Path, **files: str) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / name.replace("__", ".")).write_text(content)


def place(tmp_path: Path, line: str) -> Path:
    written(tmp_path / "proc" / "self", cgroup=f"12:pids:/\n{line}\n")
    return tmp_path / "proc"


def group(tmp_path: Path, version: int, path: str, *, limit: str, used: int, kept: int = 0, kills: int = 0) -> None:
    """Write a group's files as the kernel shows them."""
    root = tmp_path / "groups" / ("memory" if version == 1 else "") / path
    if version == 1:
        stat = f"inactive_file 1\ntotal_inactive_file {kept}\n"
        written(root, memory__limit_in_bytes=limit, memory__usage_in_bytes=str(used), memory__stat=stat)
        written(root, memory__oom_control=f"oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n")
    else:
        written(root, memory__max=f"{limit}\n", memory__current=str(used), memory__stat=f"inactive_file {kept}\n")
        written(root, memory__events=f"low 0\noom 9\noom_kill {kills}\noom_group_kill 0\n")


@pytest.mark.parametrize("version", [1, 2])
def test_the_least_limit_of_all_groups_above_holds(tmp_path: Path, version: int) -> None:
    proc = place(tmp_path, "4:cpu,memory:/a/b" if version == 1 else "0::/a/b")
    no_limit = "9223372036854771712" if version == 1 else "max"
    group(tmp_path, version, "a", limit=str(700 * MB), used=500 * MB, kept=100 * MB, kills=7)
    group(tmp_path, version, "a/b", limit=no_limit, used=200 * MB, kills=2)
    room = memory_room(proc, tmp_path / "groups")
    assert (room.limit_bytes, room.free_bytes, room.of_group) == (700 * MB, 300 * MB, True)
    assert memory_kills(proc, tmp_path / "groups") == 2


@pytest.mark.parametrize("version", [1, 2])
def test_in_a_container_the_group_is_where_its_files_are(tmp_path: Path, version: int) -> None:
    """The path may be the host's."""
    proc = place(tmp_path, "4:memory:/docker/abc" if version == 1 else "0::/../docker/abc")
    group(tmp_path, version, "", limit=str(300 * MB), used=400 * MB, kills=3)
    room = memory_room(proc, tmp_path / "groups")
    assert (room.limit_bytes, room.free_bytes) == (300 * MB, 0)
    assert memory_kills(proc, tmp_path / "groups") == 3


@pytest.mark.parametrize("line", ["0::/", "nonsense", "0::/../../..", "4:memory:/../../.."])
def test_without_a_group_the_machine_counts(tmp_path: Path, line: str) -> None:
    proc = place(tmp_path, line)
    (tmp_path / "groups").mkdir()
    room = memory_room(proc, tmp_path / "groups")
    assert room.limit_bytes == psutil.virtual_memory().total
    assert not room.of_group
    assert memory_kills(proc, tmp_path / "groups") is None
    written(proc, vmstat="pgfault 5\noom_kill 4\n")
    assert memory_kills(proc, tmp_path / "groups") == 4


@pytest.mark.parametrize("content", ["", "many", "-1 2", "\0"])
def test_files_that_say_nothing_are_no_limit(tmp_path: Path, content: str) -> None:
    proc = place(tmp_path, "0::/a")
    written(tmp_path / "groups" / "a", memory__max=content, memory__current=content, memory__events=content)
    assert memory_room(proc, tmp_path / "groups").limit_bytes == psutil.virtual_memory().total
    assert memory_kills(proc, tmp_path / "groups") is None


def test_a_worker_is_killed_before_its_comparison(tmp_path: Path) -> None:
    score = Path("/proc/self/oom_score_adj")
    if not score.exists():
        pytest.skip("the kernel has no oom_score_adj here")
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        raise_chance_to_be_killed()
        raise_chance_to_be_killed()
        os.write(telling, score.read_bytes())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(told, 20)) == min(1000, int(score.read_text()) + 1000)

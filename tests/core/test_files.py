"""A file is the old one or the new one, whatever happens while it is written."""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from showdown.core import files
from showdown.core.errors import UserError
from showdown.core.files import append_line, read_file, refuse_unsafe, write_bytes, write_folder, write_json


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"step": 1})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"Disk full: need .* in .* to write state\.json"):
        write_json(path, {"step": 2})
    assert path.read_text() == '{\n  "step": 1\n}\n'
    assert list(tmp_path.iterdir()) == [path], "what was written so far keeps the disk full"


def test_a_place_that_is_none_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    for path, why in {"folder": "this is a folder", "file/new": "file is a file, not a folder"}.items():
        with pytest.raises(UserError, match=why):
            write_bytes(tmp_path / path, b"x")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


@pytest.mark.parametrize(("size", "said"), [(1, "0.1 kB"), (2_340_000, "2.4 MB"), (28_400_000_000, "28.4 GB")])
def test_how_much_is_needed_is_said_in_a_unit_that_suits(size: int, said: str) -> None:
    assert files._amount(size) == said


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "state.json", {"loss": float("nan")})
    assert not (tmp_path / "state.json").exists()


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    write_folder(folder, lambda partial: write_bytes(partial / "a", b"old"))

    def fail(partial: Path) -> None:
        write_bytes(partial / "a", b"new")
        raise RuntimeError("the writer broke")

    with pytest.raises(RuntimeError, match="the writer broke"):
        write_folder(folder, fail)
    assert (folder / "a").read_bytes() == b"old"
    write_folder(folder, lambda partial: write_bytes(partial / "b", b"new"))
    assert [path.name for path in folder.iterdir()] == ["b"]


@pytest.mark.parametrize("writer", ["python", "safetensors"])
def test_a_full_disk_is_said_whoever_meets_it(tmp_path: Path, writer: str) -> None:
    """A limit on the size of a file stands for the full disk; the old folder stays."""
    folder = tmp_path / "artifact"
    write_folder(folder, lambda partial: write_bytes(partial / "a", b"old"))
    code = f"""
import resource
from pathlib import Path
import numpy
from safetensors.numpy import save_file
from showdown.core.errors import UserError
from showdown.core.files import write_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
fill = {{
    "python": lambda partial: (partial / "b").write_bytes(bytes(5000)),
    "safetensors": lambda partial: save_file({{"b": numpy.zeros(5000)}}, partial / "b.safetensors"),
}}[{writer!r}]
try:
    write_folder(Path({str(folder)!r}), fill, at_least_bytes=5000)
except UserError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert f" in {tmp_path} to write artifact; free some space and run the same command again" in found.stdout
    assert found.stdout.startswith("Disk full: need more than 5 kB in ")
    assert (folder / "a").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [folder], "what was written so far keeps the disk full"


WRITERS: dict[str, Callable[[Path], None]] = {
    "file": lambda path: write_bytes(path, b"new"),
    "line": lambda path: append_line(path, "new"),
    "folder": lambda path: write_folder(path, lambda partial: write_bytes(partial / "a", b"new")),
}


@pytest.mark.parametrize("ending", ["", ".partial"])
@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "link to nothing", "second name", "pipe"])
@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_is_written_through_what_was_planted(tmp_path: Path, writer: str, kind: str, ending: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine").write_text("mine")
    (root := tmp_path / "out").mkdir()
    planted = root / f"target{ending}"
    if kind == "second name":
        planted.hardlink_to(victim / "mine")
    elif kind == "pipe":
        os.mkfifo(planted)
    else:
        aim = {"link to a file": victim / "mine", "link to a folder": victim, "link to nothing": victim / "none"}[kind]
        planted.symlink_to(aim)
    refused = kind == "link to a folder" and writer == "file"
    try:
        WRITERS[writer](root / "target")
    except UserError as error:
        assert refused, error
    else:
        assert not refused
        written = root / "target" / "a" if writer == "folder" else root / "target"
        assert written.read_bytes().endswith(b"new" if writer != "line" else b"new\n")
        assert not (root / "target").is_symlink()
    assert [path.name for path in victim.iterdir()] == ["mine"]
    assert (victim / "mine").read_text() == "mine"


def test_a_line_goes_on_after_what_a_second_name_holds(tmp_path: Path) -> None:
    append_line(tmp_path / "log", "first")
    (tmp_path / "kept").hardlink_to(tmp_path / "log")
    append_line(tmp_path / "log", "second")
    assert (tmp_path / "log").read_text() == "first\nsecond\n"
    assert (tmp_path / "kept").read_text() == "first\n"


@pytest.mark.timeout(20)
def test_only_a_file_is_read(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe", "nothing"):
        with pytest.raises(OSError):
            read_file(tmp_path / name)
    assert read_file(tmp_path / "file", most_bytes=7) == b"content"
    with pytest.raises(OSError, match="larger than"):
        read_file(tmp_path / "file", most_bytes=6)


def test_a_folder_with_a_way_out_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = tmp_path / "real"
    (real / "runs" / "one").mkdir(parents=True)
    root = tmp_path / "out"
    root.symlink_to(real)  # the user's own: folders above are not asked
    (real / "runs" / "newest").symlink_to("one")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # the name of a socket has to be short
        listener.bind("real/s")
    refuse_unsafe(root)
    for name, aim in {"a": "../elsewhere", "runs/b": "/etc/passwd", "runs/one/c": "nowhere/../../../../x"}.items():
        planted = real / name
        planted.symlink_to(aim)
        with pytest.raises(UserError, match="is a link that leads outside") as caught:
            refuse_unsafe(root)
        assert str(root / name) in str(caught.value)
        planted.unlink()
    (real / "loop").symlink_to("loop")
    refuse_unsafe(root)
    os.mkfifo(real / "runs" / "results.json")
    with pytest.raises(UserError, match="is a pipe or a device"):
        refuse_unsafe(root)

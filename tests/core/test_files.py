"""A file is the old one or the new one, whatever happens while it is written."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from showdown.core import files
from showdown.core.errors import UserError
from showdown.core.files import write_bytes, write_folder, write_json


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"step": 1})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match=r"Disk full: need .* in .* to write state\.json"):
        write_json(path, {"step": 2})
    assert path.read_text() == '{\n  "step": 1\n}\n'


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
    write_folder(Path({str(folder)!r}), fill)
except UserError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert f" in {tmp_path} to write artifact; free some space and run the same command again" in found.stdout
    assert found.stdout.startswith("Disk full: need more than ")
    assert (folder / "a").read_bytes() == b"old"

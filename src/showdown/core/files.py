"""Writing so that a kill at any moment leaves the old file or the new one, never half of one."""

import errno
import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError

PARTIAL = ".partial"
"""Ending of what is being written. Anything so named is worthless and may be removed."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_IN_WORDS = re.compile(rf"\(os error ({'|'.join(map(str, _FULL))})\)")


def _is_full_disk(error: Exception) -> bool:
    """Tell a full disk, also as safetensors says it, whose error is no OSError and holds the number in its words."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return _FULL_IN_WORDS.search(str(error)) is not None


@contextmanager
def _disk_full_named(path: Path, needed: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, UserError) or not _is_full_disk(error):
            raise
        raise UserError(
            f"Disk full: need {needed()} in {path.parent} to write {path.name}; free some space and run the same "
            "command again"
        ) from error


def _amount(size_bytes: int) -> str:
    """Return bytes in the unit that suits them, rounded up: at least that much is needed."""
    unit, name = next((unit for unit in ((10**9, "GB"), (10**6, "MB")) if size_bytes >= unit[0]), (10**3, "kB"))
    return f"{math.ceil(10 * size_bytes / unit) / 10:g} {name}"


def _written(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"more than {_amount(size)}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        _sync(path)
    _sync(folder)


def make_room(path: Path) -> None:
    """Make the folder of a file that is to be written; whoever works long for a file asks before the work.

    Raises:
        UserError: where no such file can be.

    """
    if path.is_dir():
        raise UserError(f"cannot write {path}: this is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"cannot write {path}: {error.filename} is a file, not a folder; name another place") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {path}: no permission in {path.parent}; name another place")


def write_bytes(path: Path, content: bytes) -> None:
    """Replace ``path`` with ``content`` in one step that survives a kill and a power cut.

    Raises:
        UserError: when the disk is full, or no such file can be; the old file is intact.

    """
    partial = path.with_name(path.name + PARTIAL)
    with _disk_full_named(path, lambda: _amount(len(content))):
        make_room(path)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync(path.parent)


def write_text(path: Path, content: str) -> None:
    """Replace ``path`` with UTF-8 text, newlines as given."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Replace ``path`` with readable JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that only grows. A kill may cut the last line short: readers pass over such a line.

    Raises:
        UserError: when the disk is full.

    """
    with _disk_full_named(path, lambda: _amount(len(line.encode()))):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (("\n" if torn else "") + line + "\n").encode("utf-8"))
        finally:
            os.close(descriptor)


def write_folder(path: Path, fill: Callable[[Path], None]) -> None:
    """Make the folder ``path`` appear whole: ``fill`` writes into a temporary one, which is then renamed.

    Raises:
        UserError: when the disk is full.

    """
    partial = path.with_name(path.name + PARTIAL)
    with _disk_full_named(path, lambda: _written(partial)):
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        fill(partial)
        _sync_tree(partial)
        if path.exists():
            shutil.rmtree(path)
        partial.rename(path)
        _sync(path.parent)

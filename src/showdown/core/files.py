"""Reading and writing so that a kill leaves the old file or the new one, and no link leads to a third.

A results folder is something that people send each other. What is written is made anew under a name that nothing had,
what is appended to is a file of its own, and a folder in which a link leads outside is refused at its door
(`refuse_strangers`).
"""

import contextlib
import errno
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError

PARTIAL = ".partial"
"""Ending of what is being written. Anything so named is worthless and may be removed."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_IN_WORDS = re.compile(rf"\(os error ({'|'.join(map(str, _FULL))})\)")


def _is_full_disk(error: BaseException) -> bool:
    """Tell a full disk, also as safetensors says it, whose error is no OSError and holds the number in its words."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return _FULL_IN_WORDS.search(str(error)) is not None


@contextmanager
def _disk_full_named(path: Path, needed: Callable[[], str], clean_up: Callable[[], None]) -> Iterator[None]:
    """Name a full disk. Whatever goes wrong, ``clean_up`` removes what was written so far, else the disk stays full."""
    try:
        yield
    except BaseException as error:
        full = isinstance(error, Exception) and not isinstance(error, UserError) and _is_full_disk(error)
        said = needed() if full else ""
        with contextlib.suppress(OSError):
            clean_up()
        if not full:
            raise
        raise UserError(
            f"Disk full: need {said} in {path.parent} to write {path.name}; free some space and run the same "
            "command again"
        ) from error


def _amount(size_bytes: int) -> str:
    """Return bytes in the unit that suits them, rounded up: at least that much is needed."""
    unit, name = next((unit for unit in ((10**9, "GB"), (10**6, "MB")) if size_bytes >= unit[0]), (10**3, "kB"))
    return f"{math.ceil(10 * size_bytes / unit) / 10:g} {name}"


def _written_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


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


def refuse_strangers(root: Path) -> None:
    """Refuse a results folder in which a link leads outside, or where a pipe or a device waits to be opened.

    Links that stay inside are harmless (a tracker makes some), and so are the folders above ``root``, which are the
    user's own.

    Raises:
        UserError: naming the first such thing.

    """
    home = Path(os.path.realpath(root))
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder) / name
            try:
                kind = path.lstat().st_mode
            except OSError:
                continue  # gone meanwhile: a comparison may be running
            if stat.S_ISLNK(kind) and not Path(os.path.realpath(path)).is_relative_to(home):
                raise UserError(f"{path} is a link that leads outside {root}; remove it")
            if stat.S_ISFIFO(kind) or stat.S_ISBLK(kind) or stat.S_ISCHR(kind):
                raise UserError(f"{path} is a pipe or a device, not a file; remove it")


def read_file(path: Path, *, most_bytes: int | None = None) -> bytes:
    """Return the content of a file, of which nothing is a link's: a pipe does not hold the reader up.

    Args:
        path: the file.
        most_bytes: how much of it is wanted at most; None for all.

    Raises:
        OSError: where it is no file, a link among them, or larger than that.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "this is no file", str(path))
        if most_bytes is not None and status.st_size > most_bytes:
            raise OSError(errno.EFBIG, f"larger than {_amount(most_bytes)}", str(path))
        return file.read()


def write_bytes(path: Path, content: bytes) -> None:
    """Replace ``path`` with ``content`` in one step that survives a kill and a power cut.

    Raises:
        UserError: when the disk is full, or no such file can be; the old file is intact.

    """
    partial = path.with_name(path.name + PARTIAL)
    with _disk_full_named(path, lambda: _amount(len(content)), lambda: partial.unlink(missing_ok=True)):
        make_room(path)
        make_room(partial)
        with os.fdopen(_made_anew(partial), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync(path.parent)


def _made_anew(path: Path) -> int:
    """Return the descriptor of a new file; what had its name, a link to elsewhere perhaps, has it no longer."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)


def write_text(path: Path, content: str) -> None:
    """Replace ``path`` with UTF-8 text, newlines as given."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Replace ``path`` with readable JSON; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def open_to_append(path: Path) -> int:
    """Return the descriptor of a file that only grows, made where it is missing.

    It is a file of its own: a link gives way to a new file, and a file with a second name (a hard link) to its copy.

    Raises:
        UserError: where a folder has its name.

    """
    with contextlib.suppress(FileNotFoundError):
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f"cannot write {path}: this is a folder; remove it")
        if not stat.S_ISREG(status.st_mode):
            path.unlink()
        elif status.st_nlink > 1:
            write_bytes(path, read_file(path))
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that only grows. A kill may cut the last line short: readers pass over such a line.

    Raises:
        UserError: when the disk is full.

    """
    with _disk_full_named(path, lambda: _amount(len(line.encode())), lambda: None):
        descriptor = open_to_append(path)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (("\n" if torn else "") + line + "\n").encode("utf-8"))
        finally:
            os.close(descriptor)


def write_folder(path: Path, fill: Callable[[Path], None], *, at_least_bytes: int = 0) -> None:
    """Make the folder ``path`` appear whole: ``fill`` writes into a temporary one, which is then renamed.

    Args:
        path: the folder; one of that name is replaced.
        fill: writes into the folder that it is given.
        at_least_bytes: what it needs as far as is known, for the message of a full disk.

    Raises:
        UserError: when the disk is full.

    """
    partial = path.with_name(path.name + PARTIAL)

    def needed() -> str:
        return f"more than {_amount(max(at_least_bytes, _written_bytes(partial)))}"

    with _disk_full_named(path, needed, lambda: _remove(partial)):
        _remove(partial)
        partial.mkdir(parents=True)
        fill(partial)
        _sync_tree(partial)
        _remove(path)
        partial.rename(path)
        _sync(path.parent)


def _remove(path: Path) -> None:
    """Remove what has a name, if anything has: a folder with all that is in it, of a link the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

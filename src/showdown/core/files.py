"""Safe reading and writing of files.

After a kill a file has its old content or its new content, never a part. People send each other results folders, so
these may be hostile: no write follows a link, and a folder with a link that leads outside is refused (`refuse_unsafe`).
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from showdown.core.errors import UserError

PARTIAL = ".partial"
"""Ending of a file or folder that is still being written. It can be removed at any time."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_MESSAGE = re.compile(rf"\(os error ({'|'.join(map(str, _FULL))})\)")


def _is_full_disk(error: BaseException) -> bool:
    """Return whether the disk is full. safetensors raises no OSError: its message holds the error number."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    return _FULL_MESSAGE.search(str(error)) is not None


@contextmanager
def _disk_full_reported(path: Path, needed: Callable[[], str], clean_up: Callable[[], None]) -> Iterator[None]:
    """Turn a full disk into a UserError. After any error, ``clean_up`` removes the partial file to free the disk."""
    try:
        yield
    except BaseException as error:
        full = isinstance(error, Exception) and not isinstance(error, UserError) and _is_full_disk(error)
        amount = needed() if full else ""
        with contextlib.suppress(OSError):
            clean_up()
        if not full:
            raise
        raise UserError(
            f"Disk full: need {amount} in {path.parent} to write {path.name}; free some space and run the same "
            "command again"
        ) from error


def _amount(size_bytes: int) -> str:
    """Return a size in kB, MB or GB, rounded up because at least that much is needed."""
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


def prepare_to_write(path: Path) -> None:
    """Create the parent folder of a file, and check that the file can be written. Call it before long work.

    Raises:
        UserError: when the file cannot be written.

    """
    if path.is_dir():
        raise UserError(f"cannot write {path}: this is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"cannot write {path}: {error.filename} is a file, not a folder; name another place") from error
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {path}: no permission in {path.parent}; name another place")


def refuse_unsafe(root: Path) -> None:
    """Refuse a results folder that holds a link to the outside, a pipe or a device.

    Links that stay inside are harmless (a tracker makes some). Folders above ``root`` belong to the user and are not
    checked.

    Raises:
        UserError: for the first unsafe path.

    """
    home = Path(os.path.realpath(root))
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder) / name
            try:
                kind = path.lstat().st_mode
            except OSError:
                continue  # removed meanwhile: a comparison may be running
            if stat.S_ISLNK(kind) and not Path(os.path.realpath(path)).is_relative_to(home):
                raise UserError(f"{path} is a link that leads outside {root}; remove it")
            if stat.S_ISFIFO(kind) or stat.S_ISBLK(kind) or stat.S_ISCHR(kind):
                raise UserError(f"{path} is a pipe or a device, not a file; remove it")


def read_file(path: Path, *, most_bytes: int | None = None) -> bytes:
    """Return the content of a regular file. Links are not followed, and a pipe does not block the reader.

    Args:
        path: the file.
        most_bytes: the largest size that is accepted; None for no limit.

    Raises:
        OSError: when it is missing, no regular file (a link, for example), or too large.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        if most_bytes is not None and status.st_size > most_bytes:
            raise OSError(errno.EFBIG, f"larger than {_amount(most_bytes)}", str(path))
        return file.read()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal. The file may be larger than the memory.

    Raises:
        OSError: when it cannot be read.

    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file alone among all processes, and wait for the one that holds it. The kernel frees it after a kill.

    Args:
        path: the lock file, in an existing folder; made where it is missing, and never removed.

    Raises:
        OSError: when it cannot be opened.

    """
    descriptor = hold(path)
    try:
        yield
    finally:
        os.close(descriptor)


def hold(path: Path) -> int:
    """Wait for a lock file as `locked` does, and return its descriptor. Closing it frees the lock, as does the end of
    this process.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def write_bytes(path: Path, content: bytes) -> None:
    """Replace ``path`` with ``content`` in one step that survives a kill and a power cut.

    Raises:
        UserError: when the disk is full or the file cannot be written; the old file is then intact.

    """
    _replace(path, lambda file: file.write(content), lambda: _amount(len(content)))


def write_pieces(path: Path, pieces: Iterable[str]) -> None:
    """Replace ``path`` with UTF-8 text as `write_bytes` does, without holding all of it in memory."""
    partial = partial_of(path)
    _replace(
        path,
        lambda file: file.writelines(piece.encode("utf-8") for piece in pieces),
        lambda: f"more than {_amount(partial.stat().st_size)}",
    )


def _replace(path: Path, fill: Callable[[IO[bytes]], object], needed: Callable[[], str]) -> None:
    partial = partial_of(path)
    with _disk_full_reported(path, needed, lambda: partial.unlink(missing_ok=True)):
        prepare_to_write(path)
        prepare_to_write(partial)
        with os.fdopen(_new_file(partial), "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync(path.parent)


def _new_file(path: Path) -> int:
    """Return the descriptor of a new file. An old file or link of that name is removed first."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)


def write_text(path: Path, content: str) -> None:
    """Replace ``path`` with UTF-8 text. Newlines are kept."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Replace ``path`` with indented JSON.

    Raises:
        ValueError: for NaN or infinity.
        UserError: when the disk is full or the file cannot be written.

    """
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def open_to_append(path: Path) -> int:
    """Return the descriptor of a file opened for appending; create it when it is missing.

    Appending must not change a file elsewhere: a link is replaced by a new file, a hard-linked file by a copy.

    Raises:
        UserError: when it is a folder.

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
    """Append a line to a file. A kill may truncate the last line, so readers must skip such a line.

    Raises:
        UserError: when the disk is full.

    """
    with _disk_full_reported(path, lambda: _amount(len(line.encode())), lambda: None):
        descriptor = open_to_append(path)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            os.write(descriptor, (("\n" if torn else "") + line + "\n").encode("utf-8"))
        finally:
            os.close(descriptor)


def partial_of(path: Path) -> Path:
    """Return where a file or folder lies while it is being written."""
    return path.with_name(path.name + PARTIAL)


def write_folder(path: Path, fill: Callable[[Path], None], *, at_least_bytes: int = 0) -> None:
    """Create the folder ``path`` in one step: ``fill`` writes into a temporary folder, which is then renamed.

    Args:
        path: the folder; an existing one is replaced.
        fill: writes the content into the folder that it gets.
        at_least_bytes: lower bound of the size, for the message about a full disk.

    Raises:
        UserError: when the disk is full.

    """
    partial = partial_of(path)

    def needed() -> str:
        return f"more than {_amount(max(at_least_bytes, _written_bytes(partial)))}"

    with _disk_full_reported(path, needed, lambda: _remove(partial)):
        _remove(partial)
        partial.mkdir(parents=True)
        fill(partial)
        _sync_tree(partial)
        _remove(path)
        partial.rename(path)
        _sync(path.parent)


def _remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it exists. The target of a link stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

"""A built-in model that comes as GGUF: converted to safetensors once, and kept in the user's cache.

The conversion runs in a process of its own (`gguf_conversion`), whose memory, progress bars and library settings end
with it.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.files import read_file, sha256_of

CHECKSUMS = "checksums.json"
"""Beside the converted files: the SHA-256 of each, by its name, as it was written.

The SHA-256 of the converted weights is no constant in the code, because the order of tensors and the metadata in a
safetensors file are the libraries' choice. What does not depend on them is one: the numbers themselves are checked
right after the conversion (`gguf_conversion.numbers_sha256`), before they are kept.
"""
_FORMAT = 1
"""Raise it when the conversion writes other files than before: copies of an earlier version are then left alone."""
_MOST_CHECKSUM_BYTES = 100_000
_NEEDED = frozenset({"config.json", "model.safetensors", "tokenizer.json"})
_ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_State = tuple[tuple[str, int, int], ...]
_found_whole: dict[Path, _State] = {}
"""What this process has checked already, with sizes and times of change then."""


def folder_for(name: str, sha256: str) -> Path:
    """Return the folder in the user's cache for a model that is converted from a file with this SHA-256."""
    return cache_folder() / "showdown" / "models" / name / f"{sha256[:16]}-{_FORMAT}"


def cache_folder() -> Path:
    """Return the user's cache folder. Source: the XDG Base Directory Specification, which ignores relative paths."""
    asked = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return asked if asked.is_absolute() else Path.home() / ".cache"


def is_whole(folder: Path) -> bool:
    """Return whether a converted model has all its files, as they were written.

    Files are read whole, half a second for half a gigabyte; a second time in a process only where one has changed.
    """
    try:
        written = json.loads(read_file(folder / CHECKSUMS, most_bytes=_MOST_CHECKSUM_BYTES))
        if not isinstance(written, dict) or not written.keys() >= _NEEDED:
            return False
        files = {folder / Path(name).name: sha256 for name, sha256 in written.items()}
        state = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
        if _found_whole.get(folder) == state:
            return True
        if any(sha256_of(path) != sha256 for path, sha256 in files.items()):
            return False
    except (OSError, ValueError, RecursionError):
        return False
    _found_whole[folder] = state
    return True


def require_reader(name: str, gguf_file: Path) -> None:
    """Refuse a conversion where the package that reads such files is missing.

    Raises:
        UserError: with the command that installs it.

    """
    if importlib.util.find_spec("gguf") is None:
        raise UserError(f"model `{name}`: gguf, which reads {gguf_file.name}, is not installed; `pip install gguf`")


def convert(name: str, gguf_file: Path, folder: Path, numbers_sha256: str) -> None:
    """Convert a model in a process of its own. Where another process does it already, wait for that one.

    Args:
        name: the model's name in messages.
        gguf_file: its weights and tokenizer, checked.
        folder: what is written; a damaged one is replaced.
        numbers_sha256: of the weights that must result.

    Raises:
        UserError: when the package gguf is missing, the folder cannot be written, or other weights result.

    """
    require_reader(name, gguf_file)
    done = subprocess.run(
        # -P: no module is taken from the folder where the command is typed
        [sys.executable, "-P", "-m", "showdown.models.gguf_conversion", name, gguf_file, folder, numbers_sha256],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **_ENVIRONMENT},
        check=False,
    )
    if done.returncode == 2:
        raise UserError(done.stdout.strip())
    if done.returncode == -signal.SIGKILL:
        raise UserError(
            f"model `{name}`: its conversion was killed, most often for lack of memory; with 2 GB free, run the same "
            "command again"
        )
    if done.returncode or not is_whole(folder):
        raise RuntimeError(f"the conversion of {gguf_file} ended with code {done.returncode}: {done.stderr[-2000:]}")

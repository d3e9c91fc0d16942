"""A function from a Python file of the user's."""

import hashlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from showdown.core.errors import UserError, nearest_file, suggestion, then
from showdown.core.files import read_file

Function = Callable[[str, str, str], object]
"""A score that the user wrote: (prompt, wanted, written) to a number."""
_MOST_BYTES = 10_000_000


def function_of_file(where: str, base: Path, file: str, name: str) -> tuple[Function, str]:
    """Load a file and return one of its functions, and the file's SHA-256.

    Args:
        where: file and function as the user wrote them, for messages.
        base: the folder that the file is relative to.
        file: the file.
        name: the function.

    Raises:
        UserError: in one line, where there is no such file or function, or where the file fails.

    """
    path, source = _source(where, base, file)
    module = _module(where, path, source)
    return _function(where, module, name), hashlib.sha256(source).hexdigest()


def _source(where: str, base: Path, file: str) -> tuple[Path, bytes]:
    """Return where a file of the user's is, and its bytes."""
    try:
        path = (base / Path(file).expanduser()).resolve()
        return path, read_file(path, most_bytes=_MOST_BYTES)
    except FileNotFoundError as error:
        names = [one.name for one in path.parent.glob("*.py")] if path.parent.is_dir() else []
        near = nearest_file(path.name, names) or "; check the path"
        raise UserError(f"scorer `{where}`: no file {path}{near}") from error
    except OSError as error:
        raise UserError(f"scorer `{where}`: {path} cannot be read ({error.strerror or error}); name a file") from error
    except (RuntimeError, ValueError) as error:  # a circle of links, no home folder, a null character
        raise UserError(f"scorer `{where}`: {file} cannot be a path ({error}); name a file") from error


class _Loader(SourceFileLoader):
    """Loads the bytes whose checksum was taken. The usual loader reads the file again, or its compiled form."""

    def __init__(self, name: str, path: Path, source: bytes) -> None:
        super().__init__(name, str(path))
        self._source = source

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self._source, self.path)


def _module(where: str, path: Path, source: bytes) -> ModuleType:
    """Load a file as a module with a name of its own, which pickled classes and dataclasses look up."""
    name = f"showdown_scorer_{hashlib.sha256(os.fsencode(path) + source).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, path, source))
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UserError(
            f"scorer `{where}`: {path.name} cannot be loaded ({in_words(error, str(path))}); mend the file"
        ) from error
    return module


def _function(where: str, module: ModuleType, name: str) -> Function:
    found = getattr(module, name, None)
    if callable(found):
        return found  # type: ignore[no-any-return]
    if found is not None:
        raise UserError(f"scorer `{where}`: `{name}` is a {type(found).__name__}; name a function")
    here = [key for key, one in vars(module).items() if inspect.isfunction(one) and one.__module__ == module.__name__]
    known = f"its functions are {', '.join(here)}" if here else "it has none"
    raise UserError(f"scorer `{where}`: the file has no function `{name}`{then(suggestion(name, here), known)}")


def in_words(error: BaseException, file: str | None) -> str:
    """Return type and message of an exception, and the last line of a file on the way to it."""
    message = next(iter(str(error).strip().splitlines()), "")[:200]
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return "".join((type(error).__name__, f": {message}" if message else "", f" (line {lines[-1]})" if lines else ""))

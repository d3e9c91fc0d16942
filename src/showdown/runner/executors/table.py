"""The table of executors: names and their classes."""

from collections.abc import Callable

from showdown.core.errors import UserError
from showdown.core.registry import Registry
from showdown.runner.executor import Executor, Setup

LOCAL = "local"


def _read(_: str, found: object) -> Callable[[Setup], Executor] | str:
    """Return a function that makes an executor of its setup, or why it cannot be one, in words."""
    return found if callable(found) else "cannot be called"


EXECUTORS: Registry[Callable[[Setup], Executor]] = Registry(
    "executor",
    "showdown.executors",
    {
        LOCAL: "showdown.runner.executors.local:local_executor",
        "ray": "showdown.runner.executors.ray:RayExecutor",
    },
    _read,
)
"""Strings, so that no library of an executor is imported but that of the one in use. Installed packages add executors
by entry points of the group `showdown.executors`."""


def executor_class(name: str) -> Callable[[Setup], Executor]:
    """Return what makes an executor.

    Raises:
        UserError: for a name that is not in the table, or one whose library is not installed.

    """
    try:
        return EXECUTORS.load(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("showdown"):
            raise
        raise UserError(
            f"`executor: {name}` needs the package `{error.name}`: pip install 'finetuning-showdown[{name}]'"
        ) from error


def open_executor(name: str, setup: Setup) -> Executor:
    """Return an executor, with nothing started yet.

    Args:
        name: a key of `EXECUTORS`.
        setup: what it is made with.

    Raises:
        UserError: for a name that is not in the table, or what the executor refuses.

    """
    return executor_class(name)(setup)

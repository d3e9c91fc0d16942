"""The table of tasks: a name and where its class is, as a string, so that listing them imports no torch."""

import importlib

from showdown.core.errors import UserError, suggestion, then
from showdown.core.task import Task

TASKS: dict[str, str] = {
    "classification": "showdown.tasks.classification.task:Classification",
    "generation": "showdown.tasks.generation.task:Generation",
}


def task_named(name: str) -> Task:
    """Return the task of this name.

    Raises:
        UserError: for a name that is not in the table.

    """
    if name not in TASKS:
        known = then(suggestion(name, TASKS), f"the tasks are {', '.join(TASKS)}")
        raise UserError(f"task `{name}` unknown{known}")
    module, _, attribute = TASKS[name].partition(":")
    found: type[Task] = getattr(importlib.import_module(module), attribute)
    return found()

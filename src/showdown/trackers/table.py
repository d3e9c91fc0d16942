"""The table of trackers: names and their classes."""

from pathlib import Path

from showdown.core.registry import Registry, class_of
from showdown.trackers.tracker import Tracker

TRACKERS: Registry[type[Tracker]] = Registry(
    "tracker",
    "showdown.trackers",
    {
        "wandb": "showdown.trackers.wandb:Wandb",
        "mlflow": "showdown.trackers.mlflow:Mlflow",
        "tensorboard": "showdown.trackers.tensorboard:TensorBoard",
        "trackio": "showdown.trackers.trackio:Trackio",
    },
    class_of(Tracker),  # type: ignore[type-abstract]
)
"""Strings, so that no tracker is imported but the one that writes. Built-in names are also the extras to install.
Installed packages add trackers by entry points of the group `showdown.trackers`."""

FOLDER = "trackers"
"""Subfolder of the comparison's folder. Each tracker has a folder of its name inside."""


def build(name: str, folder: Path, project: str) -> Tracker:
    """Return a tracker.

    Args:
        name: a key of `TRACKERS`.
        folder: where it writes; created when missing.
        project: the name that groups its runs.

    Raises:
        UserError: for a name that is not in the table, or for a plugin that cannot be used.

    """
    kind = TRACKERS.load(name)
    folder.mkdir(parents=True, exist_ok=True)
    return kind(folder.resolve(), project)

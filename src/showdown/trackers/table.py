"""The table of trackers: names and their classes."""

from importlib import import_module
from pathlib import Path

from showdown.trackers.tracker import Tracker

TRACKERS: dict[str, str] = {
    "wandb": "showdown.trackers.wandb:Wandb",
    "mlflow": "showdown.trackers.mlflow:Mlflow",
    "tensorboard": "showdown.trackers.tensorboard:TensorBoard",
    "trackio": "showdown.trackers.trackio:Trackio",
}
"""Classes are strings, so that only the tracker in use is imported. The names are also the extras to install."""

FOLDER = "trackers"
"""Subfolder of the comparison's folder. Each tracker has a folder of its name inside."""


def build(name: str, folder: Path, project: str) -> Tracker:
    """Return a tracker.

    Args:
        name: a key of `TRACKERS`.
        folder: where it writes; created when missing.
        project: the name that groups its runs.

    """
    module, _, class_name = TRACKERS[name].partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    tracker: Tracker = getattr(import_module(module), class_name)(folder.resolve(), project)
    return tracker

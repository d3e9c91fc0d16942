"""The table of trackers: a name and the class that writes for it."""

from importlib import import_module
from pathlib import Path

from showdown.trackers.tracker import Tracker

TRACKERS: dict[str, str] = {
    "wandb": "showdown.trackers.wandb:Wandb",
    "mlflow": "showdown.trackers.mlflow:Mlflow",
    "tensorboard": "showdown.trackers.tensorboard:TensorBoard",
    "trackio": "showdown.trackers.trackio:Trackio",
}
"""Strings, so that no tracker is imported but the one that writes. Also the names of the extras to install."""

FOLDER = "trackers"
"""In the comparison's folder; each tracker has one of its name inside."""


def build(name: str, folder: Path, project: str) -> Tracker:
    """Return a tracker.

    Args:
        name: a key of `TRACKERS`.
        folder: where it writes; made where it is missing.
        project: what its runs are gathered under.

    """
    module, _, kind = TRACKERS[name].partition(":")
    folder.mkdir(parents=True, exist_ok=True)
    made: Tracker = getattr(import_module(module), kind)(folder.resolve(), project)
    return made

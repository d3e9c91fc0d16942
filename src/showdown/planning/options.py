"""What a plan may be asked for beside the comparison."""

from pathlib import Path
from typing import TypedDict


class PlanOptions(TypedDict, total=False):
    """Options of `showdown.plan`."""

    model: str | None
    """In place of the comparison's: an id, a folder, or a `config.json` alone; no weights are needed."""
    gpu: str | None
    """A kind of device that need not be here, such as `h100`; this machine's by default."""
    gpus: int | None
    """How many; by default one of a named kind, or all of this machine."""
    price_per_hour: float | None
    """Of one device; by default an example price."""
    output: Path | str | None
    """Folder whose finished runs are not counted; by default that of the comparison, and none where `gpu` is given."""
    budget: float | None
    """Money, in the same currency: what it buys, and what that leaves undecided."""

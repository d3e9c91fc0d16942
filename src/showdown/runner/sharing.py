"""Runs that share a pretrained network: which they are, and what one leaves to the next in their process.

LoRA and its kin leave the network as it was loaded, so seeds, folds and variants of them can follow each other in one
process. Each gets fresh adapters and a fresh head from its own seed. Runs are still scored in processes of their own.
"""

import gc
import json
from collections.abc import Sequence
from typing import Any

from showdown.core.method import TunedMethod
from showdown.core.spec import RunSpec
from showdown.methods.table import build
from showdown.runner.forkserver import gpu_is_here

NOTE = (
    "the pretrained network was kept in memory from the run before: its loading and the start of a process are not in "
    "these seconds, and reserved memory may be that of an earlier run"
)
"""What differs for a run that found its network loaded."""


def base_key(spec: RunSpec, *, share: bool | None) -> str | None:
    """Name what a run has in common with those that can use its pretrained network, or None where it needs its own.

    Args:
        spec: the run.
        share: whether runs share at all; None shares on a GPU, where loading costs most and memory can be given back.

    """
    method = build(spec.method, spec.settings)
    wanted = gpu_is_here() if share is None else share
    if not (wanted and isinstance(method, TunedMethod) and method.leaves_network):
        return None
    same = [spec.model.model_dump(mode="json"), spec.protocol.model_dump(mode="json"), vars(method.options)]
    return json.dumps(same, sort_keys=True)


def in_groups(specs: Sequence[RunSpec], *, share: bool | None) -> list[tuple[str | None, list[RunSpec]]]:
    """Put runs that share a network behind the first of them, each group with its key; None for a lone run."""
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(base_key(spec, share=share) or spec.run_id, []).append(spec)
    return [(key if len(group) > 1 else None, group) for key, group in groups.items()]


class KeptBase:
    """The pretrained network that a run leaves to the next one in its process."""

    def __init__(self) -> None:
        self.runs = 0
        """Runs that went through this process so far."""
        self._network: Any = None

    def take(self) -> Any:
        """Return the network, which is then the taker's, or None where there is none."""
        network, self._network = self._network, None
        return network

    def leave(self, network: Any) -> None:
        """Keep a network as it was loaded."""
        self._network = network

    def tidy(self) -> None:
        """Give back the memory of the run that is over, so that the next one has all of it."""
        self.runs += 1
        free_memory()


def free_memory() -> None:
    """Give back what nothing refers to any more, on the GPU too."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

"""Which runs can share a pretrained network in one process: those of methods that leave it as it was."""

import json
from collections.abc import Sequence

from showdown.core.method import TunedMethod
from showdown.core.spec import RunSpec
from showdown.measure.system import has_gpu
from showdown.methods.table import build


def base_key(spec: RunSpec, *, share: bool | None) -> str | None:
    """Return a key that is equal for runs that can share a pretrained network; None for a run that needs its own.

    Args:
        spec: the run.
        share: whether runs share at all; None shares on a GPU, where loading takes longest and memory can be freed.

    """
    if spec.memory is not None and spec.memory.devices > 1:
        return None
    method = build(spec.method, spec.settings)
    wanted = has_gpu() if share is None else share
    if not (wanted and isinstance(method, TunedMethod) and method.leaves_network):
        return None
    same = [spec.model.model_dump(mode="json"), spec.protocol.model_dump(mode="json"), vars(method.options)]
    return json.dumps(same, sort_keys=True)


def in_groups(specs: Sequence[RunSpec], *, share: bool | None) -> list[tuple[str | None, list[RunSpec]]]:
    """Return groups of runs that share a network, each with its key; a run that shares none has the key None.

    Groups keep the order of their first runs.
    """
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(base_key(spec, share=share) or spec.run_id, []).append(spec)
    return [(key if len(group) > 1 else None, group) for key, group in groups.items()]

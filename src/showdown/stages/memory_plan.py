"""The memory settings of a comparison: micro-batch and recomputation at which all its trained methods fit.

They are worked out once, before the first training, and kept in `OUT/memory.json`: every later run of the comparison,
also of a resumed one, gets the same. Methods that join later get settings of their own time, and the table names the
difference.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.core.errors import UserError
from showdown.core.files import write_json
from showdown.core.method import Job, TunedMethod
from showdown.core.spec import Comparison, SharedProtocol, Strict
from showdown.measure.system import has_gpu
from showdown.methods.table import build, method_and_settings, protocol_of

if TYPE_CHECKING:
    from showdown.engine.budget import Expected, Plan

CPU_ROWS = 8
"""Rows of a micro-batch on a CPU: larger ones leave its caches."""
CPU_LEAN_TOKENS = 256
_MOSTLY = 0.5
"""Share of the weights that learn above which a method counts as full fine-tuning."""


class MemorySettings(Strict):
    """What `protocol.memory` came to."""

    micro_batch_rows: int
    """The most rows of a forward pass."""
    micro_batch_tokens: int | None = None
    """The most tokens of a forward pass; None where rows alone count."""
    recompute: bool
    step_in_backward: bool = False
    expected_peak_gb: float | None = None
    """Of allocated memory while training; None on a CPU, where nothing is counted."""
    gradients_stay: bool = False
    """Whether there is room on a GPU for all gradients from step to step."""

    def said(self, asked: object) -> str:
        """Say the choice in a line."""
        packed = self.micro_batch_tokens is not None
        tokens = f" of at most {self.micro_batch_tokens:,} tokens together" if packed else ""
        on_host = ", their inputs in the host's memory" if packed else ""
        parts = [
            f"micro-batch at most {self.micro_batch_rows} rows{tokens}",
            f"layers recomputed in the backward pass{on_host}" if self.recompute else "no recomputation",
            *(["step inside the backward pass"] if self.step_in_backward else []),
            *([] if self.expected_peak_gb is None else [f"expected peak {self.expected_peak_gb:.3g} GB"]),
        ]
        return f"memory `{asked}`: {', '.join(parts)}"


class _Kept(Strict):
    key: str
    settings: dict[str, MemorySettings]
    """By row of the table."""


def refuse_budget_on_cpu(protocol: SharedProtocol) -> None:
    """Refuse a budget in GB where there is no GPU that it could be of.

    Raises:
        UserError: in one line.

    """
    if not isinstance(protocol.memory, str) and not has_gpu():
        raise UserError(
            f"protocol.memory: a budget of {protocol.memory:g} GB is one of a GPU, and this machine has none; "
            "use `speed` or `lean`"
        )


def memory_settings(name: str, job: Job, output: Path, lengths: Sequence[int]) -> MemorySettings:
    """Return the settings of one row of the table.

    Args:
        name: the row.
        job: what every method is given.
        output: the comparison's folder, with its `comparison.json`.
        lengths: tokens of each training row.

    """
    if job.placement.device == "cpu":
        return _on_a_cpu(job.protocol, lengths)
    comparison = Comparison.model_validate_json((output / "comparison.json").read_bytes())
    key = f"{comparison.methods} {protocol_of(comparison.protocol, {})} {job.model}"
    path = output / "memory.json"
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        kept = None
    if kept is None or kept.key != key:
        kept = _Kept(key=key, settings=_on_a_gpu(comparison, job, lengths))
        write_json(path, kept.model_dump())
    return kept.settings[name]


def _on_a_cpu(protocol: SharedProtocol, lengths: Sequence[int]) -> MemorySettings:
    lean = protocol.memory == "lean"
    rows = max(1, min(CPU_ROWS, CPU_LEAN_TOKENS // max(lengths))) if lean else CPU_ROWS
    rows = protocol.effective_batch_rows if protocol.moments_on_host else (protocol.micro_batch_rows or rows)
    return MemorySettings(
        micro_batch_rows=min(rows, protocol.effective_batch_rows),
        recompute=lean,
        step_in_backward=protocol.moments_on_host,
    )


def _on_a_gpu(comparison: Comparison, job: Job, lengths: Sequence[int]) -> dict[str, MemorySettings]:
    """Plan every trained method that can run here, and match them where the protocol asks for it."""
    import torch

    from showdown.engine.budget import GB, expected, limit_gb, matched, plan, shape_of

    free_gb = torch.cuda.mem_get_info()[0] / GB
    protocols, needs, plans = {}, {}, {}
    for row, written in comparison.methods.items():
        method = build(*method_and_settings(row, written))
        if isinstance(method, TunedMethod) and method.unsupported_reason() is None:
            protocol = protocols[row] = protocol_of(comparison.protocol, written)
            config, demand = _demand(method, replace(job, protocol=protocol))
            needs[row] = shape_of(config), demand
            plans[row] = plan(
                *needs[row],
                memory=protocol.memory,
                lengths=lengths,
                effective_rows=protocol.effective_batch_rows,
                free_gb=free_gb,
            )
    together = matched(list(plans.values()))
    settings = {}
    for row, own in plans.items():
        chosen = _asked(protocols[row], together if protocols[row].match_memory else own)
        limit = limit_gb(protocols[row].memory, free_gb)
        settings[row] = _settings(chosen, expected(*needs[row], chosen, lengths=lengths, limit_gb=limit))
    return settings


def _asked(protocol: SharedProtocol, chosen: "Plan") -> "Plan":
    """Return what a row gets: what the user names goes before what was planned."""
    rows = protocol.micro_batch_rows
    chosen = replace(chosen, micro_rows=min(rows or chosen.micro_rows, protocol.effective_batch_rows))
    return replace(chosen, micro_tokens=None, in_backward=False) if rows else chosen


def _settings(chosen: "Plan", expected: "Expected") -> MemorySettings:
    return MemorySettings(
        micro_batch_rows=chosen.micro_rows,
        micro_batch_tokens=chosen.micro_tokens,
        recompute=chosen.recompute,
        step_in_backward=chosen.in_backward,
        expected_peak_gb=round(expected.peak_gb, 6),
        gradients_stay=expected.gradients_stay,
    )


def _demand(method: TunedMethod, job: Job) -> tuple[Any, Any]:
    """Return the network's configuration and what the method holds in any case, from a network without weights."""
    import torch

    from showdown.engine.budget import Demand
    from showdown.engine.forward import is_packed
    from showdown.engine.optim.adamw import state_bytes
    from showdown.models.network import dtype_of, network_skeleton, weight_bytes
    from showdown.models.source import locate

    network = network_skeleton(locate(job.model), job)
    network.module.to(dtype_of(job.placement))
    pretrained, held_bytes = network.module, weight_bytes(network, method.options)
    padded = not is_packed(pretrained, job.placement.device)
    with torch.device("meta"):
        module = method.adapt(network)
    learning = [value for value in module.parameters() if value.requires_grad]
    whole, protocol = most_weights_learn(module), job.protocol
    on_host = whole and protocol.moments_on_host
    demand = Demand(
        weight_bytes=held_bytes + (0 if whole else sum(value.numel() * value.itemsize for value in learning)),
        gradient_bytes=sum(value.numel() * value.itemsize for value in learning),
        moment_bytes=0.0 if on_host else state_bytes(learning, rounding_of(protocol, whole)),
        trains_backbone=whole,
        four_bit=method.options.four_bit,
        padded=padded,
        may_step_in_backward=whole and protocol.max_gradient_norm is None,
        moments_on_host=on_host,
    )
    return pretrained.config, demand


def most_weights_learn(module: Any) -> bool:
    """Tell full fine-tuning from a method that trains few weights beside frozen ones."""
    learning = sum(value.numel() for value in module.parameters() if value.requires_grad)
    return bool(learning > _MOSTLY * sum(value.numel() for value in module.parameters()))


def rounding_of(protocol: SharedProtocol, most_weights_learn: bool) -> Any:
    """Return how steps on bfloat16 weights are rounded.

    Masters in float32 cost ten bytes a learning weight, which adapters can afford. Where all weights learn, stochastic
    rounding loses no more and costs nothing (`benchmarks/rounding.py`).
    """
    if protocol.weight_rounding != "auto":
        return protocol.weight_rounding
    return "stochastic" if most_weights_learn else "float32"

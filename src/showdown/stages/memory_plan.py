"""The memory plan of a comparison: micro-batch and recomputation at which all its trained methods fit.

The stage `plan` makes it on a GPU, once, before the first run, over the training rows of all partitions. It is kept in
`OUT/memory.json` with everything that it depends on, and made again when any of that changes. The runner writes its
result into the spec of each run. Finished runs keep what they ran with, and the table names the difference. Where a
comparison runs on several GPUs, the plan is made for one of them, and the others are taken to be alike.

On a CPU there is nothing to plan: the settings follow from the protocol and the run's own rows.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from showdown.core.errors import Unavailable
from showdown.core.events import EventWriter
from showdown.core.examples import Examples
from showdown.core.files import read_file, write_json
from showdown.core.memory import MemorySettings
from showdown.core.method import Job, TunedMethod
from showdown.core.spec import Comparison, ModelSpec, RunSpec, SharedProtocol
from showdown.core.strict import Strict, identity_of
from showdown.data.prepare import load_labels, load_side, partitions_in
from showdown.measure.environment import versions
from showdown.methods.table import build, method_and_settings, protocol_of
from showdown.stages.artifact import job_of
from showdown.stages.demand import demand_of
from showdown.stages.devices import Offers
from showdown.stages.row_sizes import Sizes, all_rows, read_share, sizes_of

if TYPE_CHECKING:
    from showdown.engine.budget import Demand, Expected, Plan, Shape

FILE = "memory.json"
CPU_ROWS = 8
"""Rows of a micro-batch on a CPU: larger ones leave its caches."""
CPU_LEAN_TOKENS = 256
_PACKAGES = ("finetuning-showdown", "torch", "transformers", "peft")
"""Packages whose version may change what a step needs."""


class Arm(Strict):
    """What the plan depends on in one row of the table."""

    method: str
    settings: dict[str, Any]
    protocol: dict[str, Any]


class PlannedFor(Strict):
    """Everything that a memory plan depends on. A plan serves where all of it is equal."""

    arms: dict[str, Arm]
    """By name: every method that trains and can run on this machine."""
    model: ModelSpec
    """Pinned."""
    data_fingerprint: str
    partitions: int
    lengths_sha256: str
    """Of the token counts of all training rows, and of how many are read of each."""
    longest_tokens: int
    gpu: str | None
    """Name of the device; None for a CPU."""
    gpu_gb: float | None
    """All memory of the device, in GB of 1e9 bytes."""
    versions: dict[str, str]
    """By package."""


class MemoryPlan(Strict):
    """The content of `OUT/memory.json`."""

    planned_for: PlannedFor
    settings: dict[str, MemorySettings]
    """By name of the arm; empty for a CPU."""
    together: dict[str, dict[int, MemorySettings]] = Field(default_factory=dict)
    """By name of the arm and number of GPUs, where several train a run together; divided where one has no room."""
    worthwhile: dict[str, int] = Field(default_factory=dict)
    """By name of the arm: GPUs up to which each has enough tokens of a usual step. With fewer it waits for its host."""

    @property
    def offers(self) -> Offers:
        """What runs can choose from."""
        return Offers(alone=self.settings, together=self.together, worthwhile=self.worthwhile)


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """The device that a plan is made for."""

    name: str
    total_gb: float
    free_gb: float


@dataclass(frozen=True, kw_only=True)
class _PlannedArm:
    """A method that trains, with its own protocol and the token counts of its training rows, cut at its limit."""

    name: str
    """Of the method."""
    method: TunedMethod
    protocol: SharedProtocol
    lengths: list[int]
    read_share: float
    """Share of the tokens that a language model's last layer computes, in the steps that have most of them."""


def memory_settings(spec: RunSpec, job: Job, lengths: Sequence[int]) -> MemorySettings:
    """Return the memory settings of a run.

    Args:
        spec: the run, with the plan's result where it runs on a GPU; on a CPU with settings only where others ran out
            of memory.
        job: what its method is given.
        lengths: tokens of each of its training rows.

    Raises:
        RuntimeError: on a GPU without a plan.

    """
    if job.placement.device == "cpu":
        return spec.memory or cpu_settings(job.protocol, lengths)
    if spec.memory is None:
        raise RuntimeError(f"{spec.run_id} has no memory settings; the stage `plan` makes them")
    return spec.memory


def plan_run(spec: RunSpec, folder: Path, processed: Path, events: EventWriter) -> None:
    """Make the memory plan of a whole comparison, unless `OUT/memory.json` holds one that still serves.

    Args:
        spec: any run of the comparison.
        folder: the run's folder.
        processed: folder of the processed rows of all partitions.
        events: not used; every stage has the same arguments.

    """
    del events
    path = folder.parent.parent / FILE
    comparison = Comparison.model_validate_json((folder.parent.parent / "comparison.json").read_bytes())
    partitions = partitions_in(processed)
    job = job_of(spec, load_labels(partitions[0]))
    arms, counts = _planned_arms(comparison, job, all_rows([load_side(place, "train") for place in partitions]))
    gpu = None if job.placement.device == "cpu" else current_gpu()
    planned_for = PlannedFor(
        arms={
            row: Arm(method=arm.name, settings=identity_of(arm.method.settings), protocol=identity_of(arm.protocol))
            for row, arm in arms.items()
        },
        model=spec.model,
        data_fingerprint=spec.data_fingerprint,
        partitions=len(partitions),
        lengths_sha256=hashlib.sha256(json.dumps(sorted(counts)).encode()).hexdigest(),
        longest_tokens=max((tokens for tokens, _ in counts), default=0),
        gpu=gpu.name if gpu else None,
        gpu_gb=gpu.total_gb if gpu else None,
        versions={name: number for name, number in versions().items() if name in _PACKAGES},
    )
    kept = read_plan(path.parent)
    if kept is None or kept.planned_for != planned_for:
        made = (
            _on_a_gpu(planned_for, arms, job, gpu.free_gb) if gpu else MemoryPlan(planned_for=planned_for, settings={})
        )
        write_json(path, made.model_dump(mode="json"))


def read_plan(output: Path) -> MemoryPlan | None:
    """Return the plan that a comparison's folder holds; None where it holds none that can be read."""
    try:
        return MemoryPlan.model_validate_json(read_file(output / FILE))
    except (OSError, ValueError):
        return None


def current_gpu() -> Gpu:
    """Return the GPU of this process."""
    import torch

    from showdown.engine.budget import GB

    free, total = torch.cuda.mem_get_info()
    return Gpu(name=torch.cuda.get_device_name(), total_gb=total / GB, free_gb=free / GB)


def _planned_arms(comparison: Comparison, job: Job, rows: Examples) -> tuple[dict[str, _PlannedArm], Sizes]:
    """Return every arm that trains and can run here, and the sizes of the rows as they are read, for each limit."""
    from showdown.models.network import configuration
    from showdown.models.source import locate
    from showdown.models.tokens import load_tokenizer, token_limit

    base = locate(job.model)
    tokenizer = load_tokenizer(base, job.model.chat_template)
    arms = {}
    sizes: dict[tuple[int, str], Sizes] = {}
    for row, written in comparison.methods.items():
        name, settings = method_and_settings(row, written)
        method = build(name, settings)
        if isinstance(method, TunedMethod) and method.unsupported_reason() is None:
            protocol = protocol_of(comparison.protocol, written).model_copy(update={"split": job.protocol.split})
            virtual = method.virtual_tokens
            limit = token_limit(tokenizer, configuration(base, job), protocol.max_tokens, virtual_tokens=virtual)
            key = (limit, protocol.loss_on)
            if key not in sizes:
                sizes[key] = sizes_of(job.task.encode(tokenizer, rows, limit, protocol))
            arms[row] = _PlannedArm(
                name=name,
                method=method,
                protocol=protocol,
                lengths=[tokens + virtual for tokens, _ in sizes[key]],
                read_share=read_share(sizes[key], protocol.effective_batch_rows),
            )
    return arms, [size for _, each in sorted(sizes.items()) for size in each]


def cpu_settings(protocol: SharedProtocol, lengths: Sequence[int]) -> MemorySettings:
    """Return the memory settings of a run on a CPU, whose training rows have so many tokens."""
    lean = protocol.memory == "lean"
    rows = max(1, min(CPU_ROWS, CPU_LEAN_TOKENS // max(lengths))) if lean else CPU_ROWS
    rows = protocol.effective_batch_rows if protocol.moments_on_host else (protocol.micro_batch_rows or rows)
    return MemorySettings(
        micro_batch_rows=min(rows, protocol.effective_batch_rows),
        recompute=lean,
        step_in_backward=protocol.moments_on_host,
    )


def _on_a_gpu(planned_for: PlannedFor, arms: dict[str, _PlannedArm], job: Job, free_gb: float) -> MemoryPlan:
    """Plan every arm, matched where the protocol says so, and again for several GPUs together."""
    from showdown.models.network import network_skeleton
    from showdown.models.source import locate

    needs: dict[str, ArmNeeds] = {}
    for name, arm in arms.items():
        own = replace(job, protocol=arm.protocol)
        with suppress(Unavailable):  # its training stage says why
            shape, demand, _ = demand_of(arm.method, network_skeleton(locate(job.model), own), own, arm.read_share)
            needs[name] = ArmNeeds(shape=shape, demand=demand, protocol=arm.protocol, lengths=arm.lengths)
    unusable = MemorySettings(micro_batch_rows=1, recompute=False)
    found = gpu_offers(needs, free_gb)
    return MemoryPlan(
        planned_for=planned_for,
        settings={**{name: unusable for name in arms if name not in needs}, **found.alone},
        together={name: dict(options) for name, options in found.together.items()},
        worthwhile=dict(found.worthwhile),
    )


@dataclass(frozen=True, kw_only=True)
class ArmNeeds:
    """What the memory settings of an arm on a GPU follow from."""

    shape: "Shape"
    demand: "Demand"
    protocol: SharedProtocol
    lengths: list[int]
    """Tokens of each training row."""


def gpu_offers(needs: Mapping[str, ArmNeeds], free_gb: float) -> Offers:
    """Return the memory settings of arms on one GPU with so much free memory, and on several.

    Those on one GPU are matched where the protocol says so: with an arm that must be divided there are none at which
    all fit, and the others are matched without it.
    """
    together = settings_together(needs, free_gb)
    divided = {name for name, options in together.items() if any(one.divided for one in options.values())}
    alone = _settings_alone({name: arm for name, arm in needs.items() if name not in divided}, free_gb)
    for name in divided:
        alone |= _settings_alone({name: needs[name]}, free_gb)
    return Offers(
        alone={name: alone[name] for name in needs},
        together=together,
        worthwhile={name: worthwhile_devices(arm) for name, arm in needs.items()},
    )


def _settings_alone(needs: Mapping[str, ArmNeeds], free_gb: float) -> dict[str, MemorySettings]:
    from showdown.engine.budget import matched

    plans = {name: _plan(arm, free_gb) for name, arm in needs.items()}
    together = matched(list(plans.values())) if plans else None
    return {
        name: _expected(arm, together if together and arm.protocol.match_memory else plans[name], free_gb)
        for name, arm in needs.items()
    }


def settings_together(needs: Mapping[str, ArmNeeds], free_gb: float) -> dict[str, dict[int, MemorySettings]]:
    """Return the memory settings of arms where several GPUs train a run together, by their number.

    For an arm that fits one GPU, those are all numbers at which it fits each. For one that does not it is the least
    number on which it does, its weights divided, if they can be.

    Args:
        needs: of each arm.
        free_gb: of each GPU.

    """
    from showdown.engine.budget import limit_gb

    found = {}
    for name, arm in needs.items():
        limit = limit_gb(arm.protocol.memory, free_gb)
        fits = _plan(arm, free_gb).expected_peak_gb <= limit
        found[name] = _copied(arm, free_gb, limit) if fits else _divided(arm, free_gb, limit)
    return found


def _copied(arm: ArmNeeds, free_gb: float, limit: float) -> dict[int, MemorySettings]:
    from showdown.engine.parallel.budget import DEVICES, copied

    found = {}
    for devices in DEVICES:
        share = _shared(arm, copied(arm.demand, devices), devices)
        own = _plan(share, free_gb)
        if own.expected_peak_gb <= limit:
            found[devices] = _expected(share, own, free_gb).model_copy(update={"devices": devices})
    return found


def _divided(arm: ArmNeeds, free_gb: float, limit: float) -> dict[int, MemorySettings]:
    from showdown.engine.parallel.budget import DEVICES, divided, may_be_divided

    for devices in DEVICES if may_be_divided(arm.demand) else ():
        share = _shared(arm, divided(arm.shape, arm.demand, devices), devices)
        own = _plan(share, free_gb)
        if own.expected_peak_gb <= limit:
            more = {"devices": devices, "divided": True, "gradients_stay": False}
            return {devices: _expected(share, own, free_gb).model_copy(update=more)}
    return {}


def worthwhile_devices(arm: ArmNeeds) -> int:
    """Return up to how many GPUs each has enough tokens of a usual step, so that it does not wait for its host."""
    from showdown.engine.budget import launch_bound_tokens

    tokens = sum(arm.lengths) / len(arm.lengths) * arm.protocol.effective_batch_rows
    return max(1, int(tokens / launch_bound_tokens(arm.shape)))


def needs_of_one(arm: ArmNeeds, settings: MemorySettings) -> ArmNeeds:
    """Return what one of the devices that train an arm together needs: its part of the weights and of each step."""
    from showdown.engine.parallel.budget import copied, divided

    if settings.devices == 1:
        return arm
    part = (
        divided(arm.shape, arm.demand, settings.devices) if settings.divided else copied(arm.demand, settings.devices)
    )
    return _shared(arm, part, settings.devices)


def _shared(arm: ArmNeeds, demand: "Demand", devices: int) -> ArmNeeds:
    """Return the needs of one of several devices, each with its share of a step's rows."""
    rows = math.ceil(arm.protocol.effective_batch_rows / devices)
    protocol = arm.protocol.model_copy(update={"effective_batch_rows": rows})
    return replace(arm, demand=demand, protocol=protocol)


def _plan(arm: ArmNeeds, free_gb: float) -> "Plan":
    from showdown.engine.budget import plan

    return plan(
        arm.shape,
        arm.demand,
        memory=arm.protocol.memory,
        lengths=arm.lengths,
        effective_rows=arm.protocol.effective_batch_rows,
        free_gb=free_gb,
    )


def _expected(arm: ArmNeeds, chosen: "Plan", free_gb: float) -> MemorySettings:
    """Return settings with the memory that an arm is expected to need under them."""
    from showdown.engine.budget import expected, limit_gb
    from showdown.training.batches import largest_drawn_tokens

    chosen = _as_requested(arm.protocol, chosen)
    limit = limit_gb(arm.protocol.memory, free_gb)
    drawn = largest_drawn_tokens(
        arm.lengths, arm.protocol.effective_batch_rows, chosen.micro_rows, epochs=arm.protocol.epochs
    )
    return _settings(
        chosen, expected(arm.shape, arm.demand, chosen, lengths=arm.lengths, drawn_tokens=drawn, limit_gb=limit)
    )


def _as_requested(protocol: SharedProtocol, chosen: "Plan") -> "Plan":
    """Return what an arm gets: micro-batch rows that the user names replace those that were planned."""
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

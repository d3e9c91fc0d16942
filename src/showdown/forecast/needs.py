"""Every arm that trains a network: the network without weights, what the method holds, and its memory settings."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from showdown.core.forecast import DeviceProfile
from showdown.core.memory import MemorySettings
from showdown.core.method import AdaptsNetwork, Job, Placement
from showdown.core.spec import SharedProtocol
from showdown.forecast.workload import RowSizes, Workload
from showdown.stages.demand import demand_of
from showdown.stages.devices import DevicesOfRuns
from showdown.stages.memory_plan import ArmNeeds, cpu_settings, gpu_offers, needs_of_one
from showdown.stages.row_sizes import read_share
from showdown.tasks.table import task_named

if TYPE_CHECKING:
    from torch import nn

    from showdown.forecast.passes import Passes

ONE_DEVICE = DevicesOfRuns()
CONTEXT_GB = 0.6
"""Of a GPU's memory that its driver and CUDA take before anything is allocated."""


@dataclass(frozen=True, kw_only=True)
class NetworkArm:
    """An arm that trains a network, or answers with it as it is."""

    job: Job
    """With the arm's protocol, placed on the device of the forecast."""
    module: "nn.Module"
    """What is trained, on the meta device."""
    linear_names: tuple[str, ...]
    """Linear layers of the pretrained network's stack, by their names before the method changed it."""
    needs: ArmNeeds
    optimizer: str
    """As `showdown.engine.optim.table` names it."""
    train: RowSizes
    """Cut at the arm's limit, with its virtual tokens."""
    decoder: bool
    """Whether the engine computes it layer by layer, as a packed decoder."""
    called: Any
    """What is called otherwise: transformers' network, or its backbone where a head follows that the engine calls."""
    call_options: dict[str, bool]
    """Arguments of that call."""
    virtual_tokens: int = 0
    """That its method puts to every row."""

    @cached_property
    def passes(self) -> "Passes":
        """Return its passes, which are counted once whatever device they are for."""
        from showdown.forecast.passes import Called, Passes

        on_gpu, demand = self.job.placement.device == "cuda", self.needs.demand
        called = Called(
            module=self.module,
            backbone=self.called,
            options=self.call_options,
            on_gpu=on_gpu,
            padded=demand.padded,
            packed_decoder=self.decoder,
            reads_all=demand.output is not None,
        )
        return Passes(called, longest=max(self.needs.lengths, default=1))


def placement_on(profile: DeviceProfile, protocol: SharedProtocol) -> Placement:
    """Return device and number type as they would be chosen on the device of a profile."""
    device = "cuda" if profile.kind == "gpu" else "cpu"
    if protocol.precision != "auto":
        return Placement(device=device, dtype=protocol.precision)
    return Placement(device=device, dtype="bfloat16" if device == "cuda" else "float32")


def network_arm(
    method: AdaptsNetwork, protocol: SharedProtocol, workload: Workload, profile: DeviceProfile
) -> NetworkArm:
    """Return an arm from its network without weights.

    Raises:
        Unavailable: when the method cannot work on this network.

    """
    from showdown.engine.structure import language_model, last_token_classifier, unwrapped
    from showdown.models.network import completed, skeleton_of

    job = Job(
        task=task_named(workload.comparison.task),
        labels=workload.labels,
        model=workload.comparison.model,
        protocol=protocol,
        placement=placement_on(profile, protocol),
        seed=0,
    )
    network = skeleton_of(completed(deepcopy(workload.config), job), job)
    train = with_virtual(cut(workload.train, protocol.max_tokens), method.virtual_tokens)
    shape, demand, module = demand_of(method, network, job, read_share(train, protocol.effective_batch_rows))
    lengths = [tokens for tokens, _ in train]
    language = language_model(module)
    parts = language or last_token_classifier(module)
    return NetworkArm(
        decoder=parts is not None and not demand.padded,
        called=parts.backbone if parts and parts.backbone is not None else unwrapped(module),
        call_options={"use_cache": False} if parts else {},
        job=job,
        module=module,
        linear_names=network.linear_names,
        needs=ArmNeeds(shape=shape, demand=demand, protocol=protocol, lengths=lengths),
        optimizer=method.optimizer,
        train=train,
        virtual_tokens=method.virtual_tokens,
    )


def cut(rows: RowSizes, limit: int) -> RowSizes:
    """Return rows as they are read with a limit of tokens."""
    return [(min(tokens, limit), min(read, tokens, limit)) for tokens, read in rows]


def with_virtual(rows: RowSizes, tokens: int) -> RowSizes:
    """Return rows with so many virtual tokens in each, which have no loss."""
    return [(one + tokens, read) for one, read in rows]


def of_one_device(arm: NetworkArm, settings: MemorySettings) -> NetworkArm:
    """Return an arm as one of the devices that train it together sees it: with its part of weights and steps."""
    needs = needs_of_one(arm.needs, settings)
    return replace(arm, needs=needs, job=replace(arm.job, protocol=needs.protocol)) if needs is not arm.needs else arm


def memory_settings_of(
    arms: Mapping[str, NetworkArm], profile: DeviceProfile, devices: DevicesOfRuns = ONE_DEVICE
) -> dict[str, MemorySettings]:
    """Return the memory settings that the product would choose for each arm.

    Args:
        arms: by name.
        profile: of a device.
        devices: how many of them train a run.

    """
    if profile.kind == "gpu":
        offers = gpu_offers({name: arm.needs for name, arm in arms.items()}, profile.memory_gb - CONTEXT_GB)
        return {name: devices.settings(name, offers) or offers.alone[name] for name in arms}
    return {name: cpu_settings(arm.job.protocol, arm.needs.lengths) for name, arm in arms.items()}

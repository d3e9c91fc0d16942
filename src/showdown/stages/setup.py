"""What trainings start from: encoded examples, memory settings, and a network that a method has adapted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from showdown.core.errors import Unavailable
from showdown.core.examples import Examples
from showdown.core.memory import MemorySettings
from showdown.core.method import TunedMethod
from showdown.core.record import GB
from showdown.core.spec import SharedProtocol
from showdown.core.task import EncodedExamples, ForwardPath, Objective, Validation
from showdown.stages.base_cache import BaseCache
from showdown.stages.context import StageContext
from showdown.stages.demand import most_weights_learn, rounding_of
from showdown.stages.memory_plan import memory_settings

if TYPE_CHECKING:
    from concurrent.futures import Future

    from torch import nn

    from showdown.engine.decoder.cudnn_attention import CudnnAttention
    from showdown.engine.optim.settings import OptimizerSettings
    from showdown.engine.parallel.spread import Spread
    from showdown.models.network import Network
    from showdown.training.checkpoint import Checkpoints
    from showdown.training.run import TrainingRun

_SEEDS_APART = 1_000_003
"""Between the seeds of the processes that train one network together."""


@dataclass(frozen=True, kw_only=True)
class AdaptedNetwork:
    """A network that a method has adapted, ready to be trained."""

    module: "nn.Module"
    forward: ForwardPath
    step: "OptimizerSettings"
    spread: "Spread"
    """The module on the devices that train it together, or on the only one."""
    setup: "TrainingSetup"
    network: "Network"
    """The pretrained network with the names of its parts, for when the method's own parts are removed again."""

    def training(
        self,
        *,
        protocol: SharedProtocol,
        learning_rate: float,
        validate: Callable[[], Validation],
        checkpoints: "Checkpoints | None",
    ) -> "TrainingRun":
        """Return the training of this network for the loop."""
        from showdown.training.run import TrainingRun

        context = self.setup.context
        return TrainingRun(
            task=context.job.task,
            module=self.module,
            forward=self.forward,
            train=self.setup.train,
            validation_targets=self.setup.held_out.targets,
            validate=validate,
            protocol=protocol,
            micro_batch_rows=self.setup.memory.micro_batch_rows,
            micro_batch_tokens=self.setup.memory.micro_batch_tokens,
            expected_peak_gb=self.setup.memory.expected_peak_gb,
            gradients_stay=self.setup.memory.gradients_stay,
            step=self.step,
            learning_rate=learning_rate,
            seed=context.spec.seed,
            device=context.job.placement.device,
            clock=context.clock,
            checkpoints=checkpoints,
            watcher=context.events,
            spread=self.spread,
        )

    def validate(self) -> Validation:
        """Judge the network on the validation examples."""
        setup = self.setup
        found = setup.context.job.task.validate(self.module, self.forward, setup.objective, setup.held_out)
        return Validation(**self.spread.group.told(vars(found))[0])  # the same for all: it decides what they do next


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """What all trainings of a stage have in common: the encoded examples, and how much memory they may take."""

    context: StageContext
    method: TunedMethod
    base: Path
    """Folder of the pretrained network."""
    pad_token_id: int
    train: EncodedExamples
    held_out: EncodedExamples
    """The validation examples."""
    objective: Objective
    limit: int
    """Tokens after which a text is cut."""
    learning_rate: float
    """Peak rate of the method's settings, or by the rule for this network's width."""
    learning_rate_range: tuple[float, float]
    """Lowest and highest rate that tuning begins with."""
    memory: MemorySettings
    libraries_gb: float
    """What the process held before any network; 0 on a GPU, where it holds nothing."""

    def adapt(self, kept: BaseCache | None = None) -> AdaptedNetwork:
        """Return a network adapted afresh: the same for the same seed.

        Args:
            kept: has the pretrained network, where an earlier stage left it; it gets the head that it would be loaded
                with. None loads it.

        """
        import torch

        from showdown.engine.forward import choose_forward

        job = self.context.job
        with self.context.phase("loading"):
            building = self._start_building_attention()
            torch.manual_seed(job.seed)
            network = kept.take(self._load, job.seed) if kept else self._load()
            torch.manual_seed(job.seed)
            module = self.method.adapt(network)
            spread = self._spread(module)
            forward = choose_forward(
                module,
                pad_token_id=self.pad_token_id,
                device=job.placement.device,
                recompute=self.memory.recompute,
                attention=building.result() if building else None,
                spread=spread,
            )
            if spread.group.rank:  # masks of its rows are its own
                torch.manual_seed(job.seed + spread.group.rank * _SEEDS_APART)
        return AdaptedNetwork(
            module=module,
            forward=forward,
            step=self._step(module, spread),
            spread=spread,
            setup=self,
            network=network,
        )

    def _load(self) -> "Network":
        """Load the pretrained network: on the host, where no single device has room for it."""
        from showdown.models.network import load_network

        job = self.context.job
        on_host = replace(job, placement=replace(job.placement, device="cpu"))
        return load_network(self.base, on_host if self.memory.divided else job, self.method.options)

    def _spread(self, module: "nn.Module") -> "Spread":
        """Lay a network on the devices of this process's group."""
        from showdown.engine.forward import spread_over
        from showdown.engine.parallel.group import current

        return spread_over(
            current(),
            module,
            device=self.context.job.placement.device,
            divided=self.memory.divided,
            whole=most_weights_learn(module),
        )

    def _start_building_attention(self) -> "Future[CudnnAttention | None] | None":
        """Build cuDNN's attention in a thread while the network is loaded; None where it is of no use."""
        from showdown.engine.decoder.cudnn_attention import building_for
        from showdown.models.network import configuration

        job = self.context.job
        if job.placement.device == "cpu" or self.memory.recompute:
            return None
        return building_for(
            configuration(self.base, job),
            lengths=self.train.lengths,
            micro_rows=self.memory.micro_batch_rows,
            micro_tokens=self.memory.micro_batch_tokens,
        )

    def give_back(self, adapted: AdaptedNetwork) -> "Network | None":
        """Return the pretrained network as it was loaded, or None where training changed or divided it."""
        stripped = None if adapted.spread.is_divided else self.method.strip(adapted.module)
        return None if stripped is None else replace(adapted.network, module=stripped)

    def _step(self, module: "nn.Module", spread: "Spread") -> "OptimizerSettings":
        from showdown.engine.optim.settings import OptimizerSettings
        from showdown.engine.optim.table import OPTIMIZERS

        protocol, whole = self.context.job.protocol, most_weights_learn(module)
        if spread.divided and not OPTIMIZERS[self.method.optimizer].keeps_rows:
            raise Unavailable(
                f"the optimizer {self.method.optimizer} keeps what cannot be divided among GPUs with the weights; "
                "set `gpus_per_run: 1`, or take full with AdamW"
            )
        return OptimizerSettings(
            weight_decay=protocol.weight_decay,
            name=self.method.optimizer,
            groups=spread.groups(self.method.parameter_groups(module)),
            rounding=rounding_of(protocol, whole, self.context.job.placement.device),
            in_backward=self.memory.step_in_backward,
            moments_on_host=whole and protocol.moments_on_host,
            places=spread.places,
        )


def prepare_training(
    context: StageContext, method: TunedMethod, train: Examples, validation: Examples
) -> TrainingSetup:
    """Encode the examples and work out the memory settings."""
    from showdown.models.network import configuration
    from showdown.models.source import locate
    from showdown.models.tokens import load_tokenizer, token_limit
    from showdown.models.width import width_of

    job = context.job
    with context.phase("loading"):
        base = locate(job.model)
        tokenizer = load_tokenizer(base, job.model.chat_template)
        config = configuration(base, job)
        width = width_of(config)
        virtual = method.virtual_tokens
        limit = token_limit(tokenizer, config, job.protocol.max_tokens, virtual_tokens=virtual)
        encoded = replace(job.task.encode(tokenizer, train, limit, job.protocol), virtual_tokens=virtual)
        return TrainingSetup(
            context=context,
            method=method,
            base=base,
            pad_token_id=int(tokenizer.pad_token_id),
            train=encoded,
            held_out=job.task.encode(tokenizer, validation, limit, job.protocol),
            objective=job.task.objective(job.protocol),
            limit=limit,
            learning_rate=method.learning_rate(width),
            learning_rate_range=method.learning_rate_range(width),
            memory=memory_settings(context.spec, job, encoded.lengths),
            libraries_gb=psutil.Process().memory_info().rss / GB if job.placement.device == "cpu" else 0.0,
        )

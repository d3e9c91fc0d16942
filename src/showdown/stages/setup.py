"""What trainings stand on: encoded rows, memory settings, and a network that a method has adapted."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from showdown.core.method import LabelledTexts, TunedMethod
from showdown.core.record import GB
from showdown.core.spec import SharedProtocol
from showdown.stages.context import StageContext
from showdown.stages.memory_plan import MemorySettings, memory_settings, most_weights_learn, rounding_of

_VALIDATION_BATCH_ROWS = 16


@dataclass(frozen=True, kw_only=True)
class AdaptedNetwork:
    """A network that a method has adapted, ready to be trained."""

    module: Any
    forward: Any
    step: Any
    """How steps are taken: a `showdown.engine.optim.adamw.OptimizerSettings`."""
    setup: "TrainingSetup"
    network: Any
    """The names of its parts, for when the method's own are taken away again."""

    def training(
        self, *, protocol: SharedProtocol, learning_rate: float, validate: Callable[[], Any], checkpoints: Any
    ) -> Any:
        """Return the training of this network for the loop."""
        from showdown.training.loop import TrainingRun

        context = self.setup.context
        return TrainingRun(
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
        )

    def validate(self) -> Any:
        """Judge the network on the validation rows."""
        return _validate(self.module, self.forward, self.setup.held_out)


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """What all trainings of a stage have in common: the rows, encoded, and how much memory they may take."""

    context: StageContext
    method: TunedMethod
    base: Path
    pad_token_id: int
    train: Any
    held_out: Any
    limit: int
    """Tokens after which a text is cut."""
    learning_rate: float
    """Peak rate of the method's settings, or by the rule for this network's width."""
    learning_rate_range: tuple[float, float]
    """Lowest and highest rate that tuning begins with."""
    memory: MemorySettings
    libraries_gb: float
    """What the process held before any network; 0 on a GPU, where it holds nothing."""

    def adapt(self, network: Any = None) -> AdaptedNetwork:
        """Return a network adapted afresh: the same for the same seed.

        Args:
            network: the pretrained network, where an earlier training gave it back, which then gets the head that it
                would be loaded with; it is loaded otherwise.

        """
        import torch

        from showdown.engine.forward import choose_forward
        from showdown.models.network import load_network

        job = self.context.job
        with self.context.phase("loading"):
            building = self._attention_in_building()
            torch.manual_seed(job.seed)
            if network is None:
                network = load_network(self.base, job, self.method.options)
            else:
                network.redraw(job.seed)
            torch.manual_seed(job.seed)
            module = self.method.adapt(network)
            forward = choose_forward(
                module,
                pad_token_id=self.pad_token_id,
                device=job.placement.device,
                recompute=self.memory.recompute,
                attention=building.result() if building else None,
            )
        return AdaptedNetwork(module=module, forward=forward, step=self._step(module), setup=self, network=network)

    def _attention_in_building(self) -> Any:
        """Have cuDNN's attention built while the network is loaded, where it serves: a future, or None."""
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

    def give_back(self, adapted: AdaptedNetwork) -> Any:
        """Return the pretrained network as it was loaded, or None where training changed it."""
        stripped = self.method.strip(adapted.module)
        return None if stripped is None else replace(adapted.network, module=stripped)

    def _step(self, module: Any) -> Any:
        from showdown.engine.optim.adamw import OptimizerSettings

        protocol, whole = self.context.job.protocol, most_weights_learn(module)
        return OptimizerSettings(
            weight_decay=protocol.weight_decay,
            rounding=rounding_of(protocol, whole),
            in_backward=self.memory.step_in_backward,
            moments_on_host=whole and protocol.moments_on_host,
        )


def prepare_training(
    context: StageContext, method: TunedMethod, train: LabelledTexts, validation: LabelledTexts
) -> TrainingSetup:
    """Encode the rows and work out the memory settings."""
    from showdown.models.network import configuration
    from showdown.models.source import locate
    from showdown.models.tokens import encode, load_tokenizer, token_limit
    from showdown.models.width import width_of
    from showdown.training.loop import EncodedRows

    job = context.job
    with context.phase("loading"):
        base = locate(job.model)
        tokenizer = load_tokenizer(base)
        config = configuration(base, job)
        width = width_of(config)
        limit = token_limit(tokenizer, config, job.protocol.max_tokens)
        rows = EncodedRows(ids=encode(tokenizer, train.texts, limit), targets=train.targets)
        return TrainingSetup(
            context=context,
            method=method,
            base=base,
            pad_token_id=int(tokenizer.pad_token_id),
            train=rows,
            held_out=EncodedRows(ids=encode(tokenizer, validation.texts, limit), targets=validation.targets),
            limit=limit,
            learning_rate=method.learning_rate(width),
            learning_rate_range=method.learning_rate_range(width),
            memory=memory_settings(context.spec.name, job, context.folder.parent.parent, rows.lengths),
            libraries_gb=psutil.Process().memory_info().rss / GB if job.placement.device == "cpu" else 0.0,
        )


def _validate(module: Any, forward: Any, rows: Any) -> Any:
    import torch

    from showdown.evaluation.metrics import metric_value
    from showdown.evaluation.network import logits_of
    from showdown.training.loop import Validation

    logits = logits_of(module, forward, rows.ids, _VALIDATION_BATCH_ROWS)
    targets = torch.tensor(rows.targets)
    predicted = logits.argmax(dim=1)
    right = torch.softmax(logits.double(), dim=1)[torch.arange(len(targets)), targets]
    return Validation(
        f1_macro=metric_value("f1_macro", targets.numpy(), predicted.numpy()),
        loss=float(torch.nn.functional.cross_entropy(logits, targets)),
        accuracy=float((predicted == targets).double().mean()),
        true_label_probability=float(right.mean()),
    )

"""The one training loop: every tuned method goes through it, and nothing in it asks which method it is."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from showdown.core.record import Phase
from showdown.core.spec import SharedProtocol
from showdown.engine.forward import ForwardPath
from showdown.measure.phases import PhaseClock
from showdown.training.batches import effective_batches, micro_batches
from showdown.training.checkpoint import Checkpoints, State
from showdown.training.schedule import rate_factor, warmup_steps

DEFAULT_MICRO_BATCH_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class EncodedRows:
    """Token ids and targets of one side of a split."""

    ids: Sequence[Sequence[int]]
    targets: Sequence[int]

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(row) for row in self.ids]


@dataclass(frozen=True, kw_only=True)
class Validation:
    """How good the network is on the validation rows."""

    f1_macro: float
    loss: float


class Watcher(Protocol):
    """Whoever wants to know how training goes."""

    def step(self, *, step: int, steps: int, epoch: int, loss: float, seconds: float) -> None:
        """One optimiser step is done; ``seconds`` is the training time so far."""

    def say(self, message: str) -> None:
        """Something happened that a reader of the result must know."""


@dataclass(kw_only=True)
class Progress:
    """What a checkpoint remembers beside the tensors; JSON-able."""

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    micro_batch_rows: int = DEFAULT_MICRO_BATCH_ROWS
    best_weights: str | None = None
    best_epoch: int | None = None
    best_f1_macro: float = -1.0
    best_loss: float = math.inf
    curve: dict[str, list[float]] = field(
        default_factory=lambda: {"step": [], "loss": [], "learning_rate": [], "gradient_norm": []}
    )
    validation: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class TrainingRun:
    """What one training needs. Everything that differs between methods is in the module and the rate."""

    module: nn.Module
    forward: ForwardPath
    train: EncodedRows
    validate: Callable[[], Validation]
    protocol: SharedProtocol
    learning_rate: float
    seed: int
    device: str
    clock: PhaseClock
    checkpoints: Checkpoints | None
    watcher: Watcher


def train(run: TrainingRun) -> Progress:
    """Train, and leave the module with the weights of the epoch that the protocol selects.

    Continues from the run's newest whole checkpoint. Seconds and peaks go to the clock's phases `training`,
    `validation` and `checkpoint`.

    Raises:
        torch.OutOfMemoryError: when one row does not fit.

    """
    return _Loop(run).go()


class _Loop:
    """The state of one training."""

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self.parameters = {name: value for name, value in run.module.named_parameters() if value.requires_grad}
        self.optimizer = adamw(self.parameters, run.learning_rate, run.protocol.weight_decay)
        self.progress = Progress(micro_batch_rows=_micro_rows(run.protocol))
        self.lengths = run.train.lengths
        self.steps_per_epoch = math.ceil(len(self.lengths) / run.protocol.effective_batch_rows)
        self.total_steps = self.steps_per_epoch * run.protocol.epochs
        self.warmup = warmup_steps(self.total_steps, run.protocol.warmup_fraction)

    def go(self) -> Progress:
        """Run all epochs that are left."""
        with self.run.clock.phase("checkpoint"):
            self._resume()
        while self.progress.epoch < self.run.protocol.epochs:
            self._train_epoch()
            self._end_epoch()
        self._take_selected_weights()
        return self.progress

    def _train_epoch(self) -> None:
        run, progress = self.run, self.progress
        batches = effective_batches(
            len(self.lengths), run.protocol.effective_batch_rows, seed=run.seed, epoch=progress.epoch
        )
        run.module.train()
        with run.clock.phase("training"):
            for rows in batches[progress.step_in_epoch :]:
                self._step(rows)
                every = run.protocol.checkpoint_every_steps
                if every and progress.step % every == 0:
                    self._save()

    def _end_epoch(self) -> None:
        run, progress = self.run, self.progress
        with run.clock.phase("validation"):
            run.module.eval()
            found = run.validate()
        progress.validation.append(
            {"epoch": progress.epoch + 1, "step": progress.step, "f1_macro": found.f1_macro, "loss": found.loss}
        )
        better = (found.f1_macro, -found.loss) > (progress.best_f1_macro, -progress.best_loss)
        if better:
            progress.best_f1_macro, progress.best_loss = found.f1_macro, found.loss
            progress.best_epoch = progress.epoch + 1
        progress.epoch += 1
        progress.step_in_epoch = 0
        if better and run.protocol.select_epoch == "best":
            self._save_best()
        self._save()

    def _step(self, rows: list[int]) -> None:
        """One optimiser step; where memory does not suffice, the same step again with half the micro-batch."""
        progress = self.progress
        while True:
            try:
                loss = self._accumulate(rows)
                break
            except torch.OutOfMemoryError:
                if progress.micro_batch_rows == 1:
                    raise
                self.optimizer.zero_grad(set_to_none=True)
                if self.run.device == "cuda":
                    torch.cuda.empty_cache()
                progress.micro_batch_rows = math.ceil(progress.micro_batch_rows / 2)
                self.run.watcher.say(
                    f"out of memory at step {progress.step + 1}: micro-batch halved to "
                    f"{progress.micro_batch_rows} rows, effective batch unchanged"
                )
        norm = self._clip()
        rate = self.run.learning_rate * rate_factor(progress.step, self.total_steps, self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._note(loss, rate, norm)

    def _accumulate(self, rows: list[int]) -> float:
        """Forward and backward of a step's rows; the gradient is that of the mean loss over all its rows."""
        total = torch.zeros((), device=self.run.device)
        for micro in micro_batches(rows, self.lengths, self.progress.micro_batch_rows):
            logits = self.run.forward.logits([torch.tensor(self.run.train.ids[row]) for row in micro])
            targets = torch.tensor([self.run.train.targets[row] for row in micro], device=logits.device)
            loss = nn.functional.cross_entropy(logits.float(), targets, reduction="sum") / len(rows)
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return float(total)

    def _clip(self) -> float:
        limit = self.run.protocol.max_gradient_norm
        return float(nn.utils.clip_grad_norm_(self.parameters.values(), math.inf if limit is None else limit).detach())

    def _note(self, loss: float, rate: float, norm: float) -> None:
        progress = self.progress
        progress.step += 1
        progress.step_in_epoch += 1
        for key, value in (("step", progress.step), ("loss", loss), ("learning_rate", rate), ("gradient_norm", norm)):
            progress.curve[key].append(value)
        if not math.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} at step {progress.step}; a lower learning rate may hold")
        self.run.watcher.step(
            step=progress.step,
            steps=self.total_steps,
            epoch=progress.epoch + 1,
            loss=loss,
            seconds=self.run.clock.seconds("training"),
        )

    def _save_best(self) -> None:
        if self.run.checkpoints is None:
            self.kept = {name: value.detach().cpu().clone() for name, value in self.parameters.items()}
            return
        with self.run.clock.phase("checkpoint"):
            self.progress.best_weights = self.run.checkpoints.save_best(self.progress.epoch, self.parameters)

    def _take_selected_weights(self) -> None:
        if self.run.protocol.select_epoch == "last" or self.progress.best_epoch == self.run.protocol.epochs:
            return
        with self.run.clock.phase("checkpoint"):
            best = (
                self.run.checkpoints.load_best(str(self.progress.best_weights)) if self.run.checkpoints else self.kept
            )
            self._copy_in(best)

    def _copy_in(self, tensors: Any) -> None:
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(tensors[name])

    def _save(self) -> None:
        if self.run.checkpoints is None:
            return
        with self.run.clock.phase("checkpoint"):
            tensors: dict[str, torch.Tensor] = {f"weight.{name}": value for name, value in self.parameters.items()}
            numbers: dict[str, dict[str, Any]] = {}
            for index, entries in self.optimizer.state_dict()["state"].items():
                for key, value in entries.items():
                    if isinstance(value, torch.Tensor):
                        tensors[f"optimizer.{index}.{key}"] = value
                    else:
                        numbers.setdefault(str(index), {})[key] = value
            tensors["random.cpu"] = torch.get_rng_state()
            if self.run.device == "cuda":
                tensors["random.cuda"] = torch.cuda.get_rng_state()
            facts = {
                **vars(self.progress),
                "best_loss": self.progress.best_loss if math.isfinite(self.progress.best_loss) else None,
                "optimizer_numbers": numbers,
                "phases": [phase.model_dump() for phase in self.run.clock.phases()],
            }
            self.run.checkpoints.save(self.progress.step, self.progress.epoch, State(tensors=tensors, facts=facts))

    def _resume(self) -> None:
        state = self.run.checkpoints.newest() if self.run.checkpoints else None
        if state is None:
            return
        facts = dict(state.facts)
        numbers = facts.pop("optimizer_numbers")
        self.run.clock.add([Phase.model_validate(phase) for phase in facts.pop("phases")])
        facts["best_loss"] = math.inf if facts["best_loss"] is None else facts["best_loss"]
        self.progress = Progress(**facts)
        self._copy_in({name: state.tensors[f"weight.{name}"] for name in self.parameters})
        self._restore_optimizer(state, numbers)
        torch.set_rng_state(state.tensors["random.cpu"])
        if "random.cuda" in state.tensors and self.run.device == "cuda":
            torch.cuda.set_rng_state(state.tensors["random.cuda"])
        self.run.watcher.say(f"continued from step {self.progress.step} of {self.total_steps}")

    def _restore_optimizer(self, state: State, numbers: dict[str, dict[str, Any]]) -> None:
        entries: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in numbers.items()}
        for name, tensor in state.tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                entries.setdefault(int(index), {})[key] = tensor
        whole = self.optimizer.state_dict()
        whole["state"] = entries
        self.optimizer.load_state_dict(whole)


def _micro_rows(protocol: SharedProtocol) -> int:
    return min(protocol.micro_batch_rows or DEFAULT_MICRO_BATCH_ROWS, protocol.effective_batch_rows)


def adamw(parameters: dict[str, nn.Parameter], learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Return AdamW (arXiv 1711.05101) that decays matrices alone: no bias, no norm, as the Trainer does."""
    matrices = [value for value in parameters.values() if value.dim() > 1]
    vectors = [value for value in parameters.values() if value.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, fused=True)

"""The one training loop, for every fine-tuning method and every task."""

import math
from dataclasses import dataclass

import torch

from showdown.core.record import Convergence
from showdown.core.spec import SharedProtocol
from showdown.core.task import selection_key
from showdown.engine.allocator import reserve_memory
from showdown.engine.dropout import draw_seed
from showdown.engine.garbage_collector import paused_garbage_collector
from showdown.engine.graphs.capture import choose_accumulator
from showdown.engine.optim.table import build_optimizer
from showdown.engine.parallel.group import Group
from showdown.engine.parallel.spread import Spread
from showdown.training.batches import effective_batches, shared_micro_batches
from showdown.training.convergence import COOLDOWN_SHARE, cooldown_epochs, judge, waited_enough
from showdown.training.run import Progress, TrainingRun
from showdown.training.schedule import WARMUP_EPOCHS, rate_factor, warmup_steps
from showdown.training.snapshot import Snapshots


@dataclass(frozen=True, kw_only=True)
class _Taken:
    """A step that was taken, its numbers perhaps still on their way from the GPU."""

    step: int
    loss: "_Number"
    learning_rate: float
    norm: "_Number | None"


class _Number:
    """A number that is on its way from the device; later work of the device does not delay it."""

    def __init__(self, value: torch.Tensor) -> None:
        self._arrived: torch.cuda.Event | None = None
        self._value = value
        if value.is_cuda:
            self._value = torch.empty(value.shape, dtype=value.dtype, pin_memory=True).copy_(value, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record()

    def __float__(self) -> float:
        """Return it once it is there."""
        if self._arrived is not None:
            self._arrived.synchronize()
        return float(self._value)


def train(run: TrainingRun) -> Progress:
    """Train until it has converged, and leave the module with the weights of the epoch that the protocol selects.

    Continues from the run's newest whole checkpoint. Seconds and peaks go to the clock's phases `training`,
    `validation` and `checkpoint`.

    Raises:
        torch.OutOfMemoryError: when one row does not fit, or a step inside the backward pass.
        FloatingPointError: when the loss is no number.

    """
    return _Loop(run).go()


def convergence(run: TrainingRun, progress: Progress) -> Convergence:
    """Say whether a training that is over had converged, and what ended it."""
    return judge(
        _scores(run, progress),
        stopped=progress.stopped,
        best_epoch=selected_epoch(run.protocol, progress),
        chance=run.task.chance_score(run.validation_targets),
        still_learning=run.task.still_learning(progress.validation[-1], run.protocol),
        least_rise=run.task.least_rise,
    )


def _scores(run: TrainingRun, progress: Progress) -> list[float]:
    """Return the selection score of each epoch."""
    return [epoch[run.task.score_key] for epoch in progress.validation]


def selected_epoch(protocol: SharedProtocol, progress: Progress) -> int:
    """Return the epoch, from 1, whose weights a training leaves."""
    last = len(progress.validation)
    return last if protocol.select_epoch == "last" or progress.best_epoch is None else progress.best_epoch


class _Loop:
    """The state of one training."""

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self.spread = run.spread or Spread(Group(), run.module)
        self.group = self.spread.group
        self.parameters = self.spread.parameters
        self.optimizer = build_optimizer(self.parameters, run.step)
        self.snapshots = Snapshots(run, self.spread, self.optimizer)
        self.objective = run.task.objective(run.protocol)
        self.accumulator = choose_accumulator(
            run.forward,
            self.objective,
            self.parameters,
            gradients_stay=run.gradients_stay,
            most_tokens=run.micro_batch_tokens,
        )
        self.progress = Progress(
            micro_batch_rows=min(run.micro_batch_rows, run.protocol.effective_batch_rows),
            micro_batch_tokens=run.micro_batch_tokens,
        )
        self.taken: list[_Taken] = []
        self.steps_behind = 1 if run.device == "cuda" else 0
        """How many steps are left unread, so that the host can prepare the next one while the GPU computes."""
        self.lengths = run.train.lengths
        self.steps_per_epoch = math.ceil(len(self.lengths) / run.protocol.effective_batch_rows)
        self.most_steps = self.steps_per_epoch * run.protocol.epochs
        self.waits = run.protocol.patience_epochs is not None and run.protocol.epochs > 1
        warming = self.steps_per_epoch * min(WARMUP_EPOCHS, run.protocol.epochs) if self.waits else self.most_steps
        self.warmup = warmup_steps(warming, run.protocol.warmup_fraction, run.protocol.warmup_steps)
        self.chance = run.task.chance_score(run.validation_targets)

    def go(self) -> Progress:
        """Run the epochs that are left."""
        with self.run.clock.phase("checkpoint"):
            self._resume()
        if self.run.device == "cuda" and self.run.expected_peak_gb is not None:
            reserve_memory(self.run.expected_peak_gb)  # outside all phases: no peak of allocated memory is this one's
        if not self.waits and self.progress.end_step is None:
            self.progress.decay_from, self.progress.end_step = self.warmup, self.most_steps
        with paused_garbage_collector():
            while not self._over() or self.progress.step_in_epoch:  # the last epoch may still lack its validation
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
        every = run.protocol.checkpoint_every_steps
        with run.clock.phase("training"):
            for rows in batches[progress.step_in_epoch :]:
                if self._over():
                    break
                self._step(rows)
                self._watch_the_time()
                if every and progress.step % every == 0:
                    self._save()
            self._read(0)

    def _end_epoch(self) -> None:
        run, progress = self.run, self.progress
        with run.clock.phase("validation"):
            run.module.eval()
            found = run.validate()
            self.spread.rest()
        if not math.isfinite(found.loss):
            raise FloatingPointError(
                f"the validation loss is {found.loss} after epoch {progress.epoch + 1}; a lower learning rate may hold"
            )
        progress.validation.append({"epoch": progress.epoch + 1, "step": progress.step, **found.values})
        better = selection_key(found.score, found.loss) > selection_key(progress.best_score, progress.best_loss)
        if better:
            progress.best_score, progress.best_loss = found.score, found.loss
            progress.best_epoch = progress.epoch + 1
        progress.epoch += 1
        progress.step_in_epoch = 0
        self._wind_down_in_time()
        if better and run.protocol.select_epoch == "best" and not self._over():
            self._save_best()
        self._save()

    def _over(self) -> bool:
        end = self.progress.end_step
        return self.progress.step >= (self.most_steps if end is None else end)

    def _wind_down_in_time(self) -> None:
        """Let the rate fall from the end of this epoch where it has converged, or where the cap leaves no more room."""
        progress, protocol = self.progress, self.run.protocol
        if progress.end_step is not None or protocol.patience_epochs is None:
            return
        scores = _scores(self.run, progress)
        epochs = min(cooldown_epochs(progress.epoch), protocol.epochs - progress.epoch)
        if waited_enough(
            scores, patience=protocol.patience_epochs, chance=self.chance, least_rise=self.run.task.least_rise
        ):
            self._wind_down("patience", epochs * self.steps_per_epoch)
        elif progress.epoch + cooldown_epochs(progress.epoch) >= protocol.epochs:
            self._wind_down("cap", epochs * self.steps_per_epoch)

    def _wind_down(self, stopped: str, steps: int) -> None:
        progress = self.progress
        progress.stopped, progress.decay_from = stopped, progress.step
        progress.end_step = min(self.most_steps, progress.step + steps)

    def _watch_the_time(self) -> None:
        """Let the rate fall from this step where what it takes would use up the seconds that are allowed."""
        progress, allowed = self.progress, self.run.protocol.seconds_allowed
        if allowed is None:
            return
        taken = self.group.largest(self.run.clock.seconds("training"))
        if progress.end_step is None and taken * (1 + COOLDOWN_SHARE) >= allowed:
            self._wind_down("seconds", max(0, math.floor((allowed - taken) / taken * progress.step)))
        elif taken >= allowed and not self._over():
            progress.stopped, progress.end_step = "seconds", progress.step

    def _step(self, rows: list[int]) -> None:
        """Take one optimiser step."""
        run, progress = self.run, self.progress
        rate = run.learning_rate * rate_factor(
            progress.step,
            warmup=self.warmup,
            decay_from=progress.decay_from,
            end=self.most_steps if progress.end_step is None else progress.end_step,
        )
        self.optimizer.begin(rate, lambda: int(self.group.agreed(draw_seed())))
        loss = self.group.add_(self._accumulate_backing_off(rows))
        self.spread.settle()
        norm = self.optimizer.end(
            None if run.step.in_backward else run.protocol.max_gradient_norm, norm_of=self.spread.norm
        )
        self.spread.changed()
        progress.step += 1
        progress.step_in_epoch += 1
        self.taken.append(
            _Taken(
                step=progress.step,
                loss=_Number(loss),
                learning_rate=rate,
                norm=None if norm is None else _Number(norm),
            )
        )
        self._read(self.steps_behind)

    def _accumulate_backing_off(self, rows: list[int]) -> torch.Tensor:
        """Compute a step's gradients; where memory does not suffice, again with half the micro-batch."""
        progress = self.progress
        while True:
            try:
                return self._accumulate(rows)
            except torch.OutOfMemoryError:
                if self.group.size > 1:  # the others wait for this process inside a pass
                    raise
                graphs = self._make_room()
                if graphs:
                    self.run.watcher.say(f"out of memory at step {progress.step + 1}: CUDA graphs given up")
                    continue
                if progress.micro_batch_rows == 1 or self.run.step.in_backward:
                    raise
                progress.micro_batch_rows = math.ceil(progress.micro_batch_rows / 2)
                if progress.micro_batch_tokens is not None:
                    progress.micro_batch_tokens = math.ceil(progress.micro_batch_tokens / 2)
                self.run.watcher.say(
                    f"out of memory at step {progress.step + 1}: micro-batch halved to "
                    f"{progress.micro_batch_rows} rows, effective batch unchanged"
                )

    def _make_room(self) -> bool:
        """Drop a step's gradients and all that only makes steps faster; return whether there was any of that."""
        self.optimizer.drop_gradients()
        graphs = self.accumulator.release()
        if self.run.device == "cuda":
            torch.cuda.empty_cache()
        return graphs

    def _accumulate(self, rows: list[int]) -> torch.Tensor:
        """Forward and backward of a step's rows; the gradient is that of the mean loss over all its loss terms."""
        total = torch.zeros((), device=self.run.device)
        progress, train = self.progress, self.run.train
        terms = self.objective.terms([train.targets[row] for row in rows])
        batches = shared_micro_batches(
            rows,
            self.lengths,
            progress.micro_batch_rows,
            progress.micro_batch_tokens,
            processes=self.group.size,
        )[self.group.rank]
        progress.most_micro_batches = max(progress.most_micro_batches, len(batches))
        shortest = min(rows, key=self.lengths.__getitem__)
        for number, micro in enumerate(batches, start=1):
            self.spread.begin_pass(last=number == len(batches))
            given = micro or [shortest]  # a pass that counts for nothing, so that others find this process in theirs
            sequences = [torch.tensor(train.ids[row]) for row in given]
            targets = torch.tensor([target for row in given for target in train.targets[row]])
            total += self.accumulator.accumulate(sequences, targets, terms if micro else math.inf)
        progress.from_graphs |= self.accumulator.replayed > 0
        return total

    def _read(self, behind: int) -> None:
        """Read the numbers of the steps taken, except for the newest few, and report them."""
        progress = self.progress
        while len(self.taken) > behind:
            one = self.taken.pop(0)
            loss = float(one.loss)
            norm = None if one.norm is None else float(one.norm)
            for key, value in (
                ("step", one.step), ("loss", loss), ("learning_rate", one.learning_rate), ("gradient_norm", norm)
            ):  # fmt: skip
                progress.curve[key].append(value)
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss} at step {one.step}; a lower learning rate may hold")
            self.run.watcher.step(
                step=one.step,
                steps=self.most_steps if self.progress.end_step is None else self.progress.end_step,
                epoch=(one.step - 1) // self.steps_per_epoch + 1,
                loss=loss,
                seconds=self.run.clock.seconds("training"),
            )

    def _save_best(self) -> None:
        if self.run.checkpoints is None:
            self.kept = {name: value.detach().cpu().clone() for name, value in self.parameters.items()}
            return
        with self.run.clock.phase("checkpoint"):
            self.progress.best_weights = self.run.checkpoints.save_best(
                self.progress.epoch, self.parameters, self.spread.divided
            )

    def _take_selected_weights(self) -> None:
        if selected_epoch(self.run.protocol, self.progress) == len(self.progress.validation):
            return
        with self.run.clock.phase("checkpoint"):
            best = (
                self.run.checkpoints.load_best(str(self.progress.best_weights), self.spread.divided)
                if self.run.checkpoints
                else self.kept
            )
            self.snapshots.copy_in(best)

    def _save(self) -> None:
        if self.run.checkpoints is None:
            return
        self._read(0)
        with self.run.clock.phase("checkpoint"):
            self.snapshots.save(self.progress)

    def _resume(self) -> None:
        found = self.snapshots.restore()
        if found is not None:
            self.progress = found
            self.run.watcher.say(f"continued from step {found.step} of at most {self.most_steps}")

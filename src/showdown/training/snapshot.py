"""Between the state of a training and a checkpoint of it: weights, optimizer, random numbers and progress."""

import math
from collections.abc import Iterable, Mapping

import torch

from showdown.core.record import Phase
from showdown.engine.optim.optimizer import Optimizer
from showdown.engine.parallel.spread import Spread
from showdown.training.checkpoint import State
from showdown.training.run import Progress, TrainingRun

_OPTIMIZER = "stepper."
_WEIGHT = "weight."
"""What names of tensors in a checkpoint begin with."""


class Snapshots:
    """Writes checkpoints of one training, and puts the newest one back."""

    def __init__(self, run: TrainingRun, spread: Spread, optimizer: Optimizer) -> None:
        self._run, self._spread, self._optimizer = run, spread, optimizer

    def save(self, progress: Progress) -> None:
        """Write a checkpoint, unless the run keeps none."""
        if self._run.checkpoints is None:
            return
        random = {"random.cpu": torch.get_rng_state()}
        if self._run.device == "cuda":
            random["random.cuda"] = torch.cuda.get_rng_state()
        facts = {
            **vars(progress),
            "best_score": progress.best_score if math.isfinite(progress.best_score) else None,
            "best_loss": progress.best_loss if math.isfinite(progress.best_loss) else None,
            "phases": [phase.model_dump() for phase in self._run.clock.phases()],
        }
        held = self._tensors()
        whole = State(tensors=held | random, facts=facts, parts=self._divided(held), own=frozenset(random))
        self._run.checkpoints.save(progress.step, progress.epoch, whole)

    def restore(self) -> Progress | None:
        """Put the newest whole checkpoint back, and return how far it is; None where there is none."""
        state = self._run.checkpoints.newest(self._divided(self._tensors())) if self._run.checkpoints else None
        if state is None:
            return None
        facts = dict(state.facts)
        self._run.clock.add([Phase.model_validate(phase) for phase in facts.pop("phases")])
        facts["best_score"] = -math.inf if facts["best_score"] is None else facts["best_score"]
        facts["best_loss"] = math.inf if facts["best_loss"] is None else facts["best_loss"]
        self.copy_in({name: state.tensors[f"{_WEIGHT}{name}"] for name in self._spread.parameters})
        self._optimizer.load(
            {
                name.removeprefix(_OPTIMIZER): value
                for name, value in state.tensors.items()
                if name.startswith(_OPTIMIZER)
            }
        )
        if self._spread.group.rank < state.processes:  # others begin with the numbers of their seed
            torch.set_rng_state(state.tensors["random.cpu"])
            if "random.cuda" in state.tensors and self._run.device == "cuda":
                torch.cuda.set_rng_state(state.tensors["random.cuda"])
        return Progress(**facts)

    @torch.no_grad()
    def copy_in(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Write weights, by the names of the parameters that this process steps."""
        for name, parameter in self._spread.parameters.items():
            parameter.copy_(weights[name])
        self._spread.changed()

    def _tensors(self) -> dict[str, torch.Tensor]:
        weights: dict[str, torch.Tensor] = {f"{_WEIGHT}{name}": one for name, one in self._spread.parameters.items()}
        return weights | {f"{_OPTIMIZER}{name}": one for name, one in self._optimizer.tensors().items()}

    def _divided(self, tensors: Iterable[str]) -> frozenset[str]:
        """Return which tensors are this process's parts of larger ones: weights and their moments."""
        divided = self._spread.divided
        return frozenset(
            name
            for name in tensors
            if name.removeprefix(_WEIGHT) in divided or name.removeprefix(_OPTIMIZER).partition(".")[2] in divided
        )

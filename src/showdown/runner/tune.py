"""The tuning stage of a run: a learning rate for the method, from trials judged on the validation rows."""

from pathlib import Path
from typing import Any

from showdown.core.errors import Unavailable
from showdown.core.files import write_json
from showdown.core.method import TunedMethod
from showdown.core.record import Phase
from showdown.core.spec import RunSpec, SharedProtocol
from showdown.data.prepare import load_side
from showdown.methods.table import build
from showdown.runner.ground import Ground, Learner, open_ground
from showdown.runner.scene import Scene, open_scene
from showdown.runner.sharing import free_memory
from showdown.runner.stages import TuneProgress, TuneStage
from showdown.runner.train import training_rows
from showdown.runner.worker import Teller
from showdown.training.search import Proposal, SearchPlan, Trial, TrialState, at_edge, best_trial, hopeless, propose

_PROGRESS = "trials.json"


class _Hopeless(Exception):
    """A trial is given up."""


def tune_run(spec: RunSpec, folder: Path, processed: Path, teller: Teller) -> None:
    """Search the method's learning rate; `tune.json` is committed last, a finished trial at once.

    Raises:
        FloatingPointError: when every trial diverged.

    """
    scene = open_scene(spec, folder, processed, teller)
    method = build(spec.method, spec.settings)
    assert isinstance(method, TunedMethod)
    obstacle = method.obstacle()
    if obstacle:
        raise Unavailable(obstacle)
    plan, protocol = _plan(spec, method)
    trials = _resumed(scene)
    ground = open_ground(scene, method, training_rows(spec, processed), load_side(processed, "validation"))
    network = None
    while (proposal := propose(plan, trials)) is not None:
        teller.phase(f"tuning, trial {proposal.number + 1} of {plan.trials}, rate {proposal.learning_rate:.2g}")
        attempt = _Attempt(ground, plan, protocol, trials)
        trials.append(attempt.make(proposal, network))
        network = attempt.given_back
        done = TuneProgress(trials=trials, phases=scene.clock.phases(), notes=teller.said)
        write_json(folder / _PROGRESS, done.model_dump())
    write_json(folder / "tune.json", _stage(scene, plan, trials).model_dump())
    (folder / _PROGRESS).unlink(missing_ok=True)


def _plan(spec: RunSpec, method: TunedMethod) -> tuple[SearchPlan, SharedProtocol]:
    """Return the search and the protocol of a trial, which scores its epochs without keeping the best one's weights."""
    tuning = spec.protocol.tuning
    assert tuning is not None
    epochs = tuning.epochs or spec.protocol.epochs
    low, high = method.learning_rate_range
    plan = SearchPlan(low=low, high=high, trials=tuning.trials, epochs=epochs, widen=tuning.widen, seed=spec.seed)
    return plan, spec.protocol.model_copy(update={"epochs": epochs, "select_epoch": "last"})


def _resumed(scene: Scene) -> list[Trial]:
    """Return the trials that an interrupted tuning finished, and charge their time to the clock."""
    try:
        done = TuneProgress.model_validate_json((scene.folder / _PROGRESS).read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        scene.teller.say(f"{scene.folder / _PROGRESS} is damaged; tuning starts again")
        return []
    scene.clock.add(done.phases)
    scene.teller.said.extend(done.notes)
    scene.teller.say(f"tuning continued after {len(done.trials)} trials")
    return list(done.trials)


class _Attempt:
    """One trial: a network adapted afresh and trained at the proposed rate.

    Trials of a method that leaves the pretrained network as it was share it, so that it is loaded once.
    """

    def __init__(self, ground: Ground, plan: SearchPlan, protocol: SharedProtocol, trials: list[Trial]) -> None:
        self.ground, self.plan, self.protocol, self.trials = ground, plan, protocol, trials
        self.f1_macro: list[float] = []
        self.loss: list[float] = []
        self.given_back: Any = None
        """The pretrained network after the trial, for the next one; None where that must load its own."""

    def make(self, proposal: Proposal, network: Any) -> Trial:
        """Train until the last epoch, until it is hopeless, or until it diverges."""
        clock = self.ground.scene.clock
        before = _seconds(clock.phases())
        state: TrialState = "completed"
        learner = self.ground.learner(network)
        try:
            self._train(proposal, learner)
        except _Hopeless:
            state = "pruned"
        except FloatingPointError:
            state = "diverged"
        self.given_back = self.ground.give_back(learner)
        del learner
        free_memory()
        chosen = self._selected() if state == "completed" else None
        return Trial(
            **vars(proposal),
            state=state,
            f1_macro_by_epoch=self.f1_macro,
            loss_by_epoch=self.loss,
            f1_macro=None if chosen is None else self.f1_macro[chosen],
            loss=None if chosen is None else self.loss[chosen],
            seconds=round(_seconds(clock.phases()) - before, 4),
        )

    def _train(self, proposal: Proposal, learner: Learner) -> None:
        from showdown.training.loop import Validation
        from showdown.training.loop import train as run_loop

        def validate() -> Validation:
            found: Validation = learner.validate()
            self.f1_macro.append(found.f1_macro)
            self.loss.append(found.loss)
            if hopeless(self.plan, self.trials, proposal, self.f1_macro):
                raise _Hopeless
            return found

        run_loop(
            learner.training(
                protocol=self.protocol,
                learning_rate=proposal.learning_rate,
                validate=validate,
                checkpoints=None,
            )
        )

    def _selected(self) -> int:
        """Return the index of the epoch that the run's protocol would score."""
        epochs = range(len(self.f1_macro))
        if self.ground.scene.spec.protocol.select_epoch == "last":
            return epochs[-1]
        return max(epochs, key=lambda epoch: (self.f1_macro[epoch], -self.loss[epoch], -epoch))


def _seconds(phases: list[Phase]) -> float:
    return sum(phase.seconds for phase in phases)


def _stage(scene: Scene, plan: SearchPlan, trials: list[Trial]) -> TuneStage:
    best = best_trial(trials)
    if best is None:
        lowest = min(trial.learning_rate for trial in trials)
        raise FloatingPointError(
            f"all {len(trials)} learning rates diverged, down to {lowest:.2g}; set a lower `learning_rate_range`"
        )
    phases = scene.clock.phases()
    seconds = round(_seconds(phases), 4)
    edge = at_edge(plan, trials)
    at_end = f"best learning rate {best.learning_rate:.2g} lies at the {edge} end of the range searched"
    return TuneStage(
        learning_rate=best.learning_rate,
        low=plan.low,
        high=plan.high,
        epochs=plan.epochs,
        trials=trials,
        seconds=seconds,
        phases=[
            Phase(
                name="tuning",
                seconds=seconds,
                peak_allocated_gb=max(phase.peak_allocated_gb for phase in phases),
                peak_reserved_gb=max(phase.peak_reserved_gb for phase in phases),
                peak_device_gb=max(phase.peak_device_gb for phase in phases),
            )
        ],
        notes=[*scene.teller.said, *([at_end] if edge else [])],
    )

"""The tuning stage of a run: a learning rate for the method, from trials judged on the validation rows."""

import math
from pathlib import Path

from showdown.core.errors import Unavailable
from showdown.core.events import EventWriter
from showdown.core.files import write_json
from showdown.core.method import TunedMethod
from showdown.core.record import Phase
from showdown.core.spec import RunSpec, SharedProtocol, TuningSpec
from showdown.core.task import Validation, selection_key
from showdown.data.prepare import load_side
from showdown.methods.table import build
from showdown.stages.base_cache import BaseCache, free_memory
from showdown.stages.context import StageContext, open_context
from showdown.stages.results import TuneProgress, TuneStage
from showdown.stages.setup import AdaptedNetwork, TrainingSetup, prepare_training
from showdown.stages.train import training_rows
from showdown.training.search import Proposal, SearchPlan, Trial, at_edge, best_trial, propose

_PROGRESS = "trials.json"


def tune_run(spec: RunSpec, folder: Path, processed: Path, events: EventWriter) -> None:
    """Search the method's learning rate; `tune.json` is committed last, a finished trial at once.

    Raises:
        FloatingPointError: when every trial diverged.

    """
    from showdown.engine.parallel.group import current

    context = open_context(spec, folder, processed, events)
    method = build(spec.method, spec.settings)
    assert isinstance(method, TunedMethod)
    unsupported_reason = method.unsupported_reason()
    if unsupported_reason:
        raise Unavailable(unsupported_reason)
    trials = _resumed(context)
    setup = prepare_training(context, method, training_rows(spec, processed), load_side(processed, "validation"))
    plan, protocol = _plan(spec, setup)
    kept, leads = BaseCache() if method.leaves_network else None, current().leads
    while (proposal := propose(plan, trials)) is not None:
        events.phase(f"tuning, trial {proposal.number + 1} of {plan.trials}, rate {proposal.learning_rate:.2g}")
        trials.append(_Attempt(setup, protocol).make(proposal, kept))
        done = TuneProgress(trials=trials, phases=context.clock.phases(), notes=events.messages)
        if leads:
            write_json(folder / _PROGRESS, done.model_dump())
    if not leads:
        return
    write_json(folder / "tune.json", _stage(context, plan, trials).model_dump())
    (folder / _PROGRESS).unlink(missing_ok=True)


def _plan(spec: RunSpec, setup: TrainingSetup) -> tuple[SearchPlan, SharedProtocol]:
    """Return the search and the protocol of a trial, which scores its epochs without keeping the best one's weights."""
    tuning = spec.protocol.tuning
    assert isinstance(tuning, TuningSpec)
    epochs = tuning.epochs or spec.protocol.epochs
    low, high = setup.learning_rate_range
    plan = SearchPlan(low=low, high=high, trials=tuning.trials, epochs=epochs, widen=tuning.widen, seed=spec.seed)
    return plan, spec.protocol.model_copy(update={"epochs": epochs, "select_epoch": "last"})


def _resumed(context: StageContext) -> list[Trial]:
    """Return the trials that an interrupted tuning finished, and charge their time to the clock."""
    try:
        done = TuneProgress.model_validate_json((context.folder / _PROGRESS).read_bytes())
    except FileNotFoundError:
        return []
    except ValueError:
        context.events.say(f"{context.folder / _PROGRESS} is damaged; tuning starts again")
        return []
    context.clock.add(done.phases)
    context.events.messages.extend(done.notes)
    context.events.say(f"tuning continued after {len(done.trials)} trial{'s' * (len(done.trials) != 1)}")
    return list(done.trials)


class _Attempt:
    """One trial: a network adapted afresh and trained at the proposed rate.

    Trials of a method that leaves the pretrained network as it was share it, so that it is loaded once.
    """

    def __init__(self, setup: TrainingSetup, protocol: SharedProtocol) -> None:
        self.setup, self.protocol = setup, protocol
        self.seen: list[Validation] = []
        """How good the network was after each epoch."""

    def make(self, proposal: Proposal, kept: BaseCache | None) -> Trial:
        """Train until it has converged or diverged, and leave the pretrained network to the next trial."""
        clock = self.setup.context.clock
        before = _seconds(clock.phases())
        adapted = self.setup.adapt(kept)
        try:
            converged: bool | None = self._train(proposal, adapted)
        except FloatingPointError:
            converged = None
        if kept:
            kept.leave(self.setup.give_back(adapted))
        del adapted
        free_memory()
        selected = None if converged is None else self._selected()
        metric = self.setup.context.job.task.curve_metric
        return Trial(
            **vars(proposal),
            state="diverged" if selected is None else "completed",
            converged=converged,
            metric_by_epoch=[found.values[metric] for found in self.seen],
            loss_by_epoch=[found.loss for found in self.seen],
            metric=None if selected is None else selected.values[metric],
            loss=None if selected is None else selected.loss,
            score=None if selected is None else selected.score,
            seconds=round(_seconds(clock.phases()) - before, 4),
        )

    def _train(self, proposal: Proposal, adapted: AdaptedNetwork) -> bool:
        """Return whether the trial had converged."""
        from showdown.training.loop import convergence
        from showdown.training.loop import train as run_loop

        def validate() -> Validation:
            found = adapted.validate()
            if math.isfinite(found.loss):
                self.seen.append(found)
            return found

        training = adapted.training(
            protocol=self.protocol,
            learning_rate=proposal.learning_rate,
            validate=validate,
            checkpoints=None,
        )
        return convergence(training, run_loop(training)).converged

    def _selected(self) -> Validation:
        """Return how good the network was after the epoch that the run's protocol would select."""
        if self.setup.context.spec.protocol.select_epoch == "last":
            return self.seen[-1]
        return max(self.seen, key=lambda found: selection_key(found.score, found.loss))


def _seconds(phases: list[Phase]) -> float:
    return sum(phase.seconds for phase in phases)


def _stage(context: StageContext, plan: SearchPlan, trials: list[Trial]) -> TuneStage:
    best = best_trial(trials)
    if best is None:
        lowest = min(trial.learning_rate for trial in trials)
        raise FloatingPointError(
            f"all {len(trials)} learning rates diverged, down to {lowest:.2g}; set a lower `learning_rate_range`"
        )
    phases = context.clock.phases()
    seconds = round(_seconds(phases), 4)
    edge = at_edge(plan, trials)
    at_end = f"best learning rate {best.learning_rate:.2g} lies at the {edge} end of the range searched"
    short = sum(trial.converged is False for trial in trials)
    cut = f"{short} of {len(trials)} trials had not converged, so that a slower rate may be better than it seems"
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
        notes=[*context.events.messages, *([at_end] if edge else []), *([cut] if short else [])],
    )

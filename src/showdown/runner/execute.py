"""Carrying out a comparison: the loop over its runs. What is finished is not done again."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from showdown.core.events import Event, Listener, StageName
from showdown.core.files import write_json
from showdown.core.forecast import Forecast
from showdown.core.forecast_words import short_lines
from showdown.core.record import Results, RunRecord
from showdown.core.spec import Comparison, RunSpec
from showdown.data.inspection import DeepAudit, deep_lines
from showdown.data.prepare import partition_folder
from showdown.display.display import Display, PlannedRun
from showdown.measure.limits import memory_room
from showdown.methods.table import protocol_of
from showdown.models.built_in import first_use
from showdown.models.source import pin
from showdown.runner.chosen import keep_chosen
from showdown.runner.earlier_runs import earlier_line, earlier_runs, stand_in
from showdown.runner.executor import Executor, Resources, Setup, Stage
from showdown.runner.executors.table import LOCAL, executor_class, open_executor
from showdown.runner.foreseen import Foreseen, refuse_misfits
from showdown.runner.history import remember
from showdown.runner.host_memory import host_memory
from showdown.runner.memory import trains, with_memory
from showdown.runner.memory_check import refuse_budget_on_cpu, short_of_memory
from showdown.runner.plan import plan
from showdown.runner.preparation import preparation
from showdown.runner.preparation_process import PreparationProcess
from showdown.runner.prepared import Ready
from showdown.runner.progress import ProgressLog
from showdown.runner.record import run_record
from showdown.runner.results_file import ResultsFile
from showdown.runner.resume import finished_record, is_due
from showdown.runner.retention import KeptModels
from showdown.runner.sampler import Sampler, Samples
from showdown.runner.schedule import ALL_STAGES, Schedule, Visit
from showdown.runner.spread import forecast_or_effort
from showdown.runner.store import RESULT_FILE, Store
from showdown.runner.worker.ranks import TOGETHER
from showdown.stages.results import StageError


def execute(comparison: Comparison, output: Path, display: Display) -> Results:
    """Run what is left of a comparison and return all its results.

    Args:
        comparison: what to compare.
        output: the comparison's folder; made where it is missing.
        display: shows what happens.

    Raises:
        UserError: for bad data, a model that cannot be had, a memory budget without a GPU, a folder that is in use or
            of another version, a full disk.

    """
    with _prepared(comparison, output, display) as prepared:
        ready, store = prepared.ready, prepared.store
        with store.lock() as lock:
            write_json(store.comparison_file, ready.comparison.model_dump(mode="json"))
            keep_chosen(comparison, ready.comparison, ready.fingerprint, prepared.specs[0].model, store)
            loop = _Loop(prepared, display)
            setup = Setup(
                lock=lock,
                root=store.root,
                listen=loop.listen,
                say=display.say,
                work=store.lacks_records(prepared.specs),
                gpus=comparison.gpus,
                address=comparison.address,
                sampling_seconds=comparison.sampling_seconds,
            )
            with open_executor(comparison.executor, setup) as executor:  # which imports libraries meanwhile
                forecast = prepared.forecast(display)
                if forecast is not None:
                    write_json(store.forecast_file, forecast.model_dump(mode="json"))
                inspection = prepared.steps.result(DeepAudit)
                prepared.steps.end()
                display.data(deep_lines(inspection))
                return loop.run(executor, inspection, forecast)


def rehearse(comparison: Comparison, output: Path, display: Display) -> Forecast | None:
    """Do all that comes before the first run: check, show the forecast, and refuse what would be refused.

    Nothing is written. Arguments and errors are those of `execute`.

    Returns:
        The forecast; None where nothing is left to run, or none can be made.

    """
    with _prepared(comparison, output, display, rehearsal=True) as prepared:
        return prepared.forecast(display)


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """A comparison that can be run."""

    store: Store
    ready: Ready
    specs: list[RunSpec]
    steps: PreparationProcess
    """What is left of its preparation."""

    def forecast(self, display: Display) -> Forecast | None:
        """Show the forecast, and return it; None where nothing is left to run, or none can be made.

        Raises:
            UserError: for an arm that cannot fit.

        """
        foreseen = self.steps.result(Foreseen)
        if foreseen.why is not None:
            display.say(f"no forecast: {foreseen.why}")
        if foreseen.forecast is not None:
            display.data(short_lines(foreseen.forecast))
            if self.ready.comparison.executor == LOCAL:  # others may have larger devices
                refuse_misfits(foreseen.forecast)
        return foreseen.forecast


@contextmanager
def _prepared(
    comparison: Comparison, output: Path, display: Display, *, rehearsal: bool = False
) -> Iterator[_Prepared]:
    """Check and prepare a comparison; nothing is written."""
    for settings in comparison.methods.values():
        refuse_budget_on_cpu(protocol_of(comparison.protocol, settings))
    executor_class(comparison.executor)  # refused before any work
    store = Store(output)
    store.refuse_other_schema()
    conversion = first_use(comparison.model)
    if conversion:
        display.say(conversion)
    model = pin(comparison.model)
    short = short_of_memory(comparison, model, memory_room())
    if short:
        display.say(short)
    with PreparationProcess(preparation(comparison, model, store, rehearsal=rehearsal)) as steps:
        ready = steps.result(Ready)
        store.refuse_another(ready.comparison, ready.fingerprint)
        display.data([*ready.notices, *ready.choices])
        yield _Prepared(store=store, ready=ready, specs=plan(ready, model), steps=steps)


@dataclass(kw_only=True)
class _ActiveVisit:
    """Stages of a run that are going on, one after the other."""

    visit: Visit
    left: list[StageName]
    """Stages that are not submitted yet."""
    sampling: ExitStack
    """Ends the run's sampling when it is closed."""


class _Loop:
    """Submits stages while there are slots, and records each run when it is over."""

    def __init__(self, prepared: _Prepared, display: Display) -> None:
        self._store, self._ready = prepared.store, prepared.ready
        self._results = ResultsFile(prepared.store, prepared.ready)
        self._forecast: Forecast | None = None
        self._display = display
        specs: Sequence[RunSpec] = prepared.specs
        self._specs = specs
        self._planned = {
            spec.run_id: PlannedRun(
                run_id=spec.run_id,
                number=number,
                name=self._shown_name(spec),
                row=spec.name,
                seed=spec.seed,
                total=len(specs),
                task=spec.task,
            )
            for number, spec in enumerate(specs, start=1)
        }
        order = {run_id: planned.number for run_id, planned in self._planned.items()}
        self._kept = KeptModels(self._store, self._ready.comparison.keep_models, order)
        self._records: dict[str, RunRecord | None] = {}
        """By run id, in the order of the table."""
        self._listeners: dict[str, Listener] = {}
        self._active: dict[Future[StageError | None], _ActiveVisit] = {}
        self._host_gb: dict[str, float] = {}
        """Memory of a machine that a stage may take, by the name of its arm."""

    def listen(self, event: Event) -> None:
        """Pass an event to its run's sampler, and by it to the progress file and the display; called by any thread."""
        self._listeners[event.run_id](event)

    def run(self, executor: Executor, inspection: DeepAudit, forecast: Forecast | None) -> Results:
        """Carry out what is left, and return the results of all runs."""
        self._results.inspection, self._forecast = inspection, forecast
        self._records = {
            spec.run_id: finished_record(self._store, self._ready, spec, self._display.say) for spec in self._specs
        }
        self._plan_memory(executor)
        earlier = earlier_runs(self._store, self._specs)
        if earlier:
            self._display.say(earlier_line(earlier, self._specs, self._store.runs_folder))
        self._display.plan([*self._planned.values()], [*self._records.values()])
        for record in filter(None, self._records.values()):
            self._kept.add(record)
        before = {run_id for run_id, record in self._records.items() if record}
        try:
            self._results.write(self._specs, self._records)
            self._carry_out(executor)
        finally:
            for active in self._active.values():
                active.sampling.close()
            if self._forecast is not None:
                made = [record for run_id, record in self._records.items() if record and run_id not in before]
                remember(self._forecast, made)
            # A run that was not reached shows what is there of other settings, rather than nothing.
            shown = {
                run_id: record or stand_in(spec, earlier)
                for spec, (run_id, record) in zip(self._specs, self._records.items(), strict=True)
            }
            results = self._results.write(self._specs, shown)
        return results

    def _plan_memory(self, executor: Executor) -> None:
        """Give the runs their memory settings; runs that cannot be planned are over, and their records say why."""

        def plan_stage(folder: Path) -> StageError | None:
            self._listeners[folder.name] = lambda event: None
            stage = Stage(name="plan", data=self._store.processed_folder)
            return executor.submit(stage, folder, Resources(device="gpu")).result()

        waiting = [spec for spec in self._specs if self._records[spec.run_id] is None]
        planned, error = with_memory(
            waiting,
            self._store,
            plan_stage,
            gpu=executor.place.gpu,
            slots=executor.place.together,
            together=self._ready.comparison.gpus_per_run,
        )
        for spec in planned:
            if error and trains(spec):
                self._records[spec.run_id] = run_record(spec, self._store, self._ready, error)
        by_id = {spec.run_id: spec for spec in planned}
        self._specs = [by_id.get(spec.run_id, spec) for spec in self._specs]

    def _carry_out(self, executor: Executor) -> None:
        left = [spec for spec in self._specs if self._records[spec.run_id] is None]
        self._host_gb = host_memory(left, self._forecast, on_gpu=executor.place.gpu)
        share = self._ready.comparison.share_base if executor.place.shares_bases else False
        seconds_of = forecast_or_effort(self._forecast.arms if self._forecast else [])
        schedule = Schedule(left, share=share, slots=executor.slots, seconds_of=seconds_of)
        while True:
            while len(self._active) < executor.slots and (visit := schedule.take()):
                if not self._begin(visit, executor):
                    schedule.done(visit, over=False)
            if not self._active:
                return
            done, _ = wait(self._active, self._results.seconds_until_due(), FIRST_COMPLETED)
            if not done:
                self._results.write(self._specs, self._records)
            for future in done:
                error = future.result()
                active = self._active.pop(future)
                if error is None and active.left:
                    self._submit_next(active, executor)
                else:
                    schedule.done(active.visit, over=self._finish(active, error))

    def _begin(self, visit: Visit, executor: Executor) -> bool:
        """Begin the stages of a visit that are due, and tell whether any are."""
        spec, folder = visit.spec, self._store.run_folder(visit.run_id)
        due = [stage for stage in visit.stages if is_due(self._store, spec, stage, self._display.say)]
        if not due:
            return False
        self._display.start(self._planned[visit.run_id])
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "spec.json", spec.model_dump(mode="json"))
        progress = ProgressLog(folder, self._display.event)
        sampling = ExitStack()
        if executor.place.samples:
            listen: Listener = Samples(folder, progress.receive).receive
        else:
            every_seconds = self._ready.comparison.sampling_seconds
            listen = sampling.enter_context(Sampler(folder, every_seconds, progress.receive)).receive
        self._listeners[visit.run_id] = listen
        self._submit_next(_ActiveVisit(visit=visit, left=due, sampling=sampling), executor)
        return True

    def _submit_next(self, active: _ActiveVisit, executor: Executor) -> None:
        spec, name = active.visit.spec, active.left.pop(0)
        data = partition_folder(self._store.processed_folder, spec.partition, self._ready.partitions)
        resources = Resources(
            device="gpu" if spec.needs != "text" and executor.place.gpu else "cpu",
            base=active.visit.shared_base,
            devices=spec.memory.devices if spec.memory and name in TOGETHER else 1,
            host_gb=self._host_gb[spec.name],
        )
        folder = self._store.run_folder(active.visit.run_id)
        self._results.changed(active.visit.run_id)
        self._active[executor.submit(Stage(name=name, data=data), folder, resources)] = active

    def _finish(self, active: _ActiveVisit, error: StageError | None) -> bool:
        """End a visit, and tell whether its run is over: by its last stage, or by an error."""
        active.sampling.close()
        spec, run_id = active.visit.spec, active.visit.run_id
        self._listeners.pop(run_id, None)
        if error or active.visit.stages[-1] == ALL_STAGES[-1]:
            record = run_record(spec, self._store, self._ready, error)
            write_json(self._store.run_folder(run_id) / RESULT_FILE, record.model_dump(mode="json"))
            self._records[run_id] = record
            self._kept.add(record)
        self._results.changed(run_id)
        self._results.write_if_due(self._specs, self._records)
        self._display.finish(run_id, self._records[run_id])
        return self._records[run_id] is not None

    def _shown_name(self, spec: RunSpec) -> str:
        """Return a run's arm, its fold or repeat where there are several, and its part of the training rows."""
        count = self._ready.partitions
        part = "fold" if self._ready.split.kind == "kfold" else "repeat"
        name = spec.name if count == 1 else f"{spec.name}, {part} {spec.partition + 1} of {count}"
        return name if spec.train_fraction == 1.0 else f"{name}, {100 * spec.train_fraction:g} % of the rows"

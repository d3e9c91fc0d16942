"""Which stages of which runs may go at the same time, and that the loop over them uses all slots."""

import random
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from runner.immediate import ImmediateExecutor, use
from showdown.config.read import check
from showdown.core.events import Event, Message, StageName
from showdown.core.record import RunRecord
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol, TuningSpec
from showdown.display.display import PlannedRun, Silent
from showdown.runner import execute, schedule
from showdown.runner.effort import effort_of
from showdown.runner.executor import Resources, Stage
from showdown.runner.schedule import Schedule, Visit
from showdown.stages.results import StageError
from tiny_pretrained import separable_rows, write_csv


def runs(*names: str) -> list[RunSpec]:
    return [
        RunSpec(
            name=name,
            method="lora",
            settings={},
            model=ModelSpec(),
            protocol=SharedProtocol(),
            seed=0,
            data_fingerprint="f" * 64,
        )
        for name in names
    ]


def of(visit: Visit | None) -> tuple[str, tuple[str, ...]] | None:
    return None if visit is None else (visit.spec.name, visit.stages)


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs whose names begin alike share a network."""

    def grouped(specs: list[RunSpec], *, share: bool | None) -> list[tuple[str | None, list[RunSpec]]]:
        groups: dict[str, list[RunSpec]] = {}
        for spec in specs:
            groups.setdefault(spec.name[0], []).append(spec)
        return [(key if len(group) > 1 else None, group) for key, group in groups.items()]

    monkeypatch.setattr(schedule, "in_groups", grouped)


SECONDS = {"tune": 5.0, "train": 10.0, "score": 1.0}


def schedule_of(*names: str, slots: int, longer: float = 1.0) -> Schedule:
    """Plan runs of equal lengths, but for those named in capitals, which are so many times as long."""

    def seconds_of(spec: RunSpec, stage: StageName) -> float:
        return SECONDS[stage] * (longer if spec.name.endswith("-long") else 1.0)

    return Schedule(runs(*names), share=None, slots=slots, seconds_of=seconds_of)


def carried_out(plan: Schedule, slots: int) -> list[tuple[float, int, str, tuple[str, ...]]]:
    """Carry a plan out in slots that take as long as forecast, and return when and where what began.

    A slot that becomes free takes what comes next; of several that are free, one that holds its network.
    """
    clock, free, busy = 0.0, {slot: "" for slot in range(slots)}, []
    begun = []
    while True:
        while free and (visit := plan.take()):
            held = visit.shared_base or ""
            slot = next((one for one, base in free.items() if held and base == held), min(free))
            del free[slot]
            seconds = sum(SECONDS[stage] for stage in visit.stages)
            busy.append((clock + seconds, slot, visit))
            begun.append((clock, slot, visit.spec.name, visit.stages))
        if not busy:
            return begun
        clock, slot, visit = min(busy, key=lambda one: one[:2])
        busy.remove((clock, slot, visit))
        free[slot] = visit.shared_base or ""
        plan.done(visit, over=visit.stages[-1] == "score")


def test_one_slot_keeps_the_order_of_the_table(sharing: None) -> None:
    plan = schedule_of("a1", "a2", "b-long", slots=1, longer=9.0)
    assert [(name, stages) for _, _, name, stages in carried_out(plan, 1)] == [
        ("a1", ("tune",)),
        ("a2", ("tune",)),
        ("a1", ("train", "score")),
        ("a2", ("train", "score")),
        ("b-long", ("tune", "train", "score")),
    ]


def test_several_slots_take_the_longest_first(sharing: None) -> None:
    plan = schedule_of("a", "b", "c-long", "d", "e-long", slots=2, longer=2.0)
    taken = [plan.take() for _ in range(5)]
    assert [visit and visit.spec.name for visit in taken] == ["c-long", "e-long", "a", "b", "d"]
    assert plan.take() is None


def test_no_visit_of_a_run_begins_before_the_one_before_it_has_ended(sharing: None) -> None:
    plan = schedule_of("a1", "a2", slots=4)
    tunes = [plan.take(), plan.take()]
    assert [of(visit) for visit in tunes] == [("a1", ("tune",)), ("a2", ("tune",))]
    assert plan.take() is None
    assert tunes[1] is not None
    plan.done(tunes[1], over=False)
    training = plan.take()
    assert of(training) == ("a2", ("train", "score")), "trained and scored while the other is still tuned"
    assert plan.take() is None


def test_a_network_is_divided_over_the_slots_where_it_is_all_there_is(sharing: None) -> None:
    begun = carried_out(schedule_of(*(f"a{number}" for number in range(8)), slots=2), 2)
    trainings = [(clock, slot) for clock, slot, _, stages in begun if stages == ("train", "score")]
    assert [sum(slot == one for _, slot in trainings) for one in (0, 1)] == [4, 4]
    kinds = [stages[0] for _, _, _, stages in begun]
    assert kinds == ["tune"] * 8 + ["train"] * 8, "nothing else comes between, so each loads it once"


def test_two_networks_are_loaded_by_a_slot_each(sharing: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SECONDS, "tune", 0.0)
    begun = carried_out(schedule_of("a1", "a2", "a3", "b1", "b2", "b3", slots=2), 2)
    places = {(name[0], slot) for _, slot, name, stages in begun if "train" in stages}
    assert len(places) == 2


def test_the_rest_of_a_network_is_divided_in_the_end(sharing: None) -> None:
    begun = carried_out(schedule_of("a1", "a2", "a3", "a4", "a5", "a6", "b1", "b2", slots=2), 2)
    assert {slot for _, slot, name, stages in begun if name[0] == "a" and "train" in stages} == {0, 1}
    last = max(clock + sum(SECONDS[stage] for stage in stages) for clock, _, _, stages in begun)
    assert last <= 8 * sum(SECONDS.values()) / 2 + SECONDS["train"]


def test_a_run_that_is_over_has_no_more_visits(sharing: None) -> None:
    plan = schedule_of("a1", "a2", slots=2)
    first, second = plan.take(), plan.take()
    assert first is not None
    assert second is not None
    plan.done(first, over=True)
    plan.done(second, over=False)
    left = []
    while visit := plan.take():
        left.append(of(visit))
        plan.done(visit, over="score" in visit.stages)
    assert left == [("a2", ("train", "score"))]


@pytest.mark.parametrize("slots", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_every_visit_is_taken_once_in_any_mixture(sharing: None, slots: int, seed: int) -> None:
    draw = random.Random(seed)
    names = [f"{draw.choice('abcdef')}{number}{draw.choice(['', '-long'])}" for number in range(30)]
    begun = carried_out(schedule_of(*names, slots=slots, longer=3.0), slots)
    done = [(name, stage) for _, _, name, stages in begun for stage in stages]
    assert sorted(done) == sorted((name, stage) for name in names for stage in SECONDS)
    for name in names:
        assert [stage for one, stage in done if one == name] == [*SECONDS]


def test_the_effort_of_a_stage_follows_what_the_run_does() -> None:
    (lora,) = runs("a")
    part, text = lora.model_copy(update={"train_fraction": 0.5}), lora.model_copy(update={"needs": "text"})
    searched = lora.model_copy(
        update={"protocol": lora.protocol.model_copy(update={"tuning": TuningSpec(trials=4, epochs=5)})}
    )
    assert effort_of(lora, "train") == 2 * effort_of(part, "train") > effort_of(lora, "score")
    assert effort_of(text, "train") < effort_of(lora, "score")
    untuned = lora.model_copy(update={"protocol": lora.protocol.model_copy(update={"tuning": None})})
    assert effort_of(untuned, "tune") == 0.0
    assert effort_of(searched, "tune") == effort_of(lora, "train")


class Following(Silent):
    """Notes which runs are going whenever one starts or ends."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.going: list[set[str]] = [set()]
        self.texts: list[tuple[str, str]] = []

    def start(self, run: PlannedRun) -> None:
        self.names[run.run_id] = run.name
        self.going.append(self.going[-1] | {run.name})

    def event(self, event: Event) -> None:
        if isinstance(event, Message):
            self.texts.append((self.names[event.run_id], event.text))

    def finish(self, run_id: str, record: RunRecord | None) -> None:
        assert record is not None
        assert record.run_id == run_id
        self.going.append(self.going[-1] - {self.names[run_id]})


class TwoSlots(ImmediateExecutor):
    """Fails a stage from a thread of its own, as soon as two are going or the last one is left."""

    slots = 2

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.left = 3
        self.going: list[tuple[Path, Future[StageError | None]]] = []

    def run(self, stage: Stage, folder: Path) -> StageError:
        raise NotImplementedError

    def submit(self, stage: Stage, run_folder: Path, resources: Resources) -> "Future[StageError | None]":
        future: Future[StageError | None] = Future()
        self.going.append((run_folder, future))
        if len(self.going) == min(2, self.left):
            folder, oldest = self.going.pop(0)
            self.left -= 1
            threading.Thread(target=self.fail, args=(folder, oldest)).start()
        return future

    def fail(self, folder: Path, future: "Future[StageError | None]") -> None:
        self.listen(Message(folder.name, f"from {folder.name.split('-')[0]}"))
        future.set_result(StageError(status="failed", error="by the test"))
        if self.left == 1 and self.going:
            last, left = self.going.pop(0)
            self.left -= 1
            self.fail(last, left)


def test_the_loop_keeps_all_slots_busy_and_events_with_their_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, TwoSlots)
    asked = {
        "data": {"source": str(write_csv(tmp_path / "rows.csv", separable_rows(24))), "near_duplicate_jaccard": 0.99},
        "methods": {"majority": {}, "tfidf": {}, "words": {"method": "tfidf", "longest_ngram": 1}},
        "seeds": [0],
        "protocol": {"split": {"kind": "single"}, "tuning": None},
    }
    display = Following()
    results = execute.execute(check(asked, "the test"), tmp_path / "out", display)
    assert [(run.name, run.status, run.error) for run in results.runs] == [
        (name, "failed", "by the test") for name in ("majority", "tfidf", "words")
    ]
    assert max(len(going) for going in display.going) == 2
    assert display.going[-1] == set()
    assert sorted(display.texts) == [(name, f"from {name}") for name in ("majority", "tfidf", "words")]
    for run in results.runs:
        assert (tmp_path / "out" / "runs" / run.run_id / "result.json").exists()

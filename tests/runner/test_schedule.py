"""Which stages of which runs may go at the same time, and that the loop over them uses all slots."""

import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from runner.immediate import ImmediateExecutor
from showdown.config.read import check
from showdown.core.events import Event, Message
from showdown.core.record import RunRecord
from showdown.core.spec import ModelSpec, RunSpec, SharedProtocol
from showdown.display.display import PlannedRun, Silent
from showdown.runner import execute, schedule
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


def test_one_after_the_other_they_keep_the_order_of_the_table(sharing: None) -> None:
    plan = Schedule(runs("a1", "a2", "b"), share=None)
    found = [of(plan.take([])) for _ in range(8)]
    assert found == [
        ("a1", ("tune",)),
        ("a2", ("tune",)),
        ("a1", ("train",)),
        ("a2", ("train",)),
        ("a1", ("score",)),
        ("a2", ("score",)),
        ("b", ("tune", "train", "score")),
        None,
    ]


def test_beside_each_other_no_run_is_twice_and_one_run_of_a_network_is_trained(sharing: None) -> None:
    plan = Schedule(runs("a1", "a2", "b"), share=None)
    first, second = plan.take([]), plan.take([])
    assert first is not None
    assert second is not None
    assert (of(first), of(second)) == (("a1", ("tune",)), ("a2", ("tune",)))
    third = plan.take([first, second])
    assert of(third) == ("b", ("tune", "train", "score")), "a1 and a2 are still being tuned"
    training = plan.take([])
    assert training is not None
    assert of(training) == ("a1", ("train",))
    assert plan.take([training]) is None, "a2 waits for the network, and nothing of a run goes before its training"
    plan.drop("nothing of that id")
    after = plan.take([])
    assert after is not None
    assert of(after) == ("a2", ("train",))
    assert of(plan.take([after])) == ("a1", ("score",)), "scored while the next run is trained"


def test_a_run_that_is_over_has_no_more_visits(sharing: None) -> None:
    specs = runs("a1", "a2")
    plan = Schedule(specs, share=None)
    plan.drop(specs[0].run_id)
    assert [of(plan.take([])) for _ in range(4)] == [("a2", ("tune",)), ("a2", ("train",)), ("a2", ("score",)), None]


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
    monkeypatch.setattr(execute, "LocalExecutor", TwoSlots)
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

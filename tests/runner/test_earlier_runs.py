"""A changed setting hides no finished run, and runs nothing anew that it does not touch."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import showdown.evaluation.speed
import showdown.runner.auto_settings
from runner.immediate import use_here
from runner.test_protocol import comparison, results_of
from showdown.config.read import check
from showdown.config.target import comparison_for
from showdown.core.spec import TRAINING_KEYS, ModelSpec, RunSpec, SharedProtocol
from showdown.display.display import PlannedRun, Silent
from showdown.runner import execute


class Noting(Silent):
    """Remembers what was started and said; stops the comparison at a run."""

    def __init__(self, stop_at: str = "") -> None:
        self.started: list[str] = []
        self.said: list[str] = []
        self.stop_at = stop_at

    def start(self, run: PlannedRun) -> None:
        if run.name == self.stop_at:
            raise KeyboardInterrupt
        self.started.append(run.name)

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_here(patch)
        patch.setattr(showdown.evaluation.speed, "_SINGLE_CALLS", 1)
        patch.setattr(showdown.evaluation.speed, "_BATCHES", ())
        yield


def carry_out(asked: dict[str, Any], output: Path, stop_at: str = "") -> Noting:
    display = Noting(stop_at)
    execute.execute(check(asked, "the test"), output, display)
    return display


def changed(asked: dict[str, Any], **protocol: Any) -> dict[str, Any]:
    return {**asked, "protocol": {**asked["protocol"], **protocol}}


@pytest.mark.long
def test_finished_runs_stay_visible_and_are_not_run_again(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    methods = {"tfidf": {}, "frozen": {}, "lora": {"learning_rate": 0.01}}
    protocol = {"epochs": 1, "split": {"kind": "single"}, "tuning": None}
    asked = {**comparison(tmp_path, pretrained("bert"), methods, protocol), "seeds": [0]}
    output = tmp_path / "out"
    first = carry_out(asked, output)
    assert (first.started, first.said) == (["tfidf", "frozen", "lora"], [])
    once = {run.name: run for run in results_of(output).runs}

    with pytest.raises(KeyboardInterrupt):
        carry_out(changed(asked, epochs=2), output, stop_at="lora")
    stopped = {run.name: run for run in results_of(output).runs}
    assert {run.status for run in stopped.values()} == {"completed"}
    assert stopped["lora"].run_id == once["lora"].run_id
    assert any("other settings (protocol.epochs 1, now 2)" in note for note in stopped["lora"].notes)
    assert stopped["tfidf"].notes == once["tfidf"].notes
    assert stopped["tfidf"].spec.protocol.epochs == 2, "a reused record says what was asked for"

    second = carry_out(changed(asked, epochs=2), output)
    assert second.started == ["lora"]
    (said,) = second.said
    assert said.startswith("1 finished run in ")
    assert "is of other settings (protocol.epochs 1, now 2)" in said
    assert results_of(output).runs[2].run_id != once["lora"].run_id

    back = carry_out(asked, output)
    assert back.started == []
    assert [run.run_id for run in results_of(output).runs] == [run.run_id for run in once.values()]

    other = carry_out(changed(asked, max_tokens=64), output)
    assert other.started == ["frozen", "lora"]


def test_runs_of_an_arm_that_is_left_out_are_kept_and_named(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    """They are not said to be of other settings, and are there again with their arm."""
    protocol = {"split": {"kind": "single"}, "tuning": None}
    both = {**comparison(tmp_path, pretrained("bert"), {"majority": {}, "tfidf": {}}, protocol), "seeds": [0]}
    carry_out(both, tmp_path / "out")
    alone = carry_out({**both, "methods": {"majority": {}}}, tmp_path / "out")
    (line,) = [line for line in alone.said if "finished run" in line]
    assert line.startswith("1 finished run of tfidf is kept in ")
    assert "other settings" not in line
    assert carry_out(both, tmp_path / "out").started == []


def spec(needs: str, protocol: dict[str, Any], model: str = "a") -> RunSpec:
    return RunSpec(
        name="x",
        method="x",
        settings={},
        model=ModelSpec(id=model),
        protocol=SharedProtocol.model_validate(protocol),
        seed=0,
        data_fingerprint="f",
        needs=needs,  # type: ignore[arg-type]
    )


CHANGES: dict[str, Any] = {
    "epochs": 7,
    "patience_epochs": 9,
    "max_seconds": 5.0,
    "effective_batch_rows": 4,
    "micro_batch_rows": 2,
    "memory": "lean",
    "match_memory": False,
    "weight_rounding": "nearest",
    "warmup_fraction": 0.3,
    "warmup_steps": 3,
    "weight_decay": 0.5,
    "max_gradient_norm": 2.0,
    "label_smoothing": 0.1,
    "select_epoch": "last",
    "checkpoint_every_steps": 3,
    "tuning": None,
}


@pytest.mark.parametrize("key", CHANGES)
def test_a_key_of_the_training_loop_is_part_of_trained_runs_alone(key: str) -> None:
    assert key in TRAINING_KEYS
    assert spec("training", {key: CHANGES[key]}).run_id != spec("training", {}).run_id
    for needs in ("network", "text"):
        assert spec(needs, {key: CHANGES[key]}).run_id == spec(needs, {}).run_id


def test_what_reads_no_network_is_not_run_again_for_another_model() -> None:
    for needs, same in (("training", False), ("network", False), ("text", True)):
        assert (spec(needs, {}, "b").run_id == spec(needs, {}).run_id) == same
        assert (spec(needs, {"max_tokens": 64}).run_id == spec(needs, {}).run_id) == same
        assert spec(needs, {"split": {"kind": "single", "seed": 3}}).run_id != spec(needs, {}).run_id


def test_every_key_of_the_protocol_is_of_training_or_not() -> None:
    assert set(SharedProtocol.model_fields) > TRAINING_KEYS


def test_one_more_row_runs_alone_whatever_auto_would_now_stand_for(
    pretrained: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a row more, three seeds would be too many, and other seeds would be other runs."""
    methods = {"majority": {}, "lora": {"learning_rate": 0.01}}
    asked = comparison(
        tmp_path, pretrained("bert"), methods, {"epochs": 1, "split": {"kind": "single"}, "tuning": None}
    )
    asked.pop("seeds", None)
    output = tmp_path / "out"
    first = carry_out(asked, output)
    assert first.started == ["majority"] * 3 + ["lora"] * 3
    monkeypatch.setitem(showdown.runner.auto_settings._CHEAP, "cpu", 0.0)
    more = comparison_for(output, add=["bitfit"])
    assert list(more.methods) == ["majority", "lora", "bitfit"]
    second = Noting()
    execute.execute(more, output, second)
    assert second.started == ["bitfit"] * 3
    assert [run.status for run in results_of(output).runs] == ["completed"] * 9
    assert carry_out({**asked, "methods": {"majority": {}}}, tmp_path / "anew").started == ["majority"]

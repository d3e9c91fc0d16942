"""Cross-validation and tuning as a whole comparison carries them out; stages run in this process."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import showdown.evaluation.speed
from runner.immediate import use_here
from showdown.config.read import check
from showdown.core.events import EventWriter, StageName
from showdown.core.record import Results, RunRecord
from showdown.display.display import PlannedRun, Silent
from showdown.report.markdown import markdown
from showdown.report.pool import pooled_scores
from showdown.report.table import comparison_table
from showdown.runner import execute
from showdown.runner.worker import entry
from showdown.stages import tune
from showdown.stages.results import TuneStage
from showdown.verdict.summary import judge
from tiny_pretrained import separable_rows, write_csv

ROWS = 24
NAMES: tuple[StageName, ...] = ("tune", "train", "score")
WHOLE = {name: entry._stage(name) for name in NAMES}


class Noting(Silent):
    """Remembers which runs were started."""

    def __init__(self) -> None:
        self.started: list[str] = []

    def start(self, run: PlannedRun) -> None:
        self.started.append(run.name)


@pytest.fixture(scope="module", autouse=True)
def in_this_process() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_here(patch)
        patch.setattr(showdown.evaluation.speed, "_SINGLE_CALLS", 1)
        patch.setattr(showdown.evaluation.speed, "_BATCHES", ())
        yield


def carry_out(asked: dict[str, Any], output: Path) -> list[str]:
    """Run what is left of a comparison and return which runs were started."""
    display = Noting()
    execute.execute(check(asked, "the test"), output, display)
    return display.started


def comparison(folder: Path, model: Path, methods: dict[str, Any], protocol: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": {"source": str(write_csv(folder / "rows.csv", separable_rows(ROWS))), "near_duplicate_jaccard": 0.99},
        "model": {"id": str(model)},
        "methods": methods,
        "seeds": [0],
        "protocol": {"epochs": 2, "patience_epochs": None, "effective_batch_rows": 6, "tuning": None, **protocol},
    }


def results_of(output: Path) -> Results:
    return Results.model_validate_json((output / "results.json").read_bytes())


def trials_of(output: Path, record: RunRecord) -> TuneStage:
    return TuneStage.model_validate_json((output / str(record.tuning_file)).read_bytes())


@pytest.fixture(scope="module")
def tuned(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a comparison with tuning."""
    folder = tmp_path_factory.mktemp("tuned")
    asked = comparison(
        folder,
        pretrained("bert"),
        {"tfidf": {}, "full": {"learning_rate": 1e-3}, "lora": {"learning_rate_range": [1e-3, 0.1]}},
        {"split": {"kind": "single", "train": 0.5, "validation": 0.25, "test": 0.25}, "tuning": {"trials": 4}},
    )
    carry_out(asked, folder / "out")
    return folder / "out"


def test_tuning_is_equal_for_all_and_charged_apart(tuned: Path) -> None:
    tfidf, full, lora = results_of(tuned).runs
    assert [run.status for run in (tfidf, full, lora)] == ["completed"] * 3
    assert (tfidf.tuning_seconds, tfidf.tuning_file) == (None, None)
    assert "learning_rate" not in tfidf.chosen
    for run, low, high in ((full, 1e-3 / 10**0.5, 1e-3 * 10**0.5), (lora, 1e-3, 0.1)):
        stage = trials_of(tuned, run)
        assert [trial.number for trial in stage.trials] == [0, 1, 2, 3]
        assert (stage.low, stage.high) == (pytest.approx(low), pytest.approx(high))
        best = max(trial.score or 0.0 for trial in stage.trials)
        (chosen,) = [trial for trial in stage.trials if trial.learning_rate == run.chosen["learning_rate"]]
        assert chosen.score == best
        (phase,) = [phase for phase in run.phases if phase.name == "tuning"]
        assert run.tuning_seconds == phase.seconds > sum(trial.seconds for trial in stage.trials) * 0.99
        assert run.total_seconds is not None
        assert run.train_seconds is not None
        assert run.total_seconds > phase.seconds + run.train_seconds
        rates = json.loads((tuned / str(run.curve_file)).read_text())["training"]["learning_rate"]
        assert max(rates) == pytest.approx(chosen.learning_rate, rel=0.5)


def test_tuning_stays_charged_where_training_fails(
    tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = json.loads((tuned / "comparison.json").read_bytes())
    asked["methods"] = {"lora": asked["methods"]["lora"]}
    monkeypatch.setattr(entry, "_stage", lambda name: diverge if name == "train" else WHOLE[name])
    carry_out(asked, tmp_path / "out")
    (run,) = results_of(tmp_path / "out").runs
    assert run.status == "diverged"
    assert [phase.name for phase in run.phases] == ["tuning"]
    assert run.tuning_seconds == run.total_seconds == run.phases[0].seconds > 0
    assert run.peak_memory_allocated_gb is not None
    assert (run.peak_memory_allocated_gb.training, run.train_seconds) == (None, None)


def test_the_winning_trial_is_what_is_trained_then(tuned: Path) -> None:
    """With equal epochs and seed the training repeats the trial to the bit."""
    for run in results_of(tuned).runs[1:]:
        stage = trials_of(tuned, run)
        (won,) = [trial for trial in stage.trials if trial.learning_rate == stage.learning_rate]
        curve = json.loads((tuned / str(run.curve_file)).read_text())["validation"]
        assert [epoch["f1_macro"] for epoch in curve] == won.metric_by_epoch
        assert [epoch["loss"] for epoch in curve] == won.loss_by_epoch


def test_trials_end_as_runs_do_and_those_that_were_cut_short_are_counted(tuned: Path, tmp_path: Path) -> None:
    """Two epochs are too few for the lowest rate: a search that ends with them must say so."""
    spec = results_of(tuned).runs[1].spec
    waiting = spec.protocol.model_copy(update={"patience_epochs": 2, "epochs": 30})
    events = EventWriter(io.StringIO())
    tune.tune_run(spec.model_copy(update={"protocol": waiting}), tmp_path, tuned / "data" / "processed", events)
    stage = TuneStage.model_validate_json((tmp_path / "tune.json").read_bytes())
    assert len({len(trial.metric_by_epoch) for trial in stage.trials}) > 1  # each ends when it has converged
    assert max(len(trial.metric_by_epoch) for trial in stage.trials) <= 30
    cut = trials_of(tuned, results_of(tuned).runs[1])
    short = sum(trial.converged is False for trial in cut.trials)
    assert short > sum(trial.converged is False for trial in stage.trials)
    assert any(f"{short} of 4 trials had not converged" in note for note in cut.notes)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.mark.parametrize("finished", [0, *(pytest.param(number, marks=pytest.mark.long) for number in (1, 3, 4))])
def test_a_killed_tuning_goes_on_after_its_finished_trials(
    tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: int
) -> None:
    run = results_of(tuned).runs[2]
    written, tried = [], []

    def write(path: Path, content: Any) -> None:
        if len(written) == finished:
            raise Killed
        written.append(path.name)
        original(path, content)

    def attempt(*given: Any) -> Any:
        tried.append(given)
        return attempts(*given)

    original, attempts = tune.write_json, tune._Attempt
    events = EventWriter(io.StringIO())
    with monkeypatch.context() as patch:
        patch.setattr(tune, "write_json", write)
        with pytest.raises(Killed):
            tune.tune_run(run.spec, tmp_path, tuned / "data" / "processed", events)
    assert not (tmp_path / "tune.json").exists()
    monkeypatch.setattr(tune, "_Attempt", attempt)
    tune.tune_run(run.spec, tmp_path, tuned / "data" / "processed", events)
    assert len(tried) == 4 - finished
    again = TuneStage.model_validate_json((tmp_path / "tune.json").read_bytes())
    assert untimed(again) == untimed(trials_of(tuned, run))
    assert again.seconds > sum(trial.seconds for trial in again.trials)
    assert any("tuning continued after" in note for note in again.notes) == bool(finished)


def test_every_trial_diverging_is_said(tuned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = results_of(tuned).runs[1].spec
    with monkeypatch.context() as patch:
        patch.setattr(tune._Attempt, "_train", diverge)
        with pytest.raises(
            FloatingPointError, match=r"all 4 learning rates diverged, down to .* `learning_rate_range`"
        ):
            tune.tune_run(spec, tmp_path, tuned / "data" / "processed", EventWriter(io.StringIO()))


def diverge(*_: Any) -> None:
    raise FloatingPointError


def untimed(stage: TuneStage) -> list[Any]:
    """What may not depend on when a tuning was killed."""
    trials = [trial.model_copy(update={"seconds": 0.0}) for trial in stage.trials]
    return [stage.learning_rate, stage.low, stage.high, trials]


def outcome(output: Path) -> list[Any]:
    """What may not depend on when a comparison was killed."""
    return [
        (run.run_id, run.chosen, run.confusion_matrix, (output / str(run.predictions_file)).read_bytes())
        for run in results_of(output).runs
    ]


@pytest.fixture(scope="module")
def folds(pretrained: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Three folds, two seeds: the comparison and its folder."""
    folder = tmp_path_factory.mktemp("folds")
    asked = comparison(
        folder,
        pretrained("bert"),
        {"tfidf": {}, "lora": {"learning_rate": 0.01}},
        {"split": {"kind": "kfold", "folds": 3}, "epochs": 1},
    )
    asked["seeds"] = [0, 1]
    started = carry_out(asked, folder / "out")
    assert started[:2] == ["tfidf, fold 1 of 3", "tfidf, fold 2 of 3"]
    return asked, folder / "out"


def test_every_row_is_tested_once_a_seed(folds: tuple[dict[str, Any], Path]) -> None:
    results = results_of(folds[1])
    assert len(results.runs) == len({run.run_id for run in results.runs}) == 12
    for name in ("tfidf", "lora"):
        for seed in (0, 1):
            tested: list[int] = []
            for run in results.runs:
                if (run.name, run.seed) == (name, seed):
                    with (folds[1] / str(run.predictions_file)).open(newline="") as file:
                        tested += [int(line["row"]) for line in csv.DictReader(file)]
            assert sorted(tested) == list(range(1, ROWS + 1))


def test_scores_pool_all_rows(folds: tuple[dict[str, Any], Path]) -> None:
    """The verdict reads the predictions, the report the confusion matrices: both pool all folds."""
    results = results_of(folds[1])
    for row in judge(results, folds[1]).rows:
        pooled = pooled_scores([run for run in results.runs if run.name == row.name])
        assert [scores.rows for scores in pooled] == [ROWS, ROWS]
        assert row.accuracy is not None
        assert row.f1_macro is not None
        assert row.accuracy.value == pytest.approx(sum(scores.accuracy for scores in pooled) / 2)
        assert row.f1_macro.value == pytest.approx(sum(scores.f1_macro for scores in pooled) / 2)


def test_finished_folds_are_not_done_again(folds: tuple[dict[str, Any], Path]) -> None:
    asked, output = folds
    before = outcome(output)
    next(output.glob("runs/lora-s1-p2-*/result.json")).unlink()
    assert carry_out(asked, output) == ["lora, fold 3 of 3"]
    assert outcome(output) == before


def test_learning_curve_is_apart_from_the_comparison(pretrained: Callable[[str], Path], tmp_path: Path) -> None:
    """Nested subsets that all methods share; what learns nothing runs once; the table has whole runs alone."""
    asked = comparison(
        tmp_path,
        pretrained("bert"),
        {"majority": {}, "tfidf": {}, "zero-shot": {}},
        {"split": {"kind": "kfold", "folds": 2}},
    )
    alone = tmp_path / "alone"
    carry_out(asked, alone)
    asked["learning_curve"] = [0.5, 1.0]
    output = tmp_path / "out"
    started = carry_out(asked, output)
    assert started[-4:] == [
        f"{name}, fold {fold} of 2, 50 % of the rows" for name in ("majority", "tfidf") for fold in (1, 2)
    ]
    results = results_of(output)
    assert len(results.runs) == 10
    assert outcome(output)[:6] == outcome(alone)
    rows = {(run.name, run.partition, run.spec.train_fraction): run.train_rows for run in results.runs}
    assert rows["majority", 0, 0.5] == rows["tfidf", 0, 0.5]
    assert rows["tfidf", 0, 0.5] == pytest.approx(0.5 * (rows["tfidf", 0, 1.0] or 0), abs=2)
    verdict = judge(results, output)
    whole = judge(results_of(alone), alone)
    assert verdict.pairs == whole.pairs
    assert [(row.accuracy, row.f1_macro) for row in verdict.rows] == [
        (row.accuracy, row.f1_macro) for row in whole.rows
    ]
    table = comparison_table(results, verdict)
    assert len(table.rows) == 3
    kept = {path.parent.name for path in output.glob("runs/*/artifact")}
    assert kept <= {run.run_id for run in results.full_size.runs}
    assert len(kept) == 3
    text = markdown(results, verdict)
    assert "## Learning curve" in text
    assert "Learning curve" not in markdown(results_of(alone), verdict)

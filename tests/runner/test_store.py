"""What is read from a results folder is what a run can have written; anything else is refused in one line."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import showdown
from report.written_comparison import METHODS, write_comparison
from showdown.core.errors import UserError
from showdown.core.files import write_json
from showdown.core.progress import read_progress
from showdown.core.samples import read_samples
from showdown.core.spec import Comparison
from showdown.display.display import Silent
from showdown.methods.table import method_class
from showdown.runner.execute import execute
from showdown.runner.store import Store, read_record, read_results, read_stage
from showdown.stages.results import FitProgress, ScoreStage, TrainStage, TuneProgress, TuneStage
from showdown.watch.state import Watched

Run = dict[str, Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    write_comparison(folder, methods={name: METHODS[name] for name in ("tfidf", "lora")})
    return folder


def changed(root: Path, change: Callable[[Run], object]) -> None:
    written = json.loads((root / "results.json").read_text())
    change(written)
    (root / "results.json").write_text(json.dumps(written))


def run(**values: Any) -> Callable[[Run], object]:
    return lambda results: results["runs"][0].update(values)


def one_label(**values: Any) -> Callable[[Run], object]:
    return lambda results: results["runs"][0]["per_class"][0].update(values)


LIES: dict[str, tuple[Callable[[Run], object], str]] = {
    "an impossible score": (run(accuracy=-3), "`runs.0.accuracy`"),
    "a score above one": (run(f1_macro=1.5), "`runs.0.f1_macro`"),
    "another accuracy than the answers give": (run(accuracy=0.999), "an accuracy of 0.999 where its confusion matrix"),
    "another macro F1": (run(f1_macro=0.999), "a f1_macro of 0.999 where its confusion matrix gives 0."),
    "another weighted F1": (run(f1_weighted=0.001), "a f1_weighted of 0.001 where"),
    "another precision": (run(precision_weighted=0.5), "a precision_weighted of 0.5 where"),
    "another recall": (run(recall_weighted=0.5), "a recall_weighted of 0.5 where"),
    "another F1 of a label": (one_label(f1=0.123), "`per_class.0.f1` of 0.123 where"),
    "another MCC": (run(scores={"mcc": 0.123}), "`scores.mcc` of 0.123 where its confusion matrix"),
    "a score with a way out for its name": (run(scores={"../x": 0.5}), "`runs.0.scores"),
    "other rows of a label": (one_label(rows=1), "`per_class.0.rows` of 1 where"),
    "a label too many": (run(labels=["baker", "night nurse", "pilot", "cook"]), "`per_class` has one entry a label"),
    "a label twice": (run(labels=["baker", "baker", "pilot"]), "a label is there twice"),
    "a matrix that is no square": (run(confusion_matrix=[[1, 2, 3], [1, 2]]), "`confusion_matrix` has one row"),
    "no answers": (run(confusion_matrix=[]), "scores without a test row"),
    "answers to nothing": (run(confusion_matrix=[[0] * 3] * 3), "scores without a test row"),
    "fewer than no rows": (run(confusion_matrix=[[-1, 2, 3], [1, 2, 3], [1, 2, 3]]), "`runs.0.confusion_matrix.0.0`"),
    "a way up": (run(run_id="../../evil"), "`runs.0.run_id`"),
    "a way out": (run(run_id="/etc"), "`runs.0.run_id`"),
    "a name with an end of line": (run(run_id="lora\n"), "`runs.0.run_id`"),
    "predictions elsewhere": (run(predictions_file="../../evil.csv"), "`runs.0.predictions_file`"),
    "a curve elsewhere": (run(curve_file="/etc/passwd"), "`runs.0.curve_file`"),
    "a curve a level up": (run(curve_file="runs/../../x"), "`runs.0.curve_file`"),
    "samples elsewhere": (run(system_file="..", curve_file=None), "`runs.0.system_file`"),
    "negative seconds": (run(train_seconds=-1.0), "`runs.0.train_seconds`"),
    "words for seconds": (run(train_seconds="long"), "`runs.0.train_seconds`"),
    "a fold of words": (lambda results: results["data"].update(partitions="many"), "`data.partitions`"),
    "a list for the data": (lambda results: results.update(data=[]), "`data`"),
    "a list for notices": (lambda results: results["data"].update(notices={"a": 1}), "`data.notices`"),
    "a list for the margin": (lambda results: results["comparison"].update(margin_points=[]), "`comparison.margin_p"),
    "a margin below nothing": (lambda results: results["comparison"].update(margin_points=-1), "`comparison.margin_p"),
    "cleaning that nobody knows": (lambda results: results["comparison"]["data"].update(clean="exec"), "`comparison."),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_is_refused(root: Path, lie: str) -> None:
    change, words = LIES[lie]
    changed(root, change)
    with pytest.raises(UserError) as caught:
        read_results(root)
    message = str(caught.value)
    assert words in message
    assert str(root / "results.json") in message
    assert len(message) < 600


@pytest.mark.parametrize("version", [0, 2, 99, "1", None, [1]])
def test_another_schema_is_named_and_never_written_over(root: Path, version: Any) -> None:
    changed(root, lambda results: results.update(schema_version=version))
    with pytest.raises(UserError, match="this version of Showdown reads 1; use the version that wrote it"):
        read_results(root)
    record = json.loads((root / "results.json").read_text())["runs"][0] | {"schema_version": version}
    (root / "result.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="this version of Showdown reads 1"):
        read_record(root / "result.json")


STAGE_FILES = {
    "tune.json": TuneStage,
    "trials.json": TuneProgress,
    "steps.json": FitProgress,
    "train.json": TrainStage,
    "score.json": ScoreStage,
}


@pytest.mark.parametrize("name", STAGE_FILES)
def test_another_schema_of_a_stage_is_named_and_never_written_over(tmp_path: Path, name: str) -> None:
    store = Store(tmp_path)
    path = store.run_folder("lora-s0") / name
    write_json(path, {"schema_version": 99, "of": "the future"})
    for read in (lambda: read_stage(STAGE_FILES[name], path), lambda: store.refuse_other_stage_files("lora-s0")):
        with pytest.raises(UserError) as caught:
            read()
        assert str(caught.value) == (
            f"{path} is of schema 99, this version of Showdown reads 1; use the version that wrote it"
        )
    for content in ('{"phases"', "{}", '{"schema_version": 1}'):  # cut short: done again
        path.write_text(content)
        assert read_stage(STAGE_FILES[name], path) is None
        store.refuse_other_stage_files("lora-s0")


def test_a_comparison_of_another_schema_is_not_run_over(root: Path) -> None:
    """Before anything of the folder is written."""
    changed(root, lambda results: results.update(schema_version=99))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=r"results\.json is of schema 99, this version of Showdown reads 1"):
        execute(comparison(source="nothing is read.csv"), root, Silent())
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


READERS: dict[str, Callable[[Path], object]] = {
    "report": showdown.write_reports,
    "load": showdown.load,
    "verdict": showdown.judge,
    "predict": lambda root: showdown.predict(root, "lora", ["a text"]),
    "sync": lambda root: list(showdown.api.sync(root)),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_of_results_refuses_another_schema(root: Path, reader: str) -> None:
    changed(root, lambda results: results.update(schema_version=99))
    with pytest.raises(UserError, match="is of schema 99, this version of Showdown reads 1"):
        READERS[reader](root)


def test_the_watch_page_says_that_the_schema_is_another(root: Path) -> None:
    changed(root, lambda results: results.update(schema_version=99))
    state = Watched(root).state()
    assert (state["runs"], state["complete"]) == ([], False)
    assert "is of schema 99, this version of Showdown reads 1" in state["problem"]


def test_progress_and_samples_of_another_schema_are_skipped(tmp_path: Path) -> None:
    """They are lines for whoever follows a run; no result stands on them."""
    point = {"schema_version": 99, "stage": "train", "phase": "loading"}
    for name in ("progress.jsonl", "system.jsonl"):
        (tmp_path / name).write_text(json.dumps(point) + "\n")
    assert read_progress(tmp_path / "progress.jsonl") == []
    assert read_samples(tmp_path / "system.jsonl") == []


def test_a_waiting_run_of_an_older_version_is_read(root: Path) -> None:
    """It was called `cancelled`."""
    kept = ("run_id", "name", "method", "title", "seed", "partition", "spec")

    def waits(results: Run) -> None:
        results["runs"][0] = {key: results["runs"][0][key] for key in kept}
        results["runs"][0] |= {"status": "cancelled", "error": "not run yet"}

    changed(root, waits)
    first, second = read_results(root).runs[:2]
    assert (first.status, first.error, second.status) == ("waiting", "not run yet", "completed")
    state = Watched(root).state()
    assert [run["state"] for run in state["runs"][:2]] == ["waiting", "done"]
    assert not state["complete"]


def test_a_record_that_contradicts_itself_is_no_record(root: Path) -> None:
    record = json.loads((root / "results.json").read_text())["runs"][0]
    path = root / "result.json"
    path.write_text(json.dumps(record))
    assert read_record(path) is not None
    for lie in ({"accuracy": 0.999}, {"accuracy": -3}, {"labels": []}, {"run_id": ".."}):
        path.write_text(json.dumps(record | lie))
        assert read_record(path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "\0", "[" * 100_000, '{"runs": 1e999}', "{} {}"])
def test_what_is_no_results_file_is_said(root: Path, content: str) -> None:
    (root / "results.json").write_text(content)
    with pytest.raises(UserError, match="cut short or was changed"):
        read_results(root)


def test_a_folder_that_leads_outside_is_neither_read_nor_written(root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine").write_text("mine")
    for name in ("runs/checkpoints", "predictions.csv", "results.json.partial", "data"):
        planted = root / name
        planted.symlink_to(victim)
        with pytest.raises(UserError, match="leads outside"):
            read_results(root)
        with pytest.raises(UserError, match="leads outside"), Store(root).lock():
            pass
        planted.unlink()
    assert (victim / "mine").read_text() == "mine"


def test_a_planted_lock_changes_no_other_file(root: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    lock = root / ".lock"
    lock.symlink_to(victim)
    assert not Store(root).in_use()
    with pytest.raises(UserError, match="is a link; remove it"), Store(root).lock():
        pass
    lock.unlink()
    lock.hardlink_to(victim)
    with Store(root).lock():
        assert Store(root).in_use()
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(UserError, match="pipe"), Store(root).lock():
        pass
    assert victim.read_text() == "mine"


def comparison(name: str = "mine", **data: Any) -> Comparison:
    return Comparison.model_validate({"name": name, "methods": {"majority": {}}, "data": data})


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (comparison(source="rows.csv"), None),
        (comparison(source="./rows.csv", clean="none"), None),
        (comparison(source="rows.csv", text="body"), None),
        (
            comparison(source="elsewhere/rows.csv"),
            "mine` of rows.csv; choose another folder with --output for `mine` of e",
        ),
        (comparison("yours", source="rows.csv"), "holds the comparison `mine` of rows.csv"),
        (comparison(files={"train": "a", "validation": "b", "test": "c"}), "for `mine` of a, b, c"),
    ],
)
def test_a_folder_belongs_to_one_comparison(tmp_path: Path, now: Comparison, said: str | None) -> None:
    """The same one goes on, with other settings too; another name or other data is refused."""
    store = Store(tmp_path)
    store.refuse_another(now, "f")
    write_json(store.comparison_file, comparison(source="rows.csv").model_dump(mode="json"))
    if said is None:
        store.refuse_another(now, "f")
        return
    with pytest.raises(UserError) as caught:
        store.refuse_another(now, "f")
    assert said in str(caught.value)


def test_the_same_data_in_another_place_goes_on(root: Path) -> None:
    """Who moves a project moves the data with it: its fingerprint tells."""
    write_json(root / "comparison.json", comparison(source="/old/rows.csv").model_dump(mode="json"))
    Store(root).refuse_another(comparison(source="/new/rows.csv"), "f" * 64)
    with pytest.raises(UserError, match="holds the comparison"):
        Store(root).refuse_another(comparison(source="/new/rows.csv"), "e" * 64)
    (root / "comparison.json").write_text('{"name": "mi')  # cut short: nothing is known of it
    Store(root).refuse_another(comparison(source="/new/rows.csv"), "e" * 64)


def without_traits(results: Run) -> None:
    for one in results["runs"]:
        del one["traits"]


def test_runs_of_older_versions_get_the_traits_of_their_methods(root: Path) -> None:
    changed(root, without_traits)
    results = read_results(root)
    assert [one.traits for one in results.runs] == [method_class(one.method).traits for one in results.runs]
    record = json.loads((root / "results.json").read_text())["runs"][1]
    (root / "result.json").write_text(json.dumps(record))
    assert read_record(root / "result.json") == results.runs[1]


@pytest.mark.parametrize(("needs", "role"), [("training", "fine-tuned"), ("network", "cheap"), ("text", "cheap")])
def test_an_old_run_of_an_unknown_method_is_taken_to_depend_on_its_seed(root: Path, needs: str, role: str) -> None:
    def of_a_package_that_is_gone(results: Run) -> None:
        without_traits(results)
        results["runs"][0]["method"] = "gone"
        results["runs"][0]["spec"]["needs"] = needs

    changed(root, of_a_package_that_is_gone)
    traits = read_results(root).runs[0].traits
    assert traits.role == role
    assert not traits.deterministic
    assert traits.reads == ("words" if needs == "text" else "tokens")


@pytest.mark.parametrize("lie", LIES)
def test_what_cannot_be_is_refused_in_an_old_file_too(root: Path, lie: str) -> None:
    change, words = LIES[lie]
    changed(root, without_traits)
    changed(root, change)
    with pytest.raises(UserError) as caught:
        read_results(root)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "traits", [None, {}, {"role": "best"}, {"role": "floor", "deterministic": True, "reads": "all"}]
)
def test_traits_that_are_none_are_refused(root: Path, traits: Any) -> None:
    changed(root, run(traits=traits))
    with pytest.raises(UserError, match=r"`runs\.0\.traits"):
        read_results(root)
